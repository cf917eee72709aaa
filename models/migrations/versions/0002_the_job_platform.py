"""The job platform

The rule of every migration here: the code that is running now must keep running on the schema that this
leaves behind. Add, backfill, switch, and remove in a later release. Locks are waited for 4 seconds at most.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "job_alerts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "backlog",
                "slow",
                "failures",
                "dead worker",
                "unknown kind",
                name="alertkind",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column(
            "opened_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("resolved_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("job_alerts_pkey")),
    )
    op.create_index(
        "job_alerts_open",
        "job_alerts",
        ["kind", "subject"],
        unique=True,
        postgresql_where=sa.text("resolved_at is null"),
    )
    op.create_index(
        "job_alerts_over",
        "job_alerts",
        ["opened_at", "id"],
        unique=False,
        postgresql_where=sa.text("resolved_at is not null"),
    )
    op.create_table(
        "job_bulk_actions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "deed",
            sa.Enum(
                "retry",
                "cancel",
                "promote",
                "delete",
                "priority",
                name="bulkdeed",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("filter", sa.Text(), nullable=False),
        sa.Column("priority", sa.BigInteger(), nullable=True),
        sa.Column("asked_by", sa.Uuid(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=True),
        sa.Column("done", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("refused", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("refusal", sa.Text(), nullable=True),
        sa.Column("last_id", sa.Uuid(), nullable=True),
        sa.Column(
            "created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("stopped_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("finished_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("job_bulk_actions_pkey")),
    )
    op.create_table(
        "job_errors",
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("understood_by", sa.Uuid(), nullable=False),
        sa.Column(
            "understood_at",
            postgresql.TIMESTAMP(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("fingerprint", name=op.f("job_errors_pkey")),
    )
    op.create_table(
        "job_flows",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("asked_by", sa.Uuid(), nullable=True),
        sa.Column("jobs", sa.BigInteger(), nullable=False),
        sa.Column("done", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("failed", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("when_done", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("paused_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column(
            "created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("finished_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("job_flows_pkey")),
    )
    op.create_index(
        "job_flows_failed", "job_flows", ["id"], unique=False, postgresql_where=sa.text("failed > 0")
    )
    op.create_index(
        "job_flows_finished",
        "job_flows",
        ["finished_at"],
        unique=False,
        postgresql_where=sa.text("finished_at is not null"),
    )
    op.create_index(
        "job_flows_open", "job_flows", ["id"], unique=False, postgresql_where=sa.text("finished_at is null")
    )
    op.create_table(
        "job_gates",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("full_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("closed_until", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("job_gates_pkey")),
        postgresql_with={"fillfactor": "50"},
    )
    op.create_table(
        "job_keys",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=True),
        sa.Column("until", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("job_keys_pkey")),
    )
    op.create_index(op.f("job_keys_until"), "job_keys", ["until"], unique=False)
    op.create_table(
        "job_limits",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("max_running", sa.BigInteger(), nullable=True),
        sa.Column("rate_count", sa.BigInteger(), nullable=True),
        sa.Column("rate_seconds", sa.BigInteger(), nullable=True),
        sa.Column("rate_burst", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("job_limits_pkey")),
    )
    op.create_table(
        "job_metric_steps",
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("asked", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("completed", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("failed", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("dead", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("waits", postgresql.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("runs", postgresql.ARRAY(sa.BigInteger()), nullable=False),
        sa.PrimaryKeyConstraint("at", "queue", name=op.f("job_metric_steps_pkey")),
    )
    op.create_table(
        "job_metrics",
        sa.Column("minute", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("asked", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("completed", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("failed", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("dead", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("waits", postgresql.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("runs", postgresql.ARRAY(sa.BigInteger()), nullable=False),
        sa.PrimaryKeyConstraint("minute", "queue", name=op.f("job_metrics_pkey")),
    )
    op.create_table(
        "job_scalings",
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column(
            "at",
            postgresql.TIMESTAMP(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("ready", sa.BigInteger(), nullable=False),
        sa.Column("running", sa.BigInteger(), nullable=False),
        sa.Column("oldest", sa.Interval(), nullable=False),
        sa.Column("present", sa.BigInteger(), nullable=False),
        sa.Column("wanted", sa.BigInteger(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("service", "at", name=op.f("job_scalings_pkey")),
    )
    op.create_index("job_scalings_at", "job_scalings", ["at"], unique=False)
    op.create_table(
        "notices_endpoints",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("events", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("sealed_secret", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_old_secret", sa.LargeBinary(), nullable=True),
        sa.Column("old_secret_until", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("failing_since", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("disabled_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("disabled_because", sa.Text(), nullable=True),
        sa.Column(
            "created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("notices_endpoints_pkey")),
    )
    op.create_table(
        "orders_truths",
        sa.Column("truth", sa.Text(), nullable=False),
        sa.Column("asked_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("breaches", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("truth", name=op.f("orders_truths_pkey")),
    )
    op.create_table(
        "accounts_idempotency_keys",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("made_id", sa.Uuid(), nullable=False),
        sa.Column(
            "created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["person_id"],
            ["accounts_people.id"],
            name=op.f("accounts_idempotency_keys_person_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("person_id", "key", name=op.f("accounts_idempotency_keys_pkey")),
    )
    op.create_table(
        "exports",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("data_set", sa.Text(), nullable=False),
        sa.Column("format", sa.Text(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column(
            "created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("expires_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["accounts_people.id"], name=op.f("exports_person_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("exports_pkey")),
    )
    op.create_index("exports_expiry", "exports", ["expires_at"], unique=False)
    op.create_index("exports_person", "exports", ["person_id", "id"], unique=False)
    op.create_table(
        "notices",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("link", sa.Text(), nullable=True),
        sa.Column(
            "created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("read_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["person_id"], ["accounts_people.id"], name=op.f("notices_person_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("notices_pkey")),
    )
    op.create_index("notices_created", "notices", ["created_at"], unique=False)
    op.create_index("notices_person", "notices", ["person_id", "id"], unique=False)
    op.create_index(
        "notices_unread", "notices", ["person_id"], unique=False, postgresql_where=sa.text("read_at is null")
    )
    op.create_table(
        "notices_deliveries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("endpoint_id", sa.Uuid(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("payload", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "waiting",
                "delivered",
                "failed",
                name="deliverystate",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            server_default="waiting",
            nullable=False,
        ),
        sa.Column("attempts", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("took_ms", sa.BigInteger(), nullable=True),
        sa.Column("tried_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column(
            "created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["endpoint_id"],
            ["notices_endpoints.id"],
            name=op.f("notices_deliveries_endpoint_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("notices_deliveries_pkey")),
    )
    op.create_index("notices_deliveries_created", "notices_deliveries", ["created_at"], unique=False)
    op.create_index("notices_deliveries_endpoint", "notices_deliveries", ["endpoint_id", "id"], unique=False)
    op.create_table(
        "job_parents",
        sa.Column("child_id", sa.Uuid(), nullable=False),
        sa.Column("parent_id", sa.Uuid(), nullable=False),
        sa.Column("is_met", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.ForeignKeyConstraint(
            ["child_id"], ["jobs.id"], name=op.f("job_parents_child_id_fkey"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["parent_id"], ["jobs.id"], name=op.f("job_parents_parent_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("child_id", "parent_id", name=op.f("job_parents_pkey")),
    )
    op.create_index("job_parents_parent", "job_parents", ["parent_id"], unique=False)
    op.create_table(
        "orders_former_addresses",
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("article_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["article_id"], ["orders_articles.id"], name=op.f("orders_former_addresses_article_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["site_id"], ["orders_sites.id"], name=op.f("orders_former_addresses_site_id_fkey")
        ),
        sa.PrimaryKeyConstraint("site_id", "slug", name=op.f("orders_former_addresses_pkey")),
    )
    op.create_index(
        "accounts_people_beginning",
        "accounts_people",
        ["email"],
        unique=False,
        postgresql_ops={"email": "text_pattern_ops"},
    )
    op.create_index(
        "accounts_people_domain",
        "accounts_people",
        [sa.literal_column("split_part(email, '@', 2)").label("domain")],
        unique=False,
        postgresql_ops={"domain": "text_pattern_ops"},
    )
    op.add_column("accounts_sign_in_requests", sa.Column("mailbox", sa.Text(), nullable=True))
    op.create_index(
        "accounts_sign_in_requests_mailbox",
        "accounts_sign_in_requests",
        ["mailbox", "created_at"],
        unique=False,
    )
    op.drop_index(
        op.f("email_messages_kept"), table_name="email_messages", postgresql_where="(sealed_mime IS NOT NULL)"
    )
    op.create_index(
        "email_messages_told",
        "email_messages",
        ["created_at"],
        unique=False,
        postgresql_where=sa.text("sealed_mime is not null or facts <> '{}'"),
    )
    op.add_column("job_attempts", sa.Column("fingerprint", sa.Text(), nullable=True))
    op.create_index("job_attempts_finished", "job_attempts", ["finished_at"], unique=False)
    op.add_column("job_queues", sa.Column("max_running", sa.BigInteger(), nullable=True))
    op.add_column("job_queues", sa.Column("rate_count", sa.BigInteger(), nullable=True))
    op.add_column("job_queues", sa.Column("rate_seconds", sa.BigInteger(), nullable=True))
    op.add_column("job_queues", sa.Column("rate_burst", sa.BigInteger(), nullable=True))
    op.add_column("job_queues", sa.Column("keep_days", sa.BigInteger(), nullable=True))
    op.add_column("job_schedules", sa.Column("cron", sa.Text(), nullable=True))
    op.add_column("job_schedules", sa.Column("zone", sa.Text(), nullable=True))
    op.add_column("job_schedules", sa.Column("paused_at", postgresql.TIMESTAMP(timezone=True), nullable=True))
    op.add_column("job_schedules", sa.Column("kind", sa.Text(), nullable=True))
    op.add_column("job_schedules", sa.Column("args", postgresql.JSONB(astext_type=sa.Text()), nullable=True))
    op.add_column("job_schedules", sa.Column("made_by", sa.Uuid(), nullable=True))
    op.alter_column(
        "job_schedules",
        "fired_at",
        existing_type=postgresql.TIMESTAMP(timezone=True),
        server_default=None,
        nullable=True,
    )
    op.add_column("jobs", sa.Column("share_key", sa.Text(), nullable=True))
    op.add_column("jobs", sa.Column("limit_key", sa.Text(), nullable=True))
    op.add_column("jobs", sa.Column("blocked_by", sa.Text(), nullable=True))
    op.add_column(
        "jobs", sa.Column("run_anyway", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    op.add_column("jobs", sa.Column("cancel_asked_at", postgresql.TIMESTAMP(timezone=True), nullable=True))
    op.add_column("jobs", sa.Column("secret", sa.LargeBinary(), nullable=True))
    op.add_column("jobs", sa.Column("snoozes", sa.SmallInteger(), server_default="0", nullable=False))
    op.add_column(
        "jobs", sa.Column("frees_key", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    op.add_column("jobs", sa.Column("asked_by", sa.Uuid(), nullable=True))
    op.add_column("jobs", sa.Column("is_held", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column("jobs", sa.Column("fingerprint", sa.Text(), nullable=True))
    op.add_column("jobs", sa.Column("flow_id", sa.Uuid(), nullable=True))
    op.add_column("jobs", sa.Column("step", sa.Text(), nullable=True))
    op.add_column("jobs", sa.Column("parents_left", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column(
        "jobs",
        sa.Column(
            "on_parent_failure",
            sa.Enum(
                "cancel", "run", name="onparentfailure", native_enum=False, create_constraint=True, length=24
            ),
            nullable=True,
        ),
    )
    op.drop_index(
        op.f("jobs_waiting"), table_name="jobs", postgresql_where="((state)::text = 'waiting'::text)"
    )
    op.drop_index(op.f("jobs_finished"), table_name="jobs", postgresql_where="(finished_at IS NOT NULL)")
    op.create_index(
        "jobs_finished",
        "jobs",
        ["queue", "finished_at"],
        unique=False,
        postgresql_where=sa.text("finished_at is not null"),
    )
    op.create_index(
        "jobs_anyway",
        "jobs",
        ["queue", "rank_at"],
        unique=False,
        postgresql_where=sa.text("run_anyway and state = 'waiting'"),
    )
    op.create_index(
        "jobs_asked_by",
        "jobs",
        ["asked_by", "id"],
        unique=False,
        postgresql_where=sa.text("asked_by is not null"),
    )
    op.create_index(
        "jobs_blocked",
        "jobs",
        ["blocked_by", "rank_at", "id"],
        unique=False,
        postgresql_include=["queue", "state"],
        postgresql_where=sa.text("blocked_by is not null and state in ('scheduled', 'waiting')"),
    )
    op.create_index(
        "jobs_claimable",
        "jobs",
        ["queue", "rank_at", "id"],
        unique=False,
        postgresql_where=sa.text("state = 'waiting' and blocked_by is null"),
    )
    op.create_index(
        "jobs_ended_badly",
        "jobs",
        ["state", "id"],
        unique=False,
        postgresql_where=sa.text("state in ('dead', 'cancelled')"),
    )
    op.create_index(
        "jobs_fingerprint",
        "jobs",
        ["fingerprint", "id"],
        unique=False,
        postgresql_where=sa.text("fingerprint is not null"),
    )
    op.create_index(
        "jobs_flow", "jobs", ["flow_id", "id"], unique=False, postgresql_where=sa.text("flow_id is not null")
    )
    op.create_index(
        "jobs_limit_awake",
        "jobs",
        ["limit_key"],
        unique=False,
        postgresql_where=sa.text("limit_key is not null and state = 'waiting' and blocked_by is null"),
    )
    op.create_index(
        "jobs_limit_running",
        "jobs",
        ["limit_key"],
        unique=False,
        postgresql_where=sa.text("limit_key is not null and state = 'active'"),
    )
    op.create_index(
        "jobs_share",
        "jobs",
        ["queue", "share_key"],
        unique=False,
        postgresql_where=sa.text("share_key is not null and state in ('scheduled', 'waiting')"),
    )
    op.create_index(
        "jobs_turn",
        "jobs",
        ["queue", "rank_at"],
        unique=False,
        postgresql_where=sa.text("share_key is not null and state = 'waiting' and blocked_by is null"),
    )
    op.create_foreign_key(op.f("jobs_flow_id_fkey"), "jobs", "job_flows", ["flow_id"], ["id"])
    op.add_column("orders", sa.Column("held_at", postgresql.TIMESTAMP(timezone=True), nullable=True))
    op.create_index(
        "orders_failed", "orders", ["updated_at"], unique=False, postgresql_where=sa.text("status = 'FAILED'")
    )
    op.create_index(
        "orders_held",
        "orders",
        ["promised_at"],
        unique=False,
        postgresql_where=sa.text("held_at is not null"),
    )
    op.add_column(
        "orders_prices",
        sa.Column(
            "product",
            sa.Enum(
                "backlink", "article", name="product", native_enum=False, create_constraint=True, length=24
            ),
            server_default="backlink",
            nullable=False,
        ),
    )
    op.alter_column("orders_prices", "price_cents", existing_type=sa.BIGINT(), nullable=True)
    op.add_column("payments_checkouts", sa.Column("basket_id", sa.Uuid(), nullable=True))
    op.drop_constraint(op.f("payments_checkouts_charge_id_key"), "payments_checkouts", type_="unique")
    op.drop_constraint(op.f("payments_checkouts_payment_intent_id_key"), "payments_checkouts", type_="unique")
    op.drop_constraint(op.f("payments_checkouts_session_id_key"), "payments_checkouts", type_="unique")
    op.create_index(
        "payments_checkouts_basket",
        "payments_checkouts",
        ["basket_id", "id"],
        unique=False,
        postgresql_where=sa.text("basket_id is not null"),
    )
    op.create_index(op.f("payments_checkouts_charge_id"), "payments_checkouts", ["charge_id"], unique=False)
    op.create_index(
        op.f("payments_checkouts_payment_intent_id"),
        "payments_checkouts",
        ["payment_intent_id"],
        unique=False,
    )
    op.create_unique_constraint(
        op.f("payments_checkouts_session_id_subject_key"), "payments_checkouts", ["session_id", "subject"]
    )
    op.create_foreign_key(
        op.f("payments_checkouts_basket_id_fkey"),
        "payments_checkouts",
        "payments_checkouts",
        ["basket_id"],
        ["id"],
    )
    op.drop_constraint(op.f("payments_disputes_stripe_id_key"), "payments_disputes", type_="unique")
    op.create_unique_constraint(
        op.f("payments_disputes_stripe_id_checkout_id_key"), "payments_disputes", ["stripe_id", "checkout_id"]
    )
    op.drop_constraint(op.f("payments_refunds_stripe_id_key"), "payments_refunds", type_="unique")
    op.create_unique_constraint(
        op.f("payments_refunds_stripe_id_checkout_id_key"), "payments_refunds", ["stripe_id", "checkout_id"]
    )
    op.create_index(
        "payments_stripe_events_whole",
        "payments_stripe_events",
        ["received_at"],
        unique=False,
        postgresql_where=sa.text("payload ? 'data'"),
    )
    op.drop_constraint(op.f("email_mutes_category_check"), "email_mutes")
    op.create_check_constraint(
        op.f("email_mutes_category_check"),
        "email_mutes",
        "category in ('account', 'receipts', 'progress', 'reminders', 'links', 'reviews', 'alarms', 'messages')",
    )
    op.drop_constraint(op.f("orders_articles_articlestatus_check"), "orders_articles")
    op.create_check_constraint(
        op.f("orders_articles_articlestatus_check"),
        "orders_articles",
        "status in ('draft', 'published', 'unpublished', 'archived')",
    )
    # An order's history is only ever added to, as the audit log is.
    op.execute(
        "create function orders_transitions_are_never_changed() returns trigger language plpgsql as"
        " $$ begin raise exception 'the history of orders is only ever added to' using errcode = 'restrict_violation'; end $$"
    )
    op.execute(
        "create trigger never_changed before update or delete on orders_transitions"
        " for each row execute function orders_transitions_are_never_changed()"
    )
    op.execute(
        "create trigger never_emptied before truncate on orders_transitions"
        " for each statement execute function orders_transitions_are_never_changed()"
    )
    op.execute(
        "update orders set held_at = submitted_at where status = 'ADMIN_REVIEW' and 'held for an editor' ="
        " (select action from orders_transitions where order_id = orders.id order by id desc limit 1)"
    )


def downgrade() -> None:
    op.execute("drop trigger never_emptied on orders_transitions")
    op.execute("drop trigger never_changed on orders_transitions")
    op.execute("drop function orders_transitions_are_never_changed()")
    op.execute("delete from orders_prices where product <> 'backlink' or price_cents is null")
    op.drop_index(
        "payments_stripe_events_whole",
        table_name="payments_stripe_events",
        postgresql_where=sa.text("payload ? 'data'"),
    )
    op.drop_constraint(op.f("payments_refunds_stripe_id_checkout_id_key"), "payments_refunds", type_="unique")
    op.create_unique_constraint(
        op.f("payments_refunds_stripe_id_key"),
        "payments_refunds",
        ["stripe_id"],
        postgresql_nulls_not_distinct=False,
    )
    op.drop_constraint(
        op.f("payments_disputes_stripe_id_checkout_id_key"), "payments_disputes", type_="unique"
    )
    op.create_unique_constraint(
        op.f("payments_disputes_stripe_id_key"),
        "payments_disputes",
        ["stripe_id"],
        postgresql_nulls_not_distinct=False,
    )
    op.drop_constraint(op.f("payments_checkouts_basket_id_fkey"), "payments_checkouts", type_="foreignkey")
    op.drop_constraint(
        op.f("payments_checkouts_session_id_subject_key"), "payments_checkouts", type_="unique"
    )
    op.drop_index(op.f("payments_checkouts_payment_intent_id"), table_name="payments_checkouts")
    op.drop_index(op.f("payments_checkouts_charge_id"), table_name="payments_checkouts")
    op.drop_index(
        "payments_checkouts_basket",
        table_name="payments_checkouts",
        postgresql_where=sa.text("basket_id is not null"),
    )
    op.create_unique_constraint(
        op.f("payments_checkouts_session_id_key"),
        "payments_checkouts",
        ["session_id"],
        postgresql_nulls_not_distinct=False,
    )
    op.create_unique_constraint(
        op.f("payments_checkouts_payment_intent_id_key"),
        "payments_checkouts",
        ["payment_intent_id"],
        postgresql_nulls_not_distinct=False,
    )
    op.create_unique_constraint(
        op.f("payments_checkouts_charge_id_key"),
        "payments_checkouts",
        ["charge_id"],
        postgresql_nulls_not_distinct=False,
    )
    op.drop_column("payments_checkouts", "basket_id")
    op.alter_column("orders_prices", "price_cents", existing_type=sa.BIGINT(), nullable=False)
    op.drop_column("orders_prices", "product")
    op.drop_index("orders_held", table_name="orders", postgresql_where=sa.text("held_at is not null"))
    op.drop_index("orders_failed", table_name="orders", postgresql_where=sa.text("status = 'FAILED'"))
    op.drop_column("orders", "held_at")
    op.drop_constraint(op.f("jobs_flow_id_fkey"), "jobs", type_="foreignkey")
    op.drop_index(
        "jobs_turn",
        table_name="jobs",
        postgresql_where=sa.text("share_key is not null and state = 'waiting' and blocked_by is null"),
    )
    op.drop_index(
        "jobs_share",
        table_name="jobs",
        postgresql_where=sa.text("share_key is not null and state in ('scheduled', 'waiting')"),
    )
    op.drop_index(
        "jobs_limit_running",
        table_name="jobs",
        postgresql_where=sa.text("limit_key is not null and state = 'active'"),
    )
    op.drop_index(
        "jobs_limit_awake",
        table_name="jobs",
        postgresql_where=sa.text("limit_key is not null and state = 'waiting' and blocked_by is null"),
    )
    op.drop_index("jobs_flow", table_name="jobs", postgresql_where=sa.text("flow_id is not null"))
    op.drop_index("jobs_fingerprint", table_name="jobs", postgresql_where=sa.text("fingerprint is not null"))
    op.drop_index(
        "jobs_ended_badly", table_name="jobs", postgresql_where=sa.text("state in ('dead', 'cancelled')")
    )
    op.drop_index(
        "jobs_claimable",
        table_name="jobs",
        postgresql_where=sa.text("state = 'waiting' and blocked_by is null"),
    )
    op.drop_index(
        "jobs_blocked",
        table_name="jobs",
        postgresql_include=["queue", "state"],
        postgresql_where=sa.text("blocked_by is not null and state in ('scheduled', 'waiting')"),
    )
    op.drop_index("jobs_asked_by", table_name="jobs", postgresql_where=sa.text("asked_by is not null"))
    op.drop_index(
        "jobs_anyway", table_name="jobs", postgresql_where=sa.text("run_anyway and state = 'waiting'")
    )
    op.drop_index("jobs_finished", table_name="jobs", postgresql_where=sa.text("finished_at is not null"))
    op.create_index(
        op.f("jobs_finished"),
        "jobs",
        ["finished_at"],
        unique=False,
        postgresql_where="(finished_at IS NOT NULL)",
    )
    op.create_index(
        op.f("jobs_waiting"),
        "jobs",
        ["queue", "rank_at", "id"],
        unique=False,
        postgresql_where="((state)::text = 'waiting'::text)",
    )
    op.drop_column("jobs", "on_parent_failure")
    op.drop_column("jobs", "parents_left")
    op.drop_column("jobs", "step")
    op.drop_column("jobs", "flow_id")
    op.drop_column("jobs", "fingerprint")
    op.drop_column("jobs", "is_held")
    op.drop_column("jobs", "asked_by")
    op.drop_column("jobs", "frees_key")
    op.drop_column("jobs", "snoozes")
    op.drop_column("jobs", "secret")
    op.drop_column("jobs", "cancel_asked_at")
    op.drop_column("jobs", "run_anyway")
    op.drop_column("jobs", "blocked_by")
    op.drop_column("jobs", "limit_key")
    op.drop_column("jobs", "share_key")
    op.alter_column(
        "job_schedules",
        "fired_at",
        existing_type=postgresql.TIMESTAMP(timezone=True),
        server_default=sa.text("now()"),
        nullable=False,
    )
    op.drop_column("job_schedules", "made_by")
    op.drop_column("job_schedules", "args")
    op.drop_column("job_schedules", "kind")
    op.drop_column("job_schedules", "paused_at")
    op.drop_column("job_schedules", "zone")
    op.drop_column("job_schedules", "cron")
    op.drop_column("job_queues", "keep_days")
    op.drop_column("job_queues", "rate_burst")
    op.drop_column("job_queues", "rate_seconds")
    op.drop_column("job_queues", "rate_count")
    op.drop_column("job_queues", "max_running")
    op.drop_index("job_attempts_finished", table_name="job_attempts")
    op.drop_column("job_attempts", "fingerprint")
    op.drop_index(
        "email_messages_told",
        table_name="email_messages",
        postgresql_where=sa.text("sealed_mime is not null or facts <> '{}'"),
    )
    op.create_index(
        op.f("email_messages_kept"),
        "email_messages",
        ["created_at"],
        unique=False,
        postgresql_where="(sealed_mime IS NOT NULL)",
    )
    op.drop_index("accounts_sign_in_requests_mailbox", table_name="accounts_sign_in_requests")
    op.drop_column("accounts_sign_in_requests", "mailbox")
    op.drop_index(
        "accounts_people_domain", table_name="accounts_people", postgresql_ops={"domain": "text_pattern_ops"}
    )
    op.drop_index(
        "accounts_people_beginning",
        table_name="accounts_people",
        postgresql_ops={"email": "text_pattern_ops"},
    )
    op.drop_table("orders_former_addresses")
    op.drop_index("job_parents_parent", table_name="job_parents")
    op.drop_table("job_parents")
    op.drop_index("notices_deliveries_endpoint", table_name="notices_deliveries")
    op.drop_index("notices_deliveries_created", table_name="notices_deliveries")
    op.drop_table("notices_deliveries")
    op.drop_index("notices_unread", table_name="notices", postgresql_where=sa.text("read_at is null"))
    op.drop_index("notices_person", table_name="notices")
    op.drop_index("notices_created", table_name="notices")
    op.drop_table("notices")
    op.drop_index("exports_person", table_name="exports")
    op.drop_index("exports_expiry", table_name="exports")
    op.drop_table("exports")
    op.drop_table("accounts_idempotency_keys")
    op.drop_table("orders_truths")
    op.drop_table("notices_endpoints")
    op.drop_index("job_scalings_at", table_name="job_scalings")
    op.drop_table("job_scalings")
    op.drop_table("job_metrics")
    op.drop_table("job_metric_steps")
    op.drop_table("job_limits")
    op.drop_index(op.f("job_keys_until"), table_name="job_keys")
    op.drop_table("job_keys")
    op.drop_table("job_gates")
    op.drop_index("job_flows_open", table_name="job_flows", postgresql_where=sa.text("finished_at is null"))
    op.drop_index(
        "job_flows_finished", table_name="job_flows", postgresql_where=sa.text("finished_at is not null")
    )
    op.drop_index("job_flows_failed", table_name="job_flows", postgresql_where=sa.text("failed > 0"))
    op.drop_table("job_flows")
    op.drop_table("job_errors")
    op.drop_table("job_bulk_actions")
    op.drop_index(
        "job_alerts_over", table_name="job_alerts", postgresql_where=sa.text("resolved_at is not null")
    )
    op.drop_index("job_alerts_open", table_name="job_alerts", postgresql_where=sa.text("resolved_at is null"))
    op.drop_table("job_alerts")
    op.execute("delete from email_mutes where category = 'messages'")
    op.drop_constraint(op.f("email_mutes_category_check"), "email_mutes")
    op.create_check_constraint(
        op.f("email_mutes_category_check"),
        "email_mutes",
        "category in ('account', 'receipts', 'progress', 'reminders', 'links', 'reviews', 'alarms')",
    )
    op.execute("update orders_articles set status = 'unpublished' where status = 'archived'")
    op.drop_constraint(op.f("orders_articles_articlestatus_check"), "orders_articles")
    op.create_check_constraint(
        op.f("orders_articles_articlestatus_check"),
        "orders_articles",
        "status in ('draft', 'published', 'unpublished')",
    )

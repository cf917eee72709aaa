"""The first tables

The rule of every migration here: the code that is running now must keep running on the schema that this
leaves behind. Add, backfill, switch, and remove in a later release. Locks are waited for 4 seconds at most.

Revision ID: 0001
Revises:
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "accounts_audit_entries",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column(
            "detail", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("accounts_audit_entries_pkey")),
    )
    op.create_index(
        "accounts_audit_entries_action",
        "accounts_audit_entries",
        ["action", "id"],
        unique=False,
        postgresql_ops={"action": "text_pattern_ops"},
    )
    op.create_index(
        "accounts_audit_entries_actor", "accounts_audit_entries", ["actor_id", "id"], unique=False
    )
    op.create_index(
        "accounts_audit_entries_subject", "accounts_audit_entries", ["subject", "id"], unique=False
    )
    op.create_table(
        "accounts_people",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column(
            "role",
            sa.Enum(
                "customer",
                "analyst",
                "editor",
                "admin",
                name="role",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            server_default="customer",
            nullable=False,
        ),
        sa.Column(
            "created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("disabled_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("erased_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("accounts_people_pkey")),
        sa.UniqueConstraint("email", name=op.f("accounts_people_email_key")),
    )
    op.create_index(
        "accounts_people_staff",
        "accounts_people",
        ["role"],
        unique=False,
        postgresql_where=sa.text("role <> 'customer'"),
    )
    op.create_table(
        "accounts_sign_in_requests",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("code_mac", sa.LargeBinary(), nullable=False),
        sa.Column("browser_hash", sa.LargeBinary(), nullable=True),
        sa.Column("network", sa.Text(), nullable=False),
        sa.Column(
            "intent", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column("attempts", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column(
            "created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("expires_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("consumed_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("superseded_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("accounts_sign_in_requests_pkey")),
        sa.UniqueConstraint("token_hash", name=op.f("accounts_sign_in_requests_token_hash_key")),
    )
    op.create_index(
        "accounts_sign_in_requests_browser",
        "accounts_sign_in_requests",
        ["browser_hash", "created_at"],
        unique=False,
    )
    op.create_index(
        "accounts_sign_in_requests_created", "accounts_sign_in_requests", ["created_at"], unique=False
    )
    op.create_index(
        "accounts_sign_in_requests_email", "accounts_sign_in_requests", ["email", "created_at"], unique=False
    )
    op.create_index(
        "accounts_sign_in_requests_network",
        "accounts_sign_in_requests",
        ["network", "created_at"],
        unique=False,
    )
    op.create_table(
        "email_events",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("letter_id", sa.Uuid(), nullable=True),
        sa.Column("payload", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "received",
                "processed",
                "ignored",
                name="eventstate",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            server_default="received",
            nullable=False,
        ),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column(
            "received_at",
            postgresql.TIMESTAMP(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("processed_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("email_events_pkey")),
    )
    op.create_index(
        "email_events_letter",
        "email_events",
        ["letter_id", "received_at"],
        unique=False,
        postgresql_where=sa.text("letter_id is not null"),
    )
    op.create_index("email_events_received", "email_events", ["received_at"], unique=False)
    op.create_table(
        "email_messages",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("to_address", sa.Text(), nullable=False),
        sa.Column("facts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("sealed_facts", sa.LargeBinary(), nullable=True),
        sa.Column("about", sa.Text(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("sealed_mime", sa.LargeBinary(), nullable=True),
        sa.Column(
            "state",
            sa.Enum(
                "queued",
                "sending",
                "sent",
                "unknown",
                "failed",
                "obsolete",
                "withheld",
                "delivered",
                "bounced",
                "complained",
                name="letterstate",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            server_default="queued",
            nullable=False,
        ),
        sa.Column("attempts", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("lost", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("claimed_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("sent_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("told_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("way", sa.Text(), nullable=True),
        sa.Column("provider_id", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("is_test", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("expires_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("correlation_id", sa.Text(), nullable=True),
        sa.Column(
            "created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("email_messages_pkey")),
        sa.UniqueConstraint("key", name=op.f("email_messages_key_key")),
    )
    op.create_index(
        "email_messages_about",
        "email_messages",
        ["about", "id"],
        unique=False,
        postgresql_where=sa.text("about is not null"),
    )
    op.create_index(
        "email_messages_address",
        "email_messages",
        ["to_address", "id"],
        unique=False,
        postgresql_ops={"to_address": "text_pattern_ops"},
    )
    op.create_index(
        "email_messages_kept",
        "email_messages",
        ["created_at"],
        unique=False,
        postgresql_where=sa.text("sealed_mime is not null"),
    )
    op.create_index(
        "email_messages_provider",
        "email_messages",
        ["provider_id"],
        unique=False,
        postgresql_where=sa.text("provider_id is not null"),
    )
    op.create_index("email_messages_state", "email_messages", ["state", "id"], unique=False)
    op.create_index(
        "email_messages_unsettled",
        "email_messages",
        ["claimed_at"],
        unique=False,
        postgresql_where=sa.text("state in ('sending', 'unknown')"),
    )
    op.create_table(
        "email_mutes",
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column(
            "category",
            sa.Enum(
                "account",
                "receipts",
                "progress",
                "reminders",
                "links",
                "reviews",
                "alarms",
                name="category",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column(
            "created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("address", "category", name=op.f("email_mutes_pkey")),
    )
    op.create_table(
        "email_suppressions",
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column(
            "reason",
            sa.Enum(
                "bounce",
                "complaint",
                name="suppressionreason",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("letter_id", sa.Uuid(), nullable=True),
        sa.Column(
            "created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("address", name=op.f("email_suppressions_pkey")),
    )
    op.create_index(
        "email_suppressions_address",
        "email_suppressions",
        ["address"],
        unique=False,
        postgresql_ops={"address": "text_pattern_ops"},
    )
    op.create_index(
        "email_suppressions_created", "email_suppressions", ["created_at", "address"], unique=False
    )
    op.create_table(
        "job_queues",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("paused_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("job_queues_pkey")),
    )
    op.create_table(
        "job_schedules",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("slot", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column(
            "fired_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("job_schedules_pkey")),
    )
    op.create_table(
        "job_workers",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.BigInteger(), nullable=False),
        sa.Column("queues", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("running", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("memory_bytes", sa.BigInteger(), nullable=True),
        sa.Column("is_draining", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column(
            "started_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column(
            "beat_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("job_workers_pkey")),
        postgresql_with={"fillfactor": "50"},
    )
    op.create_table(
        "jobs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("args", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "scheduled",
                "waiting",
                "active",
                "completed",
                "dead",
                "cancelled",
                name="jobstate",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            server_default="waiting",
            nullable=False,
        ),
        sa.Column("priority", sa.SmallInteger(), nullable=False),
        sa.Column("rank_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("run_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("attempt", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("max_attempts", sa.SmallInteger(), nullable=False),
        sa.Column("worker_id", sa.Uuid(), nullable=True),
        sa.Column("unique_key", sa.Text(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("correlation_id", sa.Text(), nullable=True),
        sa.Column("when_dead", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("done", sa.BigInteger(), nullable=True),
        sa.Column("total", sa.BigInteger(), nullable=True),
        sa.Column("words", sa.Text(), nullable=True),
        sa.Column("result", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column(
            "created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("started_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("finished_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("jobs_pkey")),
        postgresql_with={"fillfactor": "85"},
    )
    op.create_index(
        "jobs_active", "jobs", ["worker_id"], unique=False, postgresql_where=sa.text("state = 'active'")
    )
    op.create_index(
        "jobs_finished",
        "jobs",
        ["finished_at"],
        unique=False,
        postgresql_where=sa.text("finished_at is not null"),
    )
    op.create_index(
        "jobs_scheduled", "jobs", ["run_at"], unique=False, postgresql_where=sa.text("state = 'scheduled'")
    )
    op.create_index(
        "jobs_subject",
        "jobs",
        ["subject", "id"],
        unique=False,
        postgresql_where=sa.text("subject is not null"),
    )
    op.create_index(
        "jobs_unique",
        "jobs",
        ["unique_key"],
        unique=True,
        postgresql_where=sa.text("state in ('scheduled', 'waiting', 'active')"),
    )
    op.create_index(
        "jobs_waiting",
        "jobs",
        ["queue", "rank_at", "id"],
        unique=False,
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_table(
        "model_calls",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("attempt", sa.BigInteger(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("request_sha256", sa.Text(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "started",
                "ok",
                "failed",
                "unknown",
                name="callstate",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("error_kind", sa.Text(), nullable=True),
        sa.Column("once", sa.Text(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("reserved_cents", sa.Numeric(precision=14, scale=6), nullable=False),
        sa.Column("cost_cents", sa.Numeric(precision=14, scale=6), nullable=True),
        sa.Column("input_tokens", sa.BigInteger(), nullable=True),
        sa.Column("output_tokens", sa.BigInteger(), nullable=True),
        sa.Column("started_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("finished_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(state = 'started') = (finished_at IS NULL)", name=op.f("model_calls_finished_check")
        ),
        sa.CheckConstraint(
            "state = 'started' OR cost_cents IS NOT NULL", name=op.f("model_calls_cost_check")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("model_calls_pkey")),
    )
    op.create_index(
        "model_calls_kept",
        "model_calls",
        ["subject", "once"],
        unique=False,
        postgresql_where=sa.text("answer is not null"),
    )
    op.create_index(op.f("model_calls_started_at"), "model_calls", ["started_at"], unique=False)
    op.create_index(op.f("model_calls_subject_kind"), "model_calls", ["subject", "kind"], unique=False)
    op.create_index(
        "model_calls_under_way",
        "model_calls",
        ["started_at"],
        unique=False,
        postgresql_where=sa.text("state = 'started'"),
    )
    op.create_table(
        "orders_sites",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("niche", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("tagline", sa.Text(), nullable=False),
        sa.Column("about", sa.Text(), nullable=False),
        sa.Column("disclosure", sa.Text(), nullable=False),
        sa.Column("rel", sa.Text(), server_default="sponsored", nullable=False),
        sa.Column("max_links_per_article", sa.SmallInteger(), server_default="5", nullable=False),
        sa.Column("price_cents", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("article_price_cents", sa.BigInteger(), nullable=True),
        sa.Column("is_open", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("revision", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column(
            "created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column(
            "updated_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("orders_sites_pkey")),
        sa.UniqueConstraint("slug", name=op.f("orders_sites_slug_key")),
    )
    op.create_table(
        "payments_invoice_series",
        sa.Column("is_live", sa.Boolean(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "invoice",
                "credit_note",
                name="invoicekind",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("year", sa.SmallInteger(), nullable=False),
        sa.Column("last_number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("is_live", "kind", "year", name=op.f("payments_invoice_series_pkey")),
    )
    op.create_table(
        "payments_stripe_events",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("object_id", sa.Text(), nullable=True),
        sa.Column("api_version", sa.Text(), nullable=True),
        sa.Column("is_live", sa.Boolean(), nullable=False),
        sa.Column("payload", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "received",
                "processed",
                "ignored",
                "stranded",
                name="eventstate",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            server_default="received",
            nullable=False,
        ),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column(
            "received_at",
            postgresql.TIMESTAMP(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("processed_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("payments_stripe_events_pkey")),
    )
    op.create_index(
        "payments_stripe_events_open",
        "payments_stripe_events",
        ["received_at"],
        unique=False,
        postgresql_where=sa.text("state in ('received', 'stranded')"),
    )
    op.create_index(
        "payments_stripe_events_received", "payments_stripe_events", ["received_at"], unique=False
    )
    op.create_table(
        "accounts_passkeys",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("credential_id", sa.LargeBinary(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("sign_count", sa.BigInteger(), nullable=False),
        sa.Column(
            "transports",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'"),
            nullable=False,
        ),
        sa.Column(
            "created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("last_used_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["person_id"],
            ["accounts_people.id"],
            name=op.f("accounts_passkeys_person_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("accounts_passkeys_pkey")),
        sa.UniqueConstraint("credential_id", name=op.f("accounts_passkeys_credential_id_key")),
    )
    op.create_index("accounts_passkeys_person", "accounts_passkeys", ["person_id", "id"], unique=False)
    op.create_table(
        "accounts_sessions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("user_agent", sa.Text(), nullable=False),
        sa.Column("ip", sa.Text(), nullable=False),
        sa.Column(
            "created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column(
            "authenticated_at",
            postgresql.TIMESTAMP(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("is_pending", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column(
            "intent", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column(
            "last_seen_at",
            postgresql.TIMESTAMP(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("expires_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("revoked_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["person_id"],
            ["accounts_people.id"],
            name=op.f("accounts_sessions_person_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("accounts_sessions_pkey")),
        sa.UniqueConstraint("token_hash", name=op.f("accounts_sessions_token_hash_key")),
    )
    op.create_index("accounts_sessions_person", "accounts_sessions", ["person_id", "id"], unique=False)
    op.create_table(
        "accounts_tokens",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("scopes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("expires_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("last_used_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("revoked_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["person_id"],
            ["accounts_people.id"],
            name=op.f("accounts_tokens_person_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("accounts_tokens_pkey")),
        sa.UniqueConstraint("token_hash", name=op.f("accounts_tokens_token_hash_key")),
    )
    op.create_index("accounts_tokens_person", "accounts_tokens", ["person_id", "id"], unique=False)
    op.create_table(
        "job_attempts",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("attempt", sa.SmallInteger(), nullable=False),
        sa.Column("worker_id", sa.Uuid(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("traceback", sa.Text(), nullable=True),
        sa.Column("started_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column(
            "finished_at",
            postgresql.TIMESTAMP(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name=op.f("job_attempts_job_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("job_id", "attempt", name=op.f("job_attempts_pkey")),
    )
    op.create_table(
        "job_logs",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("attempt", sa.SmallInteger(), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("line", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name=op.f("job_logs_job_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("job_logs_pkey")),
    )
    op.create_index("job_logs_job", "job_logs", ["job_id", "id"], unique=False)
    op.create_table(
        "orders_articles",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("keyword", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "draft",
                "published",
                "unpublished",
                name="articlestatus",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            server_default="draft",
            nullable=False,
        ),
        sa.Column("price_cents", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("published_version_id", sa.Uuid(), nullable=True),
        sa.Column("published_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("word_count", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("link_count", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("placement_count", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("revision", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column(
            "created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column(
            "updated_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column(
            "search",
            postgresql.TSVECTOR(),
            sa.Computed(
                "setweight(to_tsvector('simple', title), 'A') || setweight(to_tsvector('simple', topic || ' ' || keyword), 'B') || setweight(to_tsvector('simple', summary), 'C')",
                persisted=True,
            ),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(["site_id"], ["orders_sites.id"], name=op.f("orders_articles_site_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("orders_articles_pkey")),
        sa.UniqueConstraint("site_id", "slug", name=op.f("orders_articles_site_id_slug_key")),
    )
    op.create_index(
        "orders_articles_catalogue",
        "orders_articles",
        ["published_at", "id"],
        unique=False,
        postgresql_where=sa.text("status = 'published'"),
    )
    op.create_index(
        "orders_articles_feed",
        "orders_articles",
        ["site_id", "published_at", "id"],
        unique=False,
        postgresql_where=sa.text("status = 'published'"),
    )
    op.create_index(
        "orders_articles_price",
        "orders_articles",
        ["price_cents", "id"],
        unique=False,
        postgresql_where=sa.text("status = 'published'"),
    )
    op.create_index(
        "orders_articles_search", "orders_articles", ["search"], unique=False, postgresql_using="gin"
    )
    op.create_index("orders_articles_site", "orders_articles", ["site_id", "id"], unique=False)
    op.create_table(
        "orders_denied_domains",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("by_id", sa.Uuid(), nullable=True),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["by_id"],
            ["accounts_people.id"],
            name=op.f("orders_denied_domains_by_id_fkey"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("orders_denied_domains_pkey")),
        sa.UniqueConstraint("domain", name=op.f("orders_denied_domains_domain_key")),
    )
    op.create_index(
        "orders_denied_domains_host",
        "orders_denied_domains",
        [sa.literal_column('reverse(domain COLLATE "C")')],
        unique=False,
    )
    op.create_table(
        "payments_billing_details",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("company", sa.Text(), server_default="", nullable=False),
        sa.Column("address", sa.Text(), server_default="", nullable=False),
        sa.Column("vat_id", sa.Text(), server_default="", nullable=False),
        sa.Column(
            "updated_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["person_id"],
            ["accounts_people.id"],
            name=op.f("payments_billing_details_person_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("person_id", name=op.f("payments_billing_details_pkey")),
    )
    op.create_table(
        "payments_checkouts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("attempt", sa.SmallInteger(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=True),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("amount_cents", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "new",
                "open",
                "pending",
                "paid",
                "failed",
                "expired",
                "mismatch",
                name="checkoutstate",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            server_default="new",
            nullable=False,
        ),
        sa.Column(
            "payment_state",
            sa.Enum(
                "paid",
                "refund_pending",
                "refunded",
                "partially_refunded",
                "disputed",
                "dispute_lost",
                "dispute_won",
                name="paymentstate",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=True,
        ),
        sa.Column("captured_cents", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("captured_currency", sa.Text(), nullable=True),
        sa.Column("refunded_cents", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("when_paid", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("when_moved", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("return_path", sa.Text(), nullable=False),
        sa.Column("cancel_path", sa.Text(), nullable=False),
        sa.Column("session_id", sa.Text(), nullable=True),
        sa.Column("session_url", sa.Text(), nullable=True),
        sa.Column("payment_intent_id", sa.Text(), nullable=True),
        sa.Column("charge_id", sa.Text(), nullable=True),
        sa.Column("receipt_url", sa.Text(), nullable=True),
        sa.Column("is_live", sa.Boolean(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column(
            "created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("expires_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("paid_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["person_id"],
            ["accounts_people.id"],
            name=op.f("payments_checkouts_person_id_fkey"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("payments_checkouts_pkey")),
        sa.UniqueConstraint("charge_id", name=op.f("payments_checkouts_charge_id_key")),
        sa.UniqueConstraint("payment_intent_id", name=op.f("payments_checkouts_payment_intent_id_key")),
        sa.UniqueConstraint("session_id", name=op.f("payments_checkouts_session_id_key")),
        sa.UniqueConstraint("subject", "attempt", name=op.f("payments_checkouts_subject_attempt_key")),
    )
    op.create_index(
        "payments_checkouts_open",
        "payments_checkouts",
        ["created_at"],
        unique=False,
        postgresql_where=sa.text("state in ('new', 'open', 'pending')"),
    )
    op.create_index(
        "payments_checkouts_paid",
        "payments_checkouts",
        ["paid_at"],
        unique=False,
        postgresql_where=sa.text("paid_at is not null"),
    )
    op.create_index("payments_checkouts_person", "payments_checkouts", ["person_id", "id"], unique=False)
    op.create_table(
        "accounts_passkey_challenges",
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("challenge", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["accounts_sessions.id"],
            name=op.f("accounts_passkey_challenges_session_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("session_id", name=op.f("accounts_passkey_challenges_pkey")),
    )
    op.create_table(
        "orders_drafts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("browser_hash", sa.LargeBinary(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=True),
        sa.Column(
            "product",
            sa.Enum(
                "backlink", "article", name="product", native_enum=False, create_constraint=True, length=24
            ),
            server_default="backlink",
            nullable=False,
        ),
        sa.Column("article_id", sa.Uuid(), nullable=True),
        sa.Column("site_id", sa.Uuid(), nullable=True),
        sa.Column("topic", sa.Text(), nullable=True),
        sa.Column("keyword", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("target_url", sa.Text(), nullable=False),
        sa.Column("anchor_text", sa.Text(), nullable=False),
        sa.Column("notes", sa.Text(), server_default="", nullable=False),
        sa.Column("checked_url", sa.Text(), nullable=True),
        sa.Column("target_problem", sa.Text(), nullable=True),
        sa.Column(
            "created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column(
            "updated_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("ordered_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.CheckConstraint(
            "case product when 'backlink' then article_id is not null and site_id is null and target_url <> '' else article_id is null and site_id is not null and topic is not null and target_url = '' end",
            name=op.f("orders_drafts_wish_check"),
        ),
        sa.ForeignKeyConstraint(
            ["article_id"], ["orders_articles.id"], name=op.f("orders_drafts_article_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["person_id"],
            ["accounts_people.id"],
            name=op.f("orders_drafts_person_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["site_id"], ["orders_sites.id"], name=op.f("orders_drafts_site_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("orders_drafts_pkey")),
    )
    op.create_index(
        "orders_drafts_person",
        "orders_drafts",
        ["person_id", "id"],
        unique=False,
        postgresql_where=sa.text("person_id is not null"),
    )
    op.create_index(
        "orders_drafts_stale",
        "orders_drafts",
        ["updated_at"],
        unique=False,
        postgresql_where=sa.text("ordered_at is null"),
    )
    op.create_table(
        "orders_prices",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("article_id", sa.Uuid(), nullable=True),
        sa.Column("price_cents", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("by_id", sa.Uuid(), nullable=True),
        sa.Column(
            "from_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["article_id"], ["orders_articles.id"], name=op.f("orders_prices_article_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["by_id"], ["accounts_people.id"], name=op.f("orders_prices_by_id_fkey"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["site_id"], ["orders_sites.id"], name=op.f("orders_prices_site_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("orders_prices_pkey")),
    )
    op.create_index(
        "orders_prices_article",
        "orders_prices",
        ["article_id", "id"],
        unique=False,
        postgresql_where=sa.text("article_id is not null"),
    )
    op.create_index(
        "orders_prices_site",
        "orders_prices",
        ["site_id", "id"],
        unique=False,
        postgresql_where=sa.text("article_id is null"),
    )
    op.create_table(
        "orders_versions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("article_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("markdown", sa.Text(), nullable=False),
        sa.Column("base_version_id", sa.Uuid(), nullable=True),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=True),
        sa.Column("generation", sa.BigInteger(), nullable=True),
        sa.Column("target_url", sa.Text(), nullable=True),
        sa.Column("anchor_text", sa.Text(), nullable=True),
        sa.Column("edit", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("qc", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("qc_attempts", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("is_qc_passed", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("needs_editor", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column(
            "created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["article_id"], ["orders_articles.id"], name=op.f("orders_versions_article_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["base_version_id"], ["orders_versions.id"], name=op.f("orders_versions_base_version_id_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("orders_versions_pkey")),
        sa.UniqueConstraint("article_id", "number", name=op.f("orders_versions_article_id_number_key")),
    )
    op.create_index(
        "orders_versions_order",
        "orders_versions",
        ["order_id", "generation"],
        unique=False,
        postgresql_where=sa.text("order_id is not null"),
    )
    op.create_table(
        "payments_differences",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("stripe_id", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("checkout_id", sa.Uuid(), nullable=True),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column(
            "found_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column(
            "seen_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("gone_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("understood_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("understood_by", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["checkout_id"], ["payments_checkouts.id"], name=op.f("payments_differences_checkout_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["understood_by"],
            ["accounts_people.id"],
            name=op.f("payments_differences_understood_by_fkey"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("payments_differences_pkey")),
        sa.UniqueConstraint("stripe_id", "what", name=op.f("payments_differences_stripe_id_what_key")),
    )
    op.create_index("payments_differences_found", "payments_differences", ["found_at", "id"], unique=False)
    op.create_index(
        "payments_differences_open",
        "payments_differences",
        ["found_at"],
        unique=False,
        postgresql_where=sa.text("gone_at is null and understood_at is null"),
    )
    op.create_table(
        "payments_disputes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("checkout_id", sa.Uuid(), nullable=False),
        sa.Column("stripe_id", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("amount_cents", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column(
            "opened_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("closed_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["checkout_id"], ["payments_checkouts.id"], name=op.f("payments_disputes_checkout_id_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("payments_disputes_pkey")),
        sa.UniqueConstraint("stripe_id", name=op.f("payments_disputes_stripe_id_key")),
    )
    op.create_index(op.f("payments_disputes_checkout_id"), "payments_disputes", ["checkout_id"], unique=False)
    op.create_index(
        "payments_disputes_lost",
        "payments_disputes",
        ["closed_at"],
        unique=False,
        postgresql_where=sa.text("status = 'lost'"),
    )
    op.create_table(
        "payments_refund_requests",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("checkout_id", sa.Uuid(), nullable=False),
        sa.Column("deed", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("seen", sa.Uuid(), nullable=True),
        sa.Column("amount_cents", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "waiting",
                "confirmed",
                "declined",
                name="requeststate",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            server_default="waiting",
            nullable=False,
        ),
        sa.Column("asked_by", sa.Uuid(), nullable=False),
        sa.Column(
            "asked_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("decided_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("decision", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "decided_by is distinct from asked_by", name=op.f("payments_refund_requests_second_person_check")
        ),
        sa.ForeignKeyConstraint(
            ["asked_by"], ["accounts_people.id"], name=op.f("payments_refund_requests_asked_by_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["checkout_id"], ["payments_checkouts.id"], name=op.f("payments_refund_requests_checkout_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["decided_by"], ["accounts_people.id"], name=op.f("payments_refund_requests_decided_by_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("payments_refund_requests_pkey")),
    )
    op.create_index(
        "payments_refund_requests_checkout",
        "payments_refund_requests",
        ["checkout_id", "asked_at"],
        unique=False,
    )
    op.create_index(
        "payments_refund_requests_waiting",
        "payments_refund_requests",
        ["checkout_id"],
        unique=True,
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_table(
        "payments_refunds",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("checkout_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("amount_cents", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "asked",
                "pending",
                "succeeded",
                "failed",
                name="refundstate",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            server_default="asked",
            nullable=False,
        ),
        sa.Column("attempt", sa.SmallInteger(), server_default="1", nullable=False),
        sa.Column("stripe_id", sa.Text(), nullable=True),
        sa.Column("asked_by", sa.Uuid(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column(
            "created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("settled_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["checkout_id"], ["payments_checkouts.id"], name=op.f("payments_refunds_checkout_id_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("payments_refunds_pkey")),
        sa.UniqueConstraint("checkout_id", "kind", name=op.f("payments_refunds_checkout_id_kind_key")),
        sa.UniqueConstraint("stripe_id", name=op.f("payments_refunds_stripe_id_key")),
    )
    op.create_index(
        "payments_refunds_given",
        "payments_refunds",
        ["settled_at"],
        unique=False,
        postgresql_where=sa.text("state = 'succeeded'"),
    )
    op.create_index(
        "payments_refunds_open",
        "payments_refunds",
        ["created_at"],
        unique=False,
        postgresql_where=sa.text("state in ('asked', 'pending', 'failed')"),
    )
    op.create_table(
        "orders",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), sa.Identity(always=False, start=1001), nullable=False),
        sa.Column(
            "product",
            sa.Enum(
                "backlink", "article", name="product", native_enum=False, create_constraint=True, length=24
            ),
            server_default="backlink",
            nullable=False,
        ),
        sa.Column("draft_id", sa.Uuid(), nullable=False),
        sa.Column("checkout_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("article_id", sa.Uuid(), nullable=False),
        sa.Column("target_url", sa.Text(), nullable=False),
        sa.Column("anchor_text", sa.Text(), nullable=False),
        sa.Column("notes", sa.Text(), nullable=False),
        sa.Column("amount_cents", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("is_test", sa.Boolean(), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "PROCESSING",
                "QUALITY_CHECK",
                "ADMIN_REVIEW",
                "COMPLETED",
                "FAILED",
                name="orderstatus",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            server_default="PROCESSING",
            nullable=False,
        ),
        sa.Column(
            "payment_state",
            sa.Enum(
                "paid",
                "refund_pending",
                "refunded",
                "partially_refunded",
                "disputed",
                "dispute_lost",
                "dispute_won",
                name="paymentstate",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            server_default="paid",
            nullable=False,
        ),
        sa.Column(
            "fail_reason",
            sa.Enum(
                "generation",
                "rejected",
                "cancelled",
                "undecided",
                "article_gone",
                "dispute",
                "refunded",
                name="failreason",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=True,
        ),
        sa.Column("generation", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("version_id", sa.Uuid(), nullable=True),
        sa.Column("submitted_version_id", sa.Uuid(), nullable=True),
        sa.Column("published_version_id", sa.Uuid(), nullable=True),
        sa.Column("editor_words", sa.Text(), nullable=True),
        sa.Column("review_due_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("promised_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("promise_broken_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("ready_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("submitted_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("completed_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column(
            "link_state",
            sa.Enum(
                "in_place",
                "doubted",
                "lost",
                "stuck",
                "repaired",
                name="linkstate",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=True,
        ),
        sa.Column("link_problem", sa.Text(), nullable=True),
        sa.Column("link_checked_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("link_due_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("link_lost_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column(
            "created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column(
            "updated_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.CheckConstraint(
            "(product = 'backlink') = (target_url <> '') and (product = 'backlink') = (anchor_text <> '')",
            name=op.f("orders_wish_check"),
        ),
        sa.ForeignKeyConstraint(["article_id"], ["orders_articles.id"], name=op.f("orders_article_id_fkey")),
        sa.ForeignKeyConstraint(
            ["checkout_id"], ["payments_checkouts.id"], name=op.f("orders_checkout_id_fkey")
        ),
        sa.ForeignKeyConstraint(["draft_id"], ["orders_drafts.id"], name=op.f("orders_draft_id_fkey")),
        sa.ForeignKeyConstraint(["person_id"], ["accounts_people.id"], name=op.f("orders_person_id_fkey")),
        sa.ForeignKeyConstraint(
            ["published_version_id"], ["orders_versions.id"], name=op.f("orders_published_version_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["submitted_version_id"], ["orders_versions.id"], name=op.f("orders_submitted_version_id_fkey")
        ),
        sa.ForeignKeyConstraint(["version_id"], ["orders_versions.id"], name=op.f("orders_version_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("orders_pkey")),
        sa.UniqueConstraint("checkout_id", name=op.f("orders_checkout_id_key")),
        sa.UniqueConstraint("draft_id", name=op.f("orders_draft_id_key")),
        sa.UniqueConstraint("number", name=op.f("orders_number_key")),
    )
    op.create_index("orders_article", "orders", ["article_id"], unique=False)
    op.create_index(
        "orders_link_due",
        "orders",
        [sa.literal_column("coalesce(link_due_at, completed_at)")],
        unique=False,
        postgresql_where=sa.text("status = 'COMPLETED'"),
    )
    op.create_index(
        "orders_link_missing",
        "orders",
        ["link_lost_at"],
        unique=False,
        postgresql_where=sa.text("link_lost_at is not null"),
    )
    op.create_index("orders_live", "orders", ["is_test", "id"], unique=False)
    op.create_index(
        "orders_money",
        "orders",
        ["payment_state", "id"],
        unique=False,
        postgresql_where=sa.text("payment_state <> 'paid'"),
    )
    op.create_index("orders_person", "orders", ["person_id", "id"], unique=False)
    op.create_index(
        "orders_promise",
        "orders",
        ["promised_at"],
        unique=False,
        postgresql_where=sa.text("status = 'PROCESSING'"),
    )
    op.create_index(
        "orders_review_due",
        "orders",
        ["review_due_at"],
        unique=False,
        postgresql_where=sa.text("status = 'QUALITY_CHECK'"),
    )
    op.create_index(
        "orders_review_queue",
        "orders",
        ["submitted_at", "id"],
        unique=False,
        postgresql_where=sa.text("status = 'ADMIN_REVIEW'"),
    )
    op.create_index("orders_status", "orders", ["status", "id"], unique=False)
    op.create_index(
        "orders_target_host",
        "orders",
        [
            sa.literal_column(
                "reverse(lower(split_part(split_part(target_url, '/', 3), ':', 1)) COLLATE \"C\")"
            )
        ],
        unique=False,
    )
    op.create_table(
        "orders_commissions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("article_id", sa.Uuid(), nullable=False),
        sa.Column("by_id", sa.Uuid(), nullable=True),
        sa.Column("notes", sa.Text(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=True),
        sa.Column("version_id", sa.Uuid(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column(
            "created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("finished_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["article_id"], ["orders_articles.id"], name=op.f("orders_commissions_article_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["by_id"], ["accounts_people.id"], name=op.f("orders_commissions_by_id_fkey"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["site_id"], ["orders_sites.id"], name=op.f("orders_commissions_site_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["version_id"], ["orders_versions.id"], name=op.f("orders_commissions_version_id_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("orders_commissions_pkey")),
        sa.UniqueConstraint("article_id", name=op.f("orders_commissions_article_id_key")),
    )
    op.create_index("orders_commissions_site", "orders_commissions", ["site_id", "id"], unique=False)
    op.create_table(
        "payments_invoices",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("checkout_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=True),
        sa.Column("refund_id", sa.Uuid(), nullable=True),
        sa.Column("attempt", sa.SmallInteger(), nullable=True),
        sa.Column(
            "kind",
            sa.Enum(
                "invoice",
                "credit_note",
                name="invoicekind",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("is_live", sa.Boolean(), nullable=False),
        sa.Column("year", sa.SmallInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("amount_cents", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("issued_at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("frozen_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("seller", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("billed_to", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("cancelled_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["checkout_id"], ["payments_checkouts.id"], name=op.f("payments_invoices_checkout_id_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["person_id"],
            ["accounts_people.id"],
            name=op.f("payments_invoices_person_id_fkey"),
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["refund_id"], ["payments_refunds.id"], name=op.f("payments_invoices_refund_id_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("payments_invoices_pkey")),
        sa.UniqueConstraint(
            "is_live", "kind", "year", "number", name=op.f("payments_invoices_is_live_kind_year_number_key")
        ),
    )
    op.create_index("payments_invoices_checkout", "payments_invoices", ["checkout_id", "id"], unique=False)
    op.create_index(
        "payments_invoices_paid",
        "payments_invoices",
        ["checkout_id"],
        unique=True,
        postgresql_where=sa.text("kind = 'invoice'"),
    )
    op.create_index("payments_invoices_person", "payments_invoices", ["person_id", "id"], unique=False)
    op.create_index(
        "payments_invoices_refunded",
        "payments_invoices",
        ["refund_id", "attempt"],
        unique=True,
        postgresql_where=sa.text("refund_id is not null"),
    )
    op.create_table(
        "orders_generations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "active",
                "done",
                "failed",
                "cancelled",
                name="generationstate",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            server_default="active",
            nullable=False,
        ),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("job_id", sa.Uuid(), nullable=True),
        sa.Column("base_version_id", sa.Uuid(), nullable=True),
        sa.Column("version_id", sa.Uuid(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("started_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column(
            "created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("finished_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["base_version_id"], ["orders_versions.id"], name=op.f("orders_generations_base_version_id_fkey")
        ),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("orders_generations_order_id_fkey")),
        sa.ForeignKeyConstraint(
            ["version_id"], ["orders_versions.id"], name=op.f("orders_generations_version_id_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("orders_generations_pkey")),
        sa.UniqueConstraint("order_id", "number", name=op.f("orders_generations_order_id_number_key")),
    )
    op.create_index(
        "orders_generations_active",
        "orders_generations",
        ["order_id"],
        unique=True,
        postgresql_where=sa.text("state = 'active'"),
    )
    op.create_table(
        "orders_link_checks",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("is_ok", sa.Boolean(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("found", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("orders_link_checks_order_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("orders_link_checks_pkey")),
    )
    op.create_index("orders_link_checks_order", "orders_link_checks", ["order_id", "id"], unique=False)
    op.create_table(
        "orders_messages",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column(
            "side",
            sa.Enum("customer", "editor", name="side", native_enum=False, create_constraint=True, length=24),
            nullable=False,
        ),
        sa.Column("author_id", sa.Uuid(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("read_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["author_id"], ["accounts_people.id"], name=op.f("orders_messages_author_id_fkey")
        ),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("orders_messages_order_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("orders_messages_pkey")),
    )
    op.create_index("orders_messages_order", "orders_messages", ["order_id", "id"], unique=False)
    op.create_index(
        "orders_messages_unread",
        "orders_messages",
        ["order_id", "side"],
        unique=False,
        postgresql_where=sa.text("read_at is null"),
    )
    op.create_index(
        "orders_messages_waiting",
        "orders_messages",
        ["at"],
        unique=False,
        postgresql_where=sa.text("read_at is null and side = 'customer'"),
    )
    op.create_table(
        "orders_transitions",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("order_id", sa.Uuid(), nullable=False),
        sa.Column(
            "from_status",
            sa.Enum(
                "PROCESSING",
                "QUALITY_CHECK",
                "ADMIN_REVIEW",
                "COMPLETED",
                "FAILED",
                name="orderstatus",
                native_enum=False,
                length=24,
            ),
            nullable=True,
        ),
        sa.Column(
            "to_status",
            sa.Enum(
                "PROCESSING",
                "QUALITY_CHECK",
                "ADMIN_REVIEW",
                "COMPLETED",
                "FAILED",
                name="orderstatus",
                native_enum=False,
                create_constraint=True,
                length=24,
            ),
            nullable=False,
        ),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("orders_transitions_order_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("orders_transitions_pkey")),
    )
    op.create_index("orders_transitions_order", "orders_transitions", ["order_id", "id"], unique=False)
    # The two references that go round in a circle: an article's published version, a version's order.
    op.create_foreign_key(
        "orders_articles_published_version_id_fkey",
        "orders_articles",
        "orders_versions",
        ["published_version_id"],
        ["id"],
    )
    op.create_foreign_key("orders_versions_order_id_fkey", "orders_versions", "orders", ["order_id"], ["id"])
    # The audit log is only ever added to. Whoever may switch triggers off can still be seen by its chain of digests.
    op.execute(
        "create function accounts_audit_entries_are_never_changed() returns trigger language plpgsql as"
        " $$ begin raise exception 'the audit log is only ever added to' using errcode = 'restrict_violation'; end $$"
    )
    op.execute(
        "create trigger never_changed before update or delete on accounts_audit_entries"
        " for each row execute function accounts_audit_entries_are_never_changed()"
    )
    op.execute(
        "create trigger never_emptied before truncate on accounts_audit_entries"
        " for each statement execute function accounts_audit_entries_are_never_changed()"
    )


def downgrade() -> None:
    op.drop_constraint("orders_articles_published_version_id_fkey", "orders_articles")
    op.drop_constraint("orders_versions_order_id_fkey", "orders_versions")
    op.drop_index("orders_transitions_order", table_name="orders_transitions")
    op.drop_table("orders_transitions")
    op.drop_index(
        "orders_messages_waiting",
        table_name="orders_messages",
        postgresql_where=sa.text("read_at is null and side = 'customer'"),
    )
    op.drop_index(
        "orders_messages_unread", table_name="orders_messages", postgresql_where=sa.text("read_at is null")
    )
    op.drop_index("orders_messages_order", table_name="orders_messages")
    op.drop_table("orders_messages")
    op.drop_index("orders_link_checks_order", table_name="orders_link_checks")
    op.drop_table("orders_link_checks")
    op.drop_index(
        "orders_generations_active",
        table_name="orders_generations",
        postgresql_where=sa.text("state = 'active'"),
    )
    op.drop_table("orders_generations")
    op.drop_index(
        "payments_invoices_refunded",
        table_name="payments_invoices",
        postgresql_where=sa.text("refund_id is not null"),
    )
    op.drop_index("payments_invoices_person", table_name="payments_invoices")
    op.drop_index(
        "payments_invoices_paid", table_name="payments_invoices", postgresql_where=sa.text("kind = 'invoice'")
    )
    op.drop_index("payments_invoices_checkout", table_name="payments_invoices")
    op.drop_table("payments_invoices")
    op.drop_index("orders_commissions_site", table_name="orders_commissions")
    op.drop_table("orders_commissions")
    op.drop_index("orders_target_host", table_name="orders")
    op.drop_index("orders_status", table_name="orders")
    op.drop_index(
        "orders_review_queue", table_name="orders", postgresql_where=sa.text("status = 'ADMIN_REVIEW'")
    )
    op.drop_index(
        "orders_review_due", table_name="orders", postgresql_where=sa.text("status = 'QUALITY_CHECK'")
    )
    op.drop_index("orders_promise", table_name="orders", postgresql_where=sa.text("status = 'PROCESSING'"))
    op.drop_index("orders_person", table_name="orders")
    op.drop_index("orders_money", table_name="orders", postgresql_where=sa.text("payment_state <> 'paid'"))
    op.drop_index("orders_live", table_name="orders")
    op.drop_index(
        "orders_link_missing", table_name="orders", postgresql_where=sa.text("link_lost_at is not null")
    )
    op.drop_index("orders_link_due", table_name="orders", postgresql_where=sa.text("status = 'COMPLETED'"))
    op.drop_index("orders_article", table_name="orders")
    op.drop_table("orders")
    op.drop_index(
        "payments_refunds_open",
        table_name="payments_refunds",
        postgresql_where=sa.text("state in ('asked', 'pending', 'failed')"),
    )
    op.drop_index(
        "payments_refunds_given",
        table_name="payments_refunds",
        postgresql_where=sa.text("state = 'succeeded'"),
    )
    op.drop_table("payments_refunds")
    op.drop_index(
        "payments_refund_requests_waiting",
        table_name="payments_refund_requests",
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.drop_index("payments_refund_requests_checkout", table_name="payments_refund_requests")
    op.drop_table("payments_refund_requests")
    op.drop_index(
        "payments_disputes_lost", table_name="payments_disputes", postgresql_where=sa.text("status = 'lost'")
    )
    op.drop_index(op.f("payments_disputes_checkout_id"), table_name="payments_disputes")
    op.drop_table("payments_disputes")
    op.drop_index(
        "payments_differences_open",
        table_name="payments_differences",
        postgresql_where=sa.text("gone_at is null and understood_at is null"),
    )
    op.drop_index("payments_differences_found", table_name="payments_differences")
    op.drop_table("payments_differences")
    op.drop_index(
        "orders_versions_order",
        table_name="orders_versions",
        postgresql_where=sa.text("order_id is not null"),
    )
    op.drop_table("orders_versions")
    op.drop_index(
        "orders_prices_site", table_name="orders_prices", postgresql_where=sa.text("article_id is null")
    )
    op.drop_index(
        "orders_prices_article",
        table_name="orders_prices",
        postgresql_where=sa.text("article_id is not null"),
    )
    op.drop_table("orders_prices")
    op.drop_index(
        "orders_drafts_stale", table_name="orders_drafts", postgresql_where=sa.text("ordered_at is null")
    )
    op.drop_index(
        "orders_drafts_person", table_name="orders_drafts", postgresql_where=sa.text("person_id is not null")
    )
    op.drop_table("orders_drafts")
    op.drop_table("accounts_passkey_challenges")
    op.drop_index("payments_checkouts_person", table_name="payments_checkouts")
    op.drop_index(
        "payments_checkouts_paid",
        table_name="payments_checkouts",
        postgresql_where=sa.text("paid_at is not null"),
    )
    op.drop_index(
        "payments_checkouts_open",
        table_name="payments_checkouts",
        postgresql_where=sa.text("state in ('new', 'open', 'pending')"),
    )
    op.drop_table("payments_checkouts")
    op.drop_table("payments_billing_details")
    op.drop_index("orders_denied_domains_host", table_name="orders_denied_domains")
    op.drop_table("orders_denied_domains")
    op.drop_index("orders_articles_site", table_name="orders_articles")
    op.drop_index("orders_articles_search", table_name="orders_articles", postgresql_using="gin")
    op.drop_index(
        "orders_articles_price",
        table_name="orders_articles",
        postgresql_where=sa.text("status = 'published'"),
    )
    op.drop_index(
        "orders_articles_feed", table_name="orders_articles", postgresql_where=sa.text("status = 'published'")
    )
    op.drop_index(
        "orders_articles_catalogue",
        table_name="orders_articles",
        postgresql_where=sa.text("status = 'published'"),
    )
    op.drop_table("orders_articles")
    op.drop_index("job_logs_job", table_name="job_logs")
    op.drop_table("job_logs")
    op.drop_table("job_attempts")
    op.drop_index("accounts_tokens_person", table_name="accounts_tokens")
    op.drop_table("accounts_tokens")
    op.drop_index("accounts_sessions_person", table_name="accounts_sessions")
    op.drop_table("accounts_sessions")
    op.drop_index("accounts_passkeys_person", table_name="accounts_passkeys")
    op.drop_table("accounts_passkeys")
    op.drop_index("payments_stripe_events_received", table_name="payments_stripe_events")
    op.drop_index(
        "payments_stripe_events_open",
        table_name="payments_stripe_events",
        postgresql_where=sa.text("state in ('received', 'stranded')"),
    )
    op.drop_table("payments_stripe_events")
    op.drop_table("payments_invoice_series")
    op.drop_table("orders_sites")
    op.drop_index(
        "model_calls_under_way", table_name="model_calls", postgresql_where=sa.text("state = 'started'")
    )
    op.drop_index(op.f("model_calls_subject_kind"), table_name="model_calls")
    op.drop_index(op.f("model_calls_started_at"), table_name="model_calls")
    op.drop_index(
        "model_calls_kept", table_name="model_calls", postgresql_where=sa.text("answer is not null")
    )
    op.drop_table("model_calls")
    op.drop_index("jobs_waiting", table_name="jobs", postgresql_where=sa.text("state = 'waiting'"))
    op.drop_index(
        "jobs_unique",
        table_name="jobs",
        postgresql_where=sa.text("state in ('scheduled', 'waiting', 'active')"),
    )
    op.drop_index("jobs_subject", table_name="jobs", postgresql_where=sa.text("subject is not null"))
    op.drop_index("jobs_scheduled", table_name="jobs", postgresql_where=sa.text("state = 'scheduled'"))
    op.drop_index("jobs_finished", table_name="jobs", postgresql_where=sa.text("finished_at is not null"))
    op.drop_index("jobs_active", table_name="jobs", postgresql_where=sa.text("state = 'active'"))
    op.drop_table("jobs")
    op.drop_table("job_workers")
    op.drop_table("job_schedules")
    op.drop_table("job_queues")
    op.drop_index("email_suppressions_created", table_name="email_suppressions")
    op.drop_index(
        "email_suppressions_address",
        table_name="email_suppressions",
        postgresql_ops={"address": "text_pattern_ops"},
    )
    op.drop_table("email_suppressions")
    op.drop_table("email_mutes")
    op.drop_index(
        "email_messages_unsettled",
        table_name="email_messages",
        postgresql_where=sa.text("state in ('sending', 'unknown')"),
    )
    op.drop_index("email_messages_state", table_name="email_messages")
    op.drop_index(
        "email_messages_provider",
        table_name="email_messages",
        postgresql_where=sa.text("provider_id is not null"),
    )
    op.drop_index(
        "email_messages_kept",
        table_name="email_messages",
        postgresql_where=sa.text("sealed_mime is not null"),
    )
    op.drop_index(
        "email_messages_address",
        table_name="email_messages",
        postgresql_ops={"to_address": "text_pattern_ops"},
    )
    op.drop_index(
        "email_messages_about", table_name="email_messages", postgresql_where=sa.text("about is not null")
    )
    op.drop_table("email_messages")
    op.drop_index("email_events_received", table_name="email_events")
    op.drop_index(
        "email_events_letter", table_name="email_events", postgresql_where=sa.text("letter_id is not null")
    )
    op.drop_table("email_events")
    op.drop_index("accounts_sign_in_requests_network", table_name="accounts_sign_in_requests")
    op.drop_index("accounts_sign_in_requests_email", table_name="accounts_sign_in_requests")
    op.drop_index("accounts_sign_in_requests_created", table_name="accounts_sign_in_requests")
    op.drop_index("accounts_sign_in_requests_browser", table_name="accounts_sign_in_requests")
    op.drop_table("accounts_sign_in_requests")
    op.drop_index(
        "accounts_people_staff", table_name="accounts_people", postgresql_where=sa.text("role <> 'customer'")
    )
    op.drop_table("accounts_people")
    op.drop_index("accounts_audit_entries_subject", table_name="accounts_audit_entries")
    op.drop_index("accounts_audit_entries_actor", table_name="accounts_audit_entries")
    op.drop_index(
        "accounts_audit_entries_action",
        table_name="accounts_audit_entries",
        postgresql_ops={"action": "text_pattern_ops"},
    )
    op.drop_table("accounts_audit_entries")
    op.execute("drop function accounts_audit_entries_are_never_changed()")

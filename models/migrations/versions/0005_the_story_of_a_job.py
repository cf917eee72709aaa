"""When a job was put off, which bulk actions met it, which calls to models it made, and how each kind of them does

The rule of every migration here: the code that is running now must keep running on the schema that this
leaves behind. Tables of which it knows nothing, and a column that may be empty.

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_MOMENT = postgresql.TIMESTAMP(timezone=True)
_KINDS = (("job_kind_minutes", "minute"), ("job_kind_hours", "at"))


def upgrade() -> None:
    op.create_table(
        "job_snoozes",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("attempt", sa.SmallInteger(), nullable=False),
        sa.Column("times", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("first_at", _MOMENT, nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("until", _MOMENT, nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["job_id"], ["jobs.id"], name=op.f("job_snoozes_job_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("job_id", "attempt", name=op.f("job_snoozes_pkey")),
    )
    op.create_table(
        "job_bulk_chunks",
        sa.Column("bulk_id", sa.Uuid(), nullable=False),
        sa.Column("last_id", sa.Uuid(), nullable=False),
        sa.Column("job_ids", postgresql.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["bulk_id"],
            ["job_bulk_actions.id"],
            name=op.f("job_bulk_chunks_bulk_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("bulk_id", "last_id", name=op.f("job_bulk_chunks_pkey")),
    )
    for table, at in _KINDS:
        op.create_table(
            table,
            sa.Column(at, _MOMENT, nullable=False),
            sa.Column("kind", sa.Text(), nullable=False),
            *(
                sa.Column(name, sa.BigInteger(), server_default="0", nullable=False)
                for name in ("asked", "completed", "failed", "dead")
            ),
            sa.Column("waits", postgresql.ARRAY(sa.BigInteger()), nullable=False),
            sa.Column("runs", postgresql.ARRAY(sa.BigInteger()), nullable=False),
            sa.PrimaryKeyConstraint(at, "kind", name=op.f(f"{table}_pkey")),
        )
    op.add_column("model_calls", sa.Column("job_id", sa.Uuid(), nullable=True))
    is_known = sa.text("job_id is not null")
    op.create_index("model_calls_job", "model_calls", ["job_id"], postgresql_where=is_known)


def downgrade() -> None:
    op.drop_index("model_calls_job", table_name="model_calls")
    op.drop_column("model_calls", "job_id")
    for table, _ in reversed(_KINDS):
        op.drop_table(table)
    op.drop_table("job_bulk_chunks")
    op.drop_table("job_snoozes")

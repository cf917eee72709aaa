"""How many jobs begin under a limit, and how long it lets them wait

The rule of every migration here: the code that is running now must keep running on the schema that this
leaves behind. Columns that may be empty, and a table of its own.

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("held_at", postgresql.TIMESTAMP(timezone=True), nullable=True))
    op.add_column("jobs", sa.Column("woken_at", postgresql.TIMESTAMP(timezone=True), nullable=True))
    op.create_table(
        "job_limit_hours",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("at", postgresql.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("began", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("waited", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("wait_seconds", sa.Double(), server_default="0", nullable=False),
        sa.Column("longest_seconds", sa.Double(), server_default="0", nullable=False),
        sa.Column("silences", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("key", "at", name=op.f("job_limit_hours_pkey")),
        postgresql_with={"fillfactor": "50"},
    )


def downgrade() -> None:
    op.drop_table("job_limit_hours")
    op.drop_column("jobs", "woken_at")
    op.drop_column("jobs", "held_at")

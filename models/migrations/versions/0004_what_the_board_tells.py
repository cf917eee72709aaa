"""Since when a job is put off, a key is silent, a schedule skips its turn, and why a bulk action ended

The rule of every migration here: the code that is running now must keep running on the schema that this
leaves behind. Columns that may be empty; how busy tables are waited for stands in env.py.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_MOMENT = postgresql.TIMESTAMP(timezone=True)
_COLUMNS = (
    ("jobs", "crowded_at", _MOMENT),
    ("job_gates", "closed_at", _MOMENT),
    ("job_gates", "lowered_to", sa.BigInteger()),
    ("job_schedules", "skipped_at", _MOMENT),
    ("job_bulk_actions", "stopped_because", sa.Text()),
)


def upgrade() -> None:
    for table, name, kind in _COLUMNS:
        op.add_column(table, sa.Column(name, kind, nullable=True))
    op.create_index("notices_deliveries_state", "notices_deliveries", ["endpoint_id", "state", "id"])
    is_unsure = sa.text("state in ('started', 'unknown')")
    op.create_index("model_calls_unsure", "model_calls", ["started_at"], postgresql_where=is_unsure)


def downgrade() -> None:
    op.drop_index("model_calls_unsure", table_name="model_calls")
    op.drop_index("notices_deliveries_state", table_name="notices_deliveries")
    for table, name, _ in reversed(_COLUMNS):
        op.drop_column(table, name)

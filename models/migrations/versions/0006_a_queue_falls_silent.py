"""Until when a queue is silent, and which webhooks tell of alerts

The rule of every migration here: the code that is running now must keep running on the schema that this
leaves behind. Columns that may be empty, and an index of what is on its way to tell of alerts: a few rows at most.

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("job_queues", sa.Column("closed_until", postgresql.TIMESTAMP(timezone=True), nullable=True))
    op.add_column("job_queues", sa.Column("closed_by", sa.Uuid(), nullable=True))
    is_alarm = sa.text("state = 'waiting' and event in ('alert.raised', 'alert.ended')")
    op.create_index("notices_deliveries_alarms", "notices_deliveries", ["id"], postgresql_where=is_alarm)


def downgrade() -> None:
    op.drop_index("notices_deliveries_alarms", table_name="notices_deliveries")
    op.drop_column("job_queues", "closed_by")
    op.drop_column("job_queues", "closed_until")

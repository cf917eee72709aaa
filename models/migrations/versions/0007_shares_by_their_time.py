"""Jobs of a share by their time, so that those of next week are not counted today

The rule of every migration here: the code that is running now must keep running on the schema that this
leaves behind. An index in another one's place, of unfinished jobs alone.

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_OF_A_SHARE = sa.text("share_key is not null and state in ('scheduled', 'waiting')")


def upgrade() -> None:
    op.drop_index("jobs_share", table_name="jobs")
    op.create_index("jobs_share", "jobs", ["queue", "share_key", "run_at"], postgresql_where=_OF_A_SHARE)


def downgrade() -> None:
    op.drop_index("jobs_share", table_name="jobs")
    op.create_index("jobs_share", "jobs", ["queue", "share_key"], postgresql_where=_OF_A_SHARE)

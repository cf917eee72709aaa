"""The index of unique jobs holds only those that have a key

The rule of every migration here: the code that is running now must keep running on the schema that this
leaves behind. Code of the release before asks with `unique_key is not null`, which fits the index of before and this
one. Code that is older than 0002 does not: it must be gone before this is run.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _index("state in ('scheduled', 'waiting', 'active') and unique_key is not null")


def downgrade() -> None:
    _index("state in ('scheduled', 'waiting', 'active')")


def _index(which: str) -> None:
    # The whole lock at once: to ask for more of it later could meet a transaction that waits for the first part.
    op.execute("lock table jobs in access exclusive mode")
    op.drop_index("jobs_unique", table_name="jobs")
    op.create_index("jobs_unique", "jobs", ["unique_key"], unique=True, postgresql_where=sa.text(which))

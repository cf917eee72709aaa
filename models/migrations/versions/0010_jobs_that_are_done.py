"""The jobs that are done, by age: they are found among any number of younger ones that wait

And the addresses that the results of notifications had are gone: they outlived those who asked to be forgotten.

The rule of every migration here: the code that is running now must keep running on the schema that this
leaves behind.

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("update jobs set result = null where kind = 'notices.notification' and result ? 'inbox'")
    op.create_index("jobs_completed", "jobs", ["id"], postgresql_where=sa.text("state = 'completed'"))


def downgrade() -> None:
    op.drop_index("jobs_completed", table_name="jobs")

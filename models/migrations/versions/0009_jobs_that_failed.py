"""The jobs that failed, by age: what is searched for the words of an error

The rule of every migration here: the code that is running now must keep running on the schema that this
leaves behind. What never failed is not in the index.

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("jobs_failed", "jobs", ["id"], postgresql_where=sa.text("error is not null"))


def downgrade() -> None:
    op.drop_index("jobs_failed", table_name="jobs")

"""A person's jobs by state and kind, for those who have many

The rule of every migration here: the code that is running now must keep running on the schema that this
leaves behind. An index of the jobs that somebody asked for by name: the others are not in it.

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "jobs_of_a_person",
        "jobs",
        ["asked_by", "state", "kind", "id"],
        postgresql_where=sa.text("asked_by is not null"),
    )


def downgrade() -> None:
    op.drop_index("jobs_of_a_person", table_name="jobs")

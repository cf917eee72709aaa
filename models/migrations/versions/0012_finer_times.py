"""How long jobs waited and ran, told ten times finer; and which jobs were cancelled and do not stop

The rule of every migration here: the code that is running now must keep running on the schema that this
leaves behind. A column that may be empty. Histograms of 21 buckets become such of 67: each old bucket goes where its
middle lies. What the release before writes meanwhile is written anew by the next one, from the jobs themselves; until
it is gone itself, it tells wrong times.

Revision ID: 0012
Revises: 0011
"""

from bisect import bisect
from collections.abc import Sequence
from itertools import pairwise
from math import sqrt

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

TABLES = ("job_metrics", "job_metric_steps", "job_kind_minutes", "job_kind_hours")
OLD = (
    *(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5),
    *(1.0, 2.0, 5.0, 10.0, 20.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0),
)
TIMES = tuple(
    number * 10.0**power for power in range(-3, 4) for number in (1, 1.25, 1.6, 2, 2.5, 3.15, 4, 5, 6.3, 8)
)[:-3]
NEW = tuple(sqrt(low * high) for low, high in pairwise(TIMES))
OLD_MIDDLES = (0.0007, *(sqrt(low * high) for low, high in pairwise(OLD)), 3600.0)


def _convert(middles: Sequence[float], bounds: Sequence[float]) -> None:
    """Put each bucket, with its middle, into the one of the others that this falls into."""
    there = [bisect(bounds, middle) for middle in middles]
    for table in TABLES:
        arrays = []
        for column in ("waits", "runs"):
            places = (
                " + ".join(f"{column}[{old + 1}]" for old, place in enumerate(there) if place == new) or "0"
                for new in range(len(bounds) + 1)
            )
            arrays.append(f"{column} = array[{', '.join(places)}]::bigint[]")
        op.execute(f"update {table} set {', '.join(arrays)} where cardinality(waits) = {len(middles)}")  # noqa: S608


def upgrade() -> None:
    op.add_column("job_workers", sa.Column("lingering", postgresql.ARRAY(sa.Uuid()), nullable=True))
    _convert(OLD_MIDDLES, NEW)


def downgrade() -> None:
    _convert(TIMES, OLD)
    op.drop_column("job_workers", "lingering")

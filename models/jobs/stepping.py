"""Which queues or keys there are among many rows: found by one step into an index for each, not by reading all the rows.

PostgreSQL has no such plan of its own for `select distinct` (its wiki calls the emulation a "loose index scan").
"""

from typing import Final

#: What a claim may take. The index `jobs_claimable` has these rows, in the order of their queues.
CLAIMABLE: Final = "state = 'waiting' and blocked_by is null"
#: What has ended, as the index `jobs_finished` has it.
ENDED: Final = "finished_at is not null"
#: What waits for something else than a worker. The index `jobs_blocked` has these rows, in the order of what that is.
BLOCKED: Final = "blocked_by is not null and state in ('scheduled', 'waiting')"


def queues_with(which: str, *, name: str) -> str:
    """The recursive part `name (name)` of a query: each queue that has rows of which `which` is true, and one null.

    There must be an index on (queue, …) of exactly those rows.
    """
    return _steps("queue", which, name)


def limits_that_block(*, name: str) -> str:
    """The same for each limit that something waits for, as `limit/host/example.com`, then for what comes after them, and
    one null. Flows that are paused stand before them, and may be many: they are not stepped through.
    """
    return _steps("blocked_by", f"{BLOCKED} and blocked_by >= 'limit/'", name)


def _steps(column: str, which: str, name: str) -> str:
    return f"""{name} (name) as (
        (select {column} from jobs where {which} order by {column} limit 1)
         union all
        select (select {column} from jobs where {which} and {column} > {name}.name order by {column} limit 1)
          from {name} where {name}.name is not null)"""  # noqa: S608 - our own words, not a request's

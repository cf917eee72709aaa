"""A rate that is changed or lifted. What the old one has let through counts for the new one, in jobs: a gate keeps it in
seconds, of which each job took more or fewer.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from models.jobs.gates import LIMIT_OF_KEY

#: The rate of the gate `{gate}`, whose queue or key is `wanted`.
_RATE: Final = f"""
    select rate_count, rate_seconds, rate_burst from job_queues where {{gate}} = 'queue/' || name
     union all
    select rate_count, rate_seconds, rate_burst from ({LIMIT_OF_KEY}) of_key where starts_with({{gate}}, 'limit/')
"""  # noqa: S608 - our own words

#: In one order for everybody, so that two changes cannot wait for each other.
_TAKEN: Final = text(
    f"""
    select gate.name, coalesce(extract(epoch from gate.full_at - clock_timestamp())::float8
                               * lim.rate_count / lim.rate_seconds, 0) as taken
      from job_gates gate
     cross join lateral (select substr(gate.name, 7) as name) wanted
      left join lateral ({_RATE.format(gate="gate.name")}) lim on true
     where gate.full_at > clock_timestamp()
       and (gate.name = :gate or :gate like '%/*' and starts_with(gate.name, left(:gate, -1)))
     order by gate.name for update of gate
    """  # noqa: S608 - our own words
)

_KEEP: Final = text(
    f"""
    update job_gates gate
       set full_at = clock_timestamp() + interval '1 second' * coalesce(
                     least(kept.taken, lim.rate_burst) * lim.rate_seconds / lim.rate_count, 0)
      from unnest(cast(:names as text[]), cast(:taken as float8[])) as kept (name, taken)
     cross join lateral (select substr(kept.name, 7) as name) wanted
      left join lateral ({_RATE.format(gate="kept.name")}) lim on true
     where gate.name = kept.name
    """  # noqa: S608 - our own words
)


@asynccontextmanager
async def counted_on(session: AsyncSession, gate: str) -> AsyncIterator[None]:
    """What is decided inside about the rate of a gate, `queue/<name>`, `limit/<key>` or `limit/<kind>/*` for each of that
    kind, begins with the jobs that it has let through so far, with a whole burst of the new rate at most.
    """
    taken = (await session.execute(_TAKEN, {"gate": gate})).all()
    yield
    if taken:
        await session.flush()
        names, numbers = zip(*taken, strict=True)
        await session.execute(_KEEP, {"names": list(names), "taken": list(numbers)})

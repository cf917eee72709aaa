"""Forgetting finished jobs, so that a year of work costs what a week costs."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.db import changed
from models.base.errors import Invalid
from models.jobs.limits import must_be_as_seen
from models.jobs.queues import row_of
from models.jobs.stepping import ENDED, queues_with

LONGEST_DAYS: Final = 3650
#: Longer than anything has been kept.
EVER: Final = timedelta(days=36_500)

#: Dead jobs are kept: somebody has to look at them. So are those of a flow that goes on, or one of whose children may be
#: retried and ask for their results, and those that hold money and did not complete. Queues are stepped through by their
#: index, and the reach is what keeps their index from being walked over from its beginning, where whatever is kept piles up.
_FORGET = text(
    f"""
    with recursive {queues_with(ENDED, name="queues")},
    kept as (
        select queues.name, interval '1 day' * coalesce(
                   job_queues.keep_days, cast(cast(:by_queue as jsonb) ->> queues.name as int), :days) as age
          from queues left join job_queues using (name) where queues.name is not null)
    delete from jobs where id = any(array(
           select old.id
             from kept cross join lateral (
                  select id from jobs
                   where queue = kept.name and finished_at < now() - kept.age
                     and finished_at >= now() - kept.age - cast(:reach as interval)
                     and (state = 'completed' or state = 'cancelled' and not is_held)
                     and (flow_id is null
                          or not exists (select from job_flows flow where flow.id = flow_id and flow.finished_at is null)
                             and not exists (select from job_parents edge join jobs child on child.id = edge.child_id
                                              where edge.parent_id = jobs.id and child.state in ('dead', 'cancelled')))
                   order by finished_at limit :limit for update skip locked) old))
    returning 1
    """  # noqa: S608 - our own words, not a request's
)

_FORGET_FLOWS = text(
    """
    delete from job_flows where id = any(array(
           select id from job_flows flow
            where finished_at < now() - interval '1 day' and not exists (select from jobs where flow_id = flow.id)
            order by finished_at limit :limit for update skip locked))
    """
)


#: One that never came to its end has nobody any more who goes on with it.
_FORGET_BULK = text(
    "delete from job_bulk_actions where coalesce(finished_at, created_at) < now() - interval '90 days'"
)

#: Of limits that were removed nothing is told. Who counts right now is not waited for.
_FORGET_LIMIT_HOURS = text(
    """
    delete from job_limit_hours where (key, at) in (
           select key, at from job_limit_hours known
            where at < now() - interval '7 days' or not exists (select from job_limits where key = known.key)
              for update of known skip locked)
    """
)

#: What is known of an error is kept for as long as there is a job of it, and a while longer: it may come back.
_FORGET_ERRORS = text(
    """
    delete from job_errors known
     where understood_at < now() - interval '90 days'
       and not exists (select from jobs where fingerprint = known.fingerprint)
    """
)


async def forget_finished(
    session: AsyncSession,
    age: timedelta,
    by_queue: Mapping[str, int] | None = None,
    *,
    reach: timedelta = EVER,
    limit: int = 5000,
) -> int:
    """Delete up to `limit` jobs of each queue that completed or were cancelled longer ago than they are to be kept,
    and not longer than `reach` before that. Returns how many there were: if there were some, there may be more.

    An operator's word for a queue goes before `by_queue`, in days, and that before `age`.
    """
    kept = {"by_queue": orjson.dumps(by_queue or {}).decode(), "days": age.days}
    return len((await session.execute(_FORGET, kept | {"reach": reach, "limit": limit})).all())


async def forget_what_is_left(session: AsyncSession, limit: int = 5000) -> None:
    """Delete what is left when jobs are forgotten: their flows, what was done to many of them, notes on errors, and what
    was counted of limits.
    """
    await session.execute(_FORGET_FLOWS, {"limit": limit})
    await session.execute(_FORGET_BULK)
    await session.execute(_FORGET_ERRORS)
    await session.execute(_FORGET_LIMIT_HOURS)


def told(keep_days: int | None) -> str:
    """How long jobs are kept, in words."""
    return "as the installation is set up" if keep_days is None else f"{keep_days} days"


async def set_keep_days(
    session: AsyncSession, queue: str, days: int | None, *, seen: str | None = None
) -> None:
    """Keep the finished jobs of a queue for so many days; None as long as the code says.

    Raises `Invalid`, and `Conflict` if it is not any more what a person has `seen`, as `told` tells it.
    """
    if days is not None and not 1 <= days <= LONGEST_DAYS:
        raise Invalid({"keep_days": f"Choose from 1 to {LONGEST_DAYS} days, or leave it empty."})
    row = await row_of(session, queue)
    must_be_as_seen(told(row.keep_days), seen)
    row.keep_days = days
    changed(session, f"queue/{queue}")

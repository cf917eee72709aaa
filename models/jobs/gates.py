"""Claiming under limits: so many of a queue, or of a key, at once over all workers, and so many in a time.

Two kinds of gate. A limited queue is asked for room before anything is claimed from it. A job with a `limit_key`
is claimed like any other, and then let through or parked: `blocked_by` takes it, and those behind it, out of the
index that claiming walks, until `wake` finds room. Whoever counts holds the gate's advisory lock, and counts in a
later statement than the one that waited for it: a statement that waits sees the world as it was before.

Rates are GCRA (ITU-T I.371): one time per gate, at which the whole burst would be free again. Nothing here is on the
way of queues and jobs without limits.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import asyncpg

from models.base.crash_points import crash_point
from models.jobs.stepping import limits_that_block
from models.jobs.store import CLAIM_ANYWAY, CLAIM_GATED, Claim, Store, claims_of

#: How many jobs of a full key are parked, or woken, by one statement.
AT_ONCE: Final = 1000
#: After a 429 and its silence, half as many jobs of the key run at once as before; in each such time without another
#: 429 twice as many again, and after `FREE_AGAIN` as many as its limit says.
ROOM_AGAIN: Final = "interval '1 minute'"
FREE_AGAIN: Final = "interval '10 minutes'"

GATED: Final = """
select name from job_queues
 where name = any($1::text[]) and (paused_at is not null or max_running is not null or rate_count is not null
                                   or closed_until > statement_timestamp())
"""

_LOCK: Final = (
    "select pg_advisory_xact_lock(hashtextextended(name, 0)) from unnest($1::text[]) as gates (name)"
)

#: `room`: how many may begin now. `spacing`: seconds of the rate that each takes. `closed`: seconds that the other side
#: asked for. `next_in`: seconds until the rate lets the next one through, less than 0 if it would let several.
#: `least` leaves out nulls, the limits that are not set.
_ROOM: Final = """
select wanted.name, lim.rate_seconds::float8 / lim.rate_count as spacing,
       greatest(0, least({most}, least(lim.max_running, pace.lowered) - busy.running,
                         floor(lim.rate_burst - pace.owed * lim.rate_count / lim.rate_seconds),
                         case when pace.closed > 0 then 0 end))::int as room,
       pace.closed, pace.owed - (lim.rate_burst - 1) * lim.rate_seconds::float8 / lim.rate_count as next_in,
       busy.running, least(lim.max_running, pace.lowered) as max_running {more}
  from {wanted}
  left join lateral ({limit}) lim on true
  left join job_gates gate on gate.name = '{prefix}/' || wanted.name
 cross join lateral (
       select greatest(extract(epoch from gate.full_at - clock_timestamp()), 0)::float8 as owed,
              greatest(extract(epoch from {closed_until} - clock_timestamp()), 0)::float8 as closed,
              case when {closed_until} > clock_timestamp() - {free_again} then gate.lowered_to * power(2, greatest(0,
                   floor(extract(epoch from clock_timestamp() - {closed_until}) / extract(epoch from {room_again}))))
              end::int as lowered) pace
 cross join lateral ({running}) busy
""".replace("{free_again}", FREE_AGAIN).replace("{room_again}", ROOM_AGAIN)

#: The key's own limit, or else that of its kind: `host/example.com` before `host/*`.
LIMIT_OF_KEY: Final = """select * from job_limits
         where key in (wanted.name, split_part(wanted.name, '/', 1) || '/*') order by key = wanted.name desc limit 1"""

#: One that is claimed and not let through yet does not count: see `JobRow.blocked_by`.
_RUNNING_OF_KEY: Final = """select count(*) as running from jobs
         where limit_key = wanted.name and state = 'active' and blocked_by is distinct from 'limit/' || limit_key"""


def rooms_of_queues(wanted: str) -> str:
    """The query for the rooms of queues; `wanted` is a from-item with their names and the slots that are free."""
    return _ROOM.format(
        most="wanted.slots",
        more=", lim.paused_at is not null as is_paused",
        closed_until="lim.closed_until",
        wanted=wanted,
        limit="select * from job_queues where name = wanted.name",
        prefix="queue",
        running="select count(*) as running from jobs where state = 'active' and queue = wanted.name",
    )


def rooms_of_keys(wanted: str) -> str:
    """The query for the rooms of keys; `wanted` is a from-item with their names."""
    return _ROOM.format(
        most=AT_ONCE,
        more=", lim.key as held_to",
        closed_until="gate.closed_until",
        wanted=wanted,
        limit=LIMIT_OF_KEY,
        prefix="limit",
        running=_RUNNING_OF_KEY,
    )


_QUEUES: Final = rooms_of_queues("unnest($1::text[], $2::int[]) as wanted (name, slots)")
_KEYS: Final = rooms_of_keys("unnest($1::text[]) as wanted (name)")

_TAKE: Final = """
insert into job_gates as gate (name, full_at)
select taken.name, statement_timestamp() + taken.seconds * interval '1 second'
  from unnest($1::text[], $2::float8[]) as taken (name, seconds)
    on conflict (name) do update
   set full_at = greatest(gate.full_at, statement_timestamp()) + (excluded.full_at - statement_timestamp())
"""

#: `waited`: for how many seconds its limit held it back; null for one that did not wait for it. What somebody else let go,
#: as the end of its flow's pause does, is left out: how long it waited for what is not known.
_ADMIT: Final = """
update jobs set blocked_by = nullif(jobs.blocked_by, 'limit/' || jobs.limit_key), held_at = null, woken_at = null
  from jobs before
 where jobs.id = any($2::uuid[]) and jobs.worker_id = $1 and jobs.finished_at is null and before.id = jobs.id
returning jobs.id, case when before.held_at >= before.run_at and before.woken_at is not null
                        then greatest(extract(epoch from before.woken_at - before.held_at), 0)::float8 end as waited
"""

#: The last statement of a gate, for its rows are those of all keys of a kind.
_COUNT: Final = """
insert into job_limit_hours as known (at, key, began, waited, wait_seconds, longest_seconds)
select date_trunc('hour', clock_timestamp(), 'UTC'), news.*
  from unnest($1::text[], $2::int[], $3::int[], $4::float8[], $5::float8[]) as news
    on conflict (key, at) do update
   set began = known.began + excluded.began, waited = known.waited + excluded.waited,
       wait_seconds = known.wait_seconds + excluded.wait_seconds,
       longest_seconds = greatest(known.longest_seconds, excluded.longest_seconds)
"""

#: Those whose key has no limit now, and was not asked for silence lately: nothing is counted, so nobody waits for a lock.
_ADMIT_FREE: Final = f"""
update jobs set blocked_by = nullif(blocked_by, 'limit/' || limit_key)
 where id = any($2::uuid[]) and worker_id = $1 and finished_at is null
   and not exists (select from job_limits where key in (limit_key, split_part(limit_key, '/', 1) || '/*'))
   and not exists (select from job_gates where name = 'limit/' || limit_key
                      and closed_until > clock_timestamp() - {FREE_AGAIN})
returning id
"""  # noqa: S608 - our own words

#: Parked again after it was woken, it goes on with the wait that it had; what it waited for in between is not the limit's.
_HELD: Final = """held_at = greatest(run_at, clock_timestamp() - coalesce(case when held_at >= run_at then woken_at - held_at end,
                                                                           interval '0')), woken_at = null"""

_PARK: Final = f"""
update jobs set state = 'waiting', attempt = attempt - 1, worker_id = null, started_at = null, {_HELD}
 where id = any($2::uuid[]) and worker_id = $1 and finished_at is null
"""  # noqa: S608 - our own words

_PARK_OTHERS: Final = f"""
update jobs set blocked_by = 'limit/' || limit_key, {_HELD}
 where id = any(array(
       select behind.id from unnest($1::text[]) as wanted (name)
        cross join lateral (
              select id from jobs where limit_key = wanted.name and state = 'waiting' and blocked_by is null
               limit {AT_ONCE} for update skip locked) behind))
"""  # noqa: S608 - our own number

#: Each key that has parked jobs is found by one step in the index. As many are woken as there is room for, less
#: those that are awake already; a few too many would only be parked again. A flow may have been paused between a claim
#: and its gate.
_WAKE: Final = f"""
with recursive {limits_that_block(name="parked")},
wanted (name) as (
     select substr(name, 7) from parked where $1::text[] is null and starts_with(name, 'limit/')
     union all select unnest($1::text[]))
update jobs set blocked_by = (select 'flow/' || id from job_flows
                               where id = flow_id and paused_at is not null and attempt = 0 and not run_anyway),
                woken_at = clock_timestamp()
 where id = any(array(
       select next.id
         from ({rooms_of_keys("wanted")}) gate
        cross join lateral (
              select count(*) as awake from (
                     select from jobs where limit_key = gate.name and state = 'waiting' and blocked_by is null
                      limit {AT_ONCE}) counted) ready
        cross join lateral (
              select id from jobs where blocked_by = 'limit/' || gate.name and state = 'waiting'
               order by rank_at, id limit greatest(0, gate.room - ready.awake) for update skip locked) next))
returning queue
"""  # noqa: S608 - our own number

#: A gate whose times have passed is as open as one without a row. Who goes through one right now is not waited for, nor
#: made to wait.
_FORGET: Final = f"""
delete from job_gates where name = any(array(
       select name from job_gates
        where greatest(full_at, closed_until + {FREE_AGAIN}) < clock_timestamp() - interval '1 minute'
          for update skip locked))
"""  # noqa: S608 - our own words


@dataclass(frozen=True, slots=True)
class Passed:
    """What went through the gates."""

    claims: list[Claim]
    #: Seconds until it is worth asking again for what was kept back or is paced; None if only an end makes room.
    opens_in: float | None = None


async def gated(store: Store, queues: Iterable[str]) -> set[str]:
    """Those of the queues that are paused, silent or limited. `Store.claim` passes them over, whether it is known or not."""
    return {row["name"] for row in await store.fetch(GATED, list(queues))}


async def claim(store: Store, slots: Mapping[str, int]) -> Passed:
    """Claim from paused, silent and limited queues, up to `slots[queue]`, what their limits leave room for.

    A paused queue gives only what an operator wants run anyway; a silent one gives nothing.
    """
    claims: list[Claim] = []
    async with store.transaction() as connection:
        await connection.execute(_LOCK, sorted(f"queue/{queue}" for queue in slots))
        rooms = await connection.fetch(_QUEUES, list(slots), list(slots.values()))
        for statement, is_paused in ((CLAIM_GATED, False), (CLAIM_ANYWAY, True)):
            free = {
                room["name"]: room["room"]
                for room in rooms
                if room["is_paused"] is is_paused and room["room"]
            }
            if free:
                rows = await connection.fetch(statement, store.worker_id, list(free), list(free.values()))
                claims += claims_of(rows)
        return Passed(claims, await _take(connection, "queue", rooms, [one.queue for one in claims]))


async def admit(store: Store, claims: Sequence[Claim]) -> Passed:
    """Let those claims begin whose key has room; park the others, and what waits behind them, untried."""
    crash_point("between a claim and its gate")
    free = {row["id"] for row in await store.fetch(_ADMIT_FREE, store.worker_id, [one.id for one in claims])}
    held = await _admit_held(store, [one for one in claims if one.id not in free])
    return Passed([*(one for one in claims if one.id in free), *held.claims], held.opens_in)


async def _admit_held(store: Store, claims: Sequence[Claim]) -> Passed:
    if not claims:
        return Passed([])
    waiting: defaultdict[str, list[Claim]] = defaultdict(list)
    for one in sorted(claims, key=lambda claim: (claim.run_at, claim.id)):
        waiting[str(one.limit_key)].append(one)
    keys = sorted(waiting)
    async with store.transaction() as connection:
        await connection.execute(_LOCK, [f"limit/{key}" for key in keys])
        rooms = await connection.fetch(_KEYS, keys)
        wished: set[UUID] = set()
        for room in rooms:
            wished |= {one.id for one in waiting[room["name"]][: room["room"]]}
        rows = await connection.fetch(_ADMIT, store.worker_id, list(wished))
        waits: dict[UUID, float | None] = {row["id"]: row["waited"] for row in rows}
        if refused := [one for one in claims if one.id not in wished]:
            await connection.execute(_PARK, store.worker_id, [one.id for one in refused])
            await connection.execute(_PARK_OTHERS, list({one.limit_key for one in refused}))
        through = [one for one in claims if one.id in waits]
        opens_in = await _take(connection, "limit", rooms, [str(one.limit_key) for one in through])
        await _count(connection, rooms, [(str(one.limit_key), waits[one.id]) for one in through])
        crash_point("in a gate, before its commit")
        return Passed(through, opens_in)


async def wake(store: Store, keys: Iterable[str] | None = None) -> set[str]:
    """Let parked jobs be claimed whose key (None: any key) has room again. Returns the queues that got some."""
    return {row["queue"] for row in await store.fetch(_WAKE, None if keys is None else list(keys))}


async def forget(store: Store) -> None:
    """Remove the rows of gates that nothing has gone through lately: there may be one for each host of the world."""
    await store.fetch(_FORGET)


async def _take(
    connection: asyncpg.Connection, prefix: str, rooms: Sequence[asyncpg.Record], names: Sequence[str]
) -> float | None:
    """Count what begins now against the rates. Returns when the first of the gates lets more through."""
    begun = Counter(names)
    spans: dict[str, float] = {}
    opens: list[float] = []
    for room in rooms:
        wait = room["closed"]
        if room["spacing"] is not None:
            span = begun[room["name"]] * room["spacing"]
            wait = max(wait, room["next_in"] + span)
            if span:
                spans[f"{prefix}/{room['name']}"] = span
        if wait > 0:
            opens.append(wait)
    if spans:
        await connection.execute(_TAKE, list(spans), list(spans.values()))
    return min(opens, default=None)


async def _count(
    connection: asyncpg.Connection, rooms: Sequence[asyncpg.Record], begun: Sequence[tuple[str, float | None]]
) -> None:
    """Count those who begin, given as (key, seconds for which they were held back), under the names of their limits."""
    held_to = {room["name"]: room["held_to"] for room in rooms}
    by_limit: defaultdict[str, list[float | None]] = defaultdict(list)
    for key, wait in begun:
        # A key without a limit may have been silent.
        if (limit := held_to[key]) is not None:
            by_limit[limit].append(wait)
    numbers = []
    # In one order for everybody, so that two workers cannot wait for each other.
    for limit, all_waits in sorted(by_limit.items()):
        waits = [wait for wait in all_waits if wait is not None]
        numbers.append((limit, len(all_waits), len(waits), sum(waits), max(waits, default=0.0)))
    if numbers:
        await connection.execute(_COUNT, *zip(*numbers, strict=True))

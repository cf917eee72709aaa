"""What is true in the end. The counters are those of Jepsen's `total-queue` checker, with effects in place of reads."""

from collections import Counter
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import asyncpg

_ROWS = """
select (args->>'token')::bigint as token, state, attempt, (result->>'attempt')::int as told, args->>'act' as act
  from jobs where queue = 'reliability' and args ? 'token'
"""
_DONE = "select token, count(*) filter (where effect = 'done') as times from effects where effect <> 'begun' group by 1"
#: Written under a fence, when a later attempt had begun.
_LATE = """
select count(*) from effects late
 where effect <> 'begun'
   and exists (select from effects begun where begun.token = late.token and begun.effect = 'begun'
                  and begun.attempt > late.attempt and begun.at < late.at)
"""
#: Pairs of jobs with one key that ran at once: every key of the suite lets one through at a time. From the first line
#: of the runner to the last: what is counted has happened.
SIDE_BY_SIDE = """
with runs as (
     select jobs.limit_key as key, token, begun.at as began, done.at as ended
       from effects begun join effects done using (token, attempt) join jobs on (args->>'token')::bigint = token
      where begun.effect = 'begun' and done.effect = 'done' and limit_key is not null)
select count(*) from runs one join runs other on one.key = other.key and one.token < other.token
   and one.began < other.ended and other.began < one.ended
"""
BEGUN_AGAIN = "select count(*) - count(distinct token) from effects where effect = 'begun'"
_TRIED_AGAIN = "select coalesce(sum(attempt) - count(*), 0)::int from jobs where kind = $1"


@dataclass(frozen=True, slots=True)
class Figures:
    """What came out of one fault."""

    fault: str
    #: Jobs that somebody tried to ask for, whether they heard that it worked or not.
    attempted: int
    #: Asked for and answered, or found in the rows, and not done in the end.
    lost: int
    #: Nobody asked for it, or the row tells the result of an attempt that did not hold it, or such an attempt wrote
    #: something, or a job ran beside one that its limit keeps it apart from.
    unexpected: int
    #: Effects written in the last transaction more than once, or two rows where one was asked for; outside, effects
    #: that were carried out more often than is promised.
    done_twice: int
    #: The answer never came, and the job was there and was done all the same.
    recovered: int
    #: The answer never came, or was no, and no job is there: whoever asked has to ask again, and may.
    refused: int
    #: Attempts begun beyond the first: the price of a death, paid in effects outside, which need a key for it.
    begun_again: int
    #: From the fault until the last job that it hit was done.
    recovery_seconds: float | None
    #: What the fault chose by.
    seed: int

    @property
    def is_sound(self) -> bool:
        """Whether every promise was kept."""
        return self.lost == self.unexpected == self.done_twice == 0


async def judge(
    connection: asyncpg.Connection,
    fault: str,
    *,
    attempted: AbstractSet[int],
    answered: AbstractSet[int],
    recovery_seconds: float | None,
    seed: int,
) -> Figures:
    """Compare what was asked for with the rows and the effects."""
    rows = await connection.fetch(_ROWS)
    completed = Counter(row["token"] for row in rows if row["state"] == "completed")
    writes = {row["token"] for row in rows if row["act"] != "return"}
    done = {row["token"]: row["times"] for row in await connection.fetch(_DONE)}
    found = {row["token"] for row in rows}
    due = answered | (found & attempted)
    return Figures(
        fault=fault,
        attempted=len(attempted),
        lost=sum(1 for one in due if not completed[one] or (one in writes and one not in done)),
        unexpected=len((found | done.keys()) - attempted)
        + sum(1 for row in rows if row["state"] == "completed" and row["told"] != row["attempt"])
        + await connection.fetchval(_LATE)
        + await connection.fetchval(SIDE_BY_SIDE),
        done_twice=sum(1 for one in attempted if done.get(one, 0) > 1 or completed[one] > 1),
        recovered=len((found & attempted) - answered),
        refused=len(attempted - answered - found),
        begun_again=await connection.fetchval(BEGUN_AGAIN),
        recovery_seconds=recovery_seconds,
        seed=seed,
    )


async def judge_effects(
    connection: asyncpg.Connection,
    fault: str,
    *,
    effects: str,
    kind: str,
    attempted: AbstractSet[int],
    answered: AbstractSet[int],
    recovery_seconds: float | None,
    seed: int,
) -> Figures:
    """Compare what was asked for with what somebody else has carried out for jobs of this kind.

    `effects` finds, for each: its `token` (null if we know nothing of it), how many `times` it was carried out, how
    often at `most` we promise that it is, and whether our row of it `is_settled`.
    """
    rows = await connection.fetch(effects)
    found = {row["token"] for row in rows} & attempted
    done = {row["token"] for row in rows if row["is_settled"] and row["times"]}
    return Figures(
        fault=fault,
        attempted=len(attempted),
        lost=len((answered | found) - done),
        unexpected=sum(1 for row in rows if row["token"] not in attempted),
        done_twice=sum(1 for row in rows if row["times"] > row["most"]),
        recovered=len(found - answered),
        refused=len(attempted - answered - found),
        begun_again=await connection.fetchval(_TRIED_AGAIN, kind),
        recovery_seconds=recovery_seconds,
        seed=seed,
    )

"""Every attempt has an end: whatever a runner returns, raises and says, and whatever the database thinks of it.

Other jobs of the worker do not notice, its slots are free afterwards, and it can be drained: `working` does, each time.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from typing import Any, ClassVar
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import select, text
from structlog.testing import capture_logs

from models.base.away import is_away
from models.base.db import Database, fetch, new_id
from models.base.errors import Invalid
from models.jobs import Backoff, Job
from models.jobs.actions import rescue
from models.jobs.cancelling import cancel
from models.jobs.dead import retry
from models.jobs.flows import Step, enqueue_flow
from models.jobs.progress import Progress
from models.jobs.states import JobState
from models.jobs.store import Fence, Store
from models.jobs.tables import AttemptRow, JobRow, LogRow
from tasks.reporter import Reporter
from tasks.runs import Attempt, Work, runs
from tasks.testing import run_everything, working
from tasks.world import World
from tests.jobs.asking import ask, row_of
from tests.jobs.messages import Play

BEGAN: Counter[str] = Counter()
LET_GO = asyncio.Event()


class Misbehave(Job, frozen=True):
    """Does what decent runners do not."""

    kind: ClassVar[str] = "test.misbehave"
    queue: ClassVar[str] = "test"
    attempts: ClassVar[int] = 2
    backoff: ClassVar[Backoff] = Backoff(first=timedelta(milliseconds=1))
    act: str


class Broken(Exception):
    """Says nothing, not even when asked."""

    def __str__(self) -> str:
        raise ValueError("no words")


@runs(Misbehave)
async def misbehave(job: Misbehave, work: Work) -> Any:
    BEGAN[job.act] += 1
    match job.act:
        case "returns a NUL" | "returns a NUL, in a flow":
            return {"title": "a\0b"}
        case "returns keys that are no text":
            return {1: 2}
        case "returns half a character":
            return {"title": "a\ud800b"}
        case "completes with a NUL":
            async with work.finish({"title": "a\0b"}):
                pass
        case "raises a NUL":
            raise ValueError("a\0b")
        case "raises half a character":
            raise ValueError("a\ud800b")
        case "raises what has no words":
            raise Broken
        case "is cancelled though nobody asked":
            raise asyncio.CancelledError
        case "says a NUL and half a character":
            work.step(1, 2, "a\0b")
            work.log("a\0b\ud800c")
        case "does not stop":
            if work.attempt == 1:
                while not LET_GO.is_set():
                    with contextlib.suppress(asyncio.CancelledError):
                        await LET_GO.wait()
            return {"by": f"attempt {work.attempt}"}
    return None


@pytest.fixture(autouse=True)
def afresh() -> Iterator[None]:
    BEGAN.clear()
    LET_GO.clear()
    # To print the traceback of a refusal, with the locals of all of SQLAlchemy's frames, takes seconds.
    with capture_logs():
        yield


async def change(database: Database, words: str) -> None:
    async with database.transaction() as session:
        await session.execute(text(words))


async def until(is_so: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(10):
        while not await is_so():
            await asyncio.sleep(0.005)


#: What becomes of an act: its job is dead after its two attempts, with an error that begins so.
FAILURES = {
    "returns a NUL": "Its completion cannot be written: unsupported Unicode escape sequence",
    "returns a NUL, in a flow": "Its completion cannot be written: ",
    "returns keys that are no text": "Its result cannot be written: Dict key must be str",
    "returns half a character": "Its result cannot be written: str is not valid UTF-8",
    "completes with a NUL": "DBAPIError: ",
    "raises a NUL": "ValueError: a\ufffdb",
    "raises half a character": "ValueError: a\ufffdb",
    "is cancelled though nobody asked": "CancelledError: nobody had asked for it",
}


async def test_what_cannot_be_written_is_a_failure_like_any_other(world: World) -> None:
    jobs = world.settings.jobs.model_copy(update={"poll_seconds": 0.02})
    hasty = World(
        world.settings.model_copy(update={"jobs": jobs}), world.database, world.redis, world.keys, world.post
    )
    database = world.database
    bad = {act: await ask(database, Misbehave(act=act)) for act in FAILURES if "flow" not in act}
    others = [await ask(database, Play(act="return")) for _ in range(3)]
    async with database.transaction() as session:
        steps = {"bad": Step(Misbehave(act="returns a NUL, in a flow")), "good": Step(Play(act="return"))}
        await enqueue_flow(session, "two", steps)
        of_flow = select(JobRow.id).where(JobRow.step.is_not(None)).order_by(JobRow.step)
        bad["returns a NUL, in a flow"], good = (await session.scalars(of_flow)).all()
    others.append(good)
    receiver = await run_everything(hasty, hurry=True)
    for act, error in FAILURES.items():
        row = await row_of(database, bad[act])
        assert (row.state, row.attempt, BEGAN[act]) == (JobState.DEAD, 2, 2), act
        assert str(row.error).startswith(error)
    assert {(await row_of(database, one)).state for one in others} == {JobState.COMPLETED}
    assert (len(receiver.running), receiver.claiming.busy.total(), receiver.settler.ending) == (0, 0, {})


async def test_what_has_no_words_is_buried_in_ours(world: World) -> None:
    bad = await ask(world.database, Misbehave(act="raises what has no words"))
    await run_everything(world, hurry=True)
    row = await row_of(world.database, bad)
    assert (row.state, row.attempt) == (JobState.DEAD, 1)
    assert row.error == "It failed, and what went wrong cannot be written down."


async def test_whose_end_is_refused_in_any_words_holds_no_slot_and_does_not_circle(world: World) -> None:
    """There is no way to make the database refuse everything but to forbid it."""
    database = world.database
    bad = await ask(database, Misbehave(act="raises a NUL"))
    await change(database, "alter table job_attempts add constraint nothing check (false) not valid")
    try:
        async with working(world, {"test": 1}) as receiver:
            for attempt in (1, 2, 3):

                async def is_lost(times: int = attempt) -> bool:
                    return receiver.counts["lost"] == times

                await until(is_lost)
                # What `reconcile` does once it has looked twice.
                owned = await receiver.settler.store.owned()
                assert receiver._strays(owned) == owned.keys() == {(bad, attempt)}
                await receiver.settler.store.disown(owned)
                receiver.claiming.ring("test")
            good = await ask(database, Play(act="return"))

            async def is_done() -> bool:
                return (await row_of(database, good)).state is JobState.COMPLETED

            await until(is_done)
    finally:
        await change(database, "alter table job_attempts drop constraint nothing")
    row = await row_of(database, bad)
    assert (row.state, row.attempt, row.max_attempts, row.worker_id) == (JobState.ACTIVE, 3, 2, None)
    async with database.transaction() as session:
        assert await rescue(session, timedelta(hours=1)) == [bad]
    assert (await row_of(database, bad)).state is JobState.DEAD


async def test_a_lost_answer_spends_an_attempt_and_buries_nobody(world: World) -> None:
    job = await ask(world.database, Play(act="return"))
    await change(world.database, "update jobs set max_attempts = 1")
    store = Store(world.settings.database.url, new_id(), "test")
    await store.claim({"test": 1})  # and hears nothing of it
    await store.disown(await store.owned())
    await store.close()
    row = await row_of(world.database, job)
    assert (row.state, row.attempt, row.worker_id) == (JobState.WAITING, 1, None)
    async with world.database.transaction() as session:
        attempt = (await session.scalars(select(AttemptRow))).one()
    assert (attempt.attempt, attempt.worker_id, attempt.outcome) == (1, store.worker_id, "not run")


async def test_only_the_attempt_that_is_named_is_given_back(world: World) -> None:
    """Taken for dead and come back, a worker may hold a later attempt of a job than the one that it is done with."""
    job = await ask(world.database, Play(act="return"))
    store = Store(world.settings.database.url, new_id(), "test")
    for attempt in (1, 2):
        [claim] = await store.claim({"test": 1})
        assert claim.attempt == attempt
        async with world.database.transaction() as session:
            await rescue(session, timedelta(hours=1))
    [claim] = await store.claim({"test": 1})
    await store.release(job, 2)
    await store.disown([(job, 1)])
    assert (await row_of(world.database, job)).state is JobState.ACTIVE
    await store.release(job, 3)
    await store.close()
    row = await row_of(world.database, job)
    assert (row.state, row.attempt) == (JobState.WAITING, 2)


async def stopped_in_vain(database: Database, job: UUID) -> None:
    """It was cancelled, does not stop, and somebody wants it run again."""
    async with database.transaction() as session:
        await cancel(session, job)

    async def is_cancelled() -> bool:
        return (await row_of(database, job)).state is JobState.CANCELLED

    await until(is_cancelled)
    async with database.transaction() as session:
        await retry(session, job)


async def taken_for_dead(database: Database, _job: UUID) -> None:
    """Its worker was cut off for a lease."""
    async with database.transaction() as session:
        await rescue(session, timedelta(hours=1))


@pytest.mark.parametrize("lose", [stopped_in_vain, taken_for_dead])
async def test_two_attempts_of_a_job_are_neither_at_work_at_once_in_a_worker_nor_mixed_up(
    world: World, lose: Callable[[Database, UUID], Awaitable[None]]
) -> None:
    database = world.database
    job = await ask(database, Misbehave(act="does not stop"))
    async with working(world, {"test": 2}) as receiver:
        receiver.cancel_grace = 0.05

        async def is_running() -> bool:
            return job in receiver.running

        async def is_put_off() -> bool:
            row = await row_of(database, job)
            return row.state is JobState.SCHEDULED and row.snoozes == 1

        async def is_completed() -> bool:
            await change(database, "update jobs set state = 'waiting' where state = 'scheduled'")
            receiver.claiming.ring("test")
            return (await row_of(database, job)).state is JobState.COMPLETED

        await until(is_running)
        old = receiver.running[job]
        await lose(database, job)
        await until(is_put_off)
        assert (receiver.running[job], receiver.claiming.busy["test"], BEGAN["does not stop"]) == (old, 1, 1)
        LET_GO.set()
        await until(is_completed)
        row = await row_of(database, job)
        assert (row.result, BEGAN["does not stop"]) == ({"by": f"attempt {row.attempt}"}, 2)
        assert row.attempt > old.claim.attempt
    assert (len(receiver.running), receiver.claiming.busy.total()) == (0, 0)


async def test_what_a_runner_says_is_written_as_far_as_it_can_be(world: World) -> None:
    job = await ask(world.database, Misbehave(act="says a NUL and half a character"))
    await run_everything(world)
    async with world.database.transaction() as session:
        assert (await session.scalars(select(LogRow.line))).all() == ["a\ufffdb\ufffdc"]
    assert (await row_of(world.database, job)).words == "a\ufffdb"


async def test_what_one_job_says_keeps_no_other_from_being_heard(world: World) -> None:
    """One was deleted while it ran: the foreign key refuses its line, and with it those of the others."""
    database = world.database
    for _ in range(5):
        await ask(database, Play(act="return"))
    store = Store(world.settings.database.url, new_id(), "test")
    reporter = Reporter(world, {})
    claims = await store.claim({"test": 5})
    await store.close()
    for claim in claims:
        fence = Fence(claim.id, claim.attempt, store.worker_id)
        attempt = Attempt(claim, fence, Progress(claim.id, claim.attempt, claim.max_attempts))
        work = Work(world, attempt)
        work.step(1, 2, "half of it")
        work.log("a line")
        reporter.last(attempt)
    gone, *others = (claim.id for claim in claims)
    await change(database, f"delete from jobs where id = '{gone}'")
    await reporter.flush()
    async with database.transaction() as session:
        assert set((await session.scalars(select(LogRow.job_id))).all()) == set(others)
        assert set((await session.scalars(select(JobRow.words))).all()) == {"half of it"}


async def test_a_worker_that_cannot_complete_any_more_ends(world: World) -> None:
    """Its jobs go to another: as one that only claims, it would keep them for ever."""
    with pytest.raises(KeyError):
        async with working(world, {"test": 1}) as receiver:
            ended = await ask(world.database, Misbehave(act="does not stop"))

            async def is_running() -> bool:
                return ended in receiver.running

            await until(is_running)
            # No fault of the database, but of the code itself: what has ended is not where it is looked for.
            receiver.settler.ending[new_id()] = (receiver.running[ended], None)
            receiver.settler._flush.set()
            LET_GO.set()

            async def is_ending() -> bool:
                return receiver.settler.gives_back

            await until(is_ending)


def test_what_is_wrong_with_each_field_is_told_to_whoever_looks_after_jobs() -> None:
    refused = Invalid({"dataSet": "There is no data set 'nope'."})
    assert str(refused) == "There is a problem with what you entered. dataSet: There is no data set 'nope'."


async def refusal(asked: Awaitable[Any]) -> BaseException:
    with pytest.raises(Exception) as caught:
        await asked
    return caught.value


#: What the database is asked, with which values, and whether what it says then passes.
ASKED: list[tuple[bool, str, tuple[Any, ...]]] = [
    (False, "select $1::text::jsonb", ('"\\u0000"',)),
    (False, "select $1::text", ("a\0b",)),
    (False, "select $1::text", ("a\ud800b",)),
    (False, "select $1::int", ("one",)),
    (False, "select 1 / 0", ()),
    (False, "select nothing", ()),
    (False, "select $1::int", (1, 2)),
    (False, f"select array[{', '.join(f'${place}' for place in range(1, 32_769))}]::text[]", ("a",) * 32_768),
    (True, "select pg_terminate_backend(pg_backend_pid())", ()),
    (True, "do $$ begin raise 'held by another' using errcode = '55P03'; end $$", ()),
]


async def test_what_the_database_refuses_is_told_from_a_database_that_is_away(database: Database) -> None:
    """Whichever way it is asked: by the engine's own connections, by a statement alone, in a session."""
    url = database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    store = Store(url, new_id(), "test")

    async def alone(words: str, *values: object) -> None:
        async with database.statement() as statement:
            await fetch(statement, words, *values)

    async def in_session(words: str, *values: object) -> None:
        async with database.transaction() as session:
            await fetch(session, words, *values)

    for is_passing, words, values in ASKED:
        for ask_it in (store.fetch, alone, in_session):
            error = await refusal(ask_it(words, *values))
            assert is_away(error) is is_passing, (words, error)
    await store.close()
    assert is_away(await refusal(asyncpg.connect(host="127.0.0.1", port=1)))
    assert not is_away(KeyError("of ours"))

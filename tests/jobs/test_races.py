"""The same things done at once by several: on a real database, and counted afterwards."""

import asyncio
import contextlib
from collections import Counter
from datetime import timedelta
from uuid import UUID

import orjson
from sqlalchemy import select, text

from models.base.db import Database, new_id
from models.base.errors import Conflict
from models.base.news import CHANNEL
from models.jobs import Wish, enqueue_all, gates
from models.jobs.actions import Failure, bury
from models.jobs.bulk import begin, bulk_action
from models.jobs.cancelling import cancel
from models.jobs.filter import Filter
from models.jobs.flows import Step, enqueue_flow, pause_flow
from models.jobs.jobs import EndBulkAction
from models.jobs.keys import debounce
from models.jobs.limits import slow_down
from models.jobs.message import Job
from models.jobs.queues import pause, run_anyway
from models.jobs.retention import forget_finished
from models.jobs.states import BulkDeed
from models.jobs.store import Fence, Store
from models.jobs.tables import JobRow
from tasks.testing import working
from tasks.world import World
from tests.jobs.messages import Mourn, Play


async def test_two_who_forget_at_once_forget_each_old_job_once(database: Database) -> None:
    ended = """
    insert into jobs (id, kind, queue, args, priority, rank_at, run_at, max_attempts, state, finished_at, is_held)
    select gen_random_uuid(), 'test.play', 'test', '{}', 5, now(), now(), 3, :state, now() - interval '30 days', :is_held
      from generate_series(1, :count)
    """
    async with database.transaction() as session:
        assert await forget_finished(session, timedelta(days=7)) == 0
        for state, is_held, count in (
            ("completed", False, 9999),
            ("completed", True, 1),
            ("cancelled", True, 5),
            ("dead", False, 5),
        ):
            await session.execute(text(ended), {"state": state, "is_held": is_held, "count": count})

    async def forget() -> int:
        counts: list[int] = []
        while not counts or counts[-1]:
            async with database.transaction() as session:
                counts.append(await forget_finished(session, timedelta(days=7), limit=1500))
        return sum(counts)

    assert sum(await asyncio.gather(forget(), forget())) == 10_000
    async with database.transaction() as session:
        left = Counter(await session.scalars(select(JobRow.state)))
    assert left == {"cancelled": 5, "dead": 5}


async def test_two_kinds_that_want_one_key_at_once_do_not_share_it(database: Database) -> None:
    async def want(job: Job, key: str) -> bool:
        try:
            async with database.transaction() as session:
                await debounce(session, job, key, timedelta(minutes=1), timedelta(hours=1))
        except ValueError:
            return False
        return True

    for number in range(10):
        one, other = Play(act=f"{number}"), Mourn(name=f"{number}")
        done = await asyncio.gather(want(one, f"{number}"), want(other, f"{number}"), want(one, f"{number}"))
        assert list(done) in ([True, False, True], [False, True, False])
    async with database.transaction() as session:
        rows = (await session.scalars(select(JobRow))).all()
    assert len(rows) == 10
    assert all(
        row.args.keys() == ({"name"} if row.kind == Mourn.kind else {"act", "seconds"}) for row in rows
    )


async def test_what_several_want_run_anyway_runs_once_and_the_rest_stays_paused(world: World) -> None:
    database = world.database
    async with database.transaction() as session:
        jobs = await enqueue_all(session, [Wish(Play(act="return")) for _ in range(20)])
        await pause(session, "test")

    async def want() -> None:
        for job_id in jobs[::2]:
            # Refused once a worker has it, whom the other one has told.
            with contextlib.suppress(Conflict):
                async with database.transaction() as session:
                    await run_anyway(session, job_id)

    taken: Counter[object] = Counter()

    async def take() -> None:
        store = Store(world.settings.database.url, new_id(), "test")
        for _ in range(20):
            taken.update(one.id for one in (await gates.claim(store, {"test": 3})).claims)
        await store.close()

    await asyncio.gather(want(), want(), take(), take())
    await take()
    assert taken == Counter(jobs[::2])


async def test_those_who_hear_429_at_once_lower_their_number_once(world: World) -> None:
    async with world.database.transaction() as session:
        await enqueue_all(session, [Wish(Play(act="return"), limit="model/writer") for _ in range(8)])
    store = Store(world.settings.database.url, new_id(), "test")
    assert len((await gates.admit(store, await store.claim({"test": 8}))).claims) == 8
    await store.close()

    async def hear() -> None:
        async with world.database.transaction() as session:
            await slow_down(session, "model/writer", timedelta(seconds=10))

    await asyncio.gather(*(hear() for _ in range(8)))
    async with world.database.transaction() as session:
        assert await session.scalar(text("select lowered_to from job_gates")) == 4


async def test_a_bulk_action_ends_although_what_was_to_end_it_is_cancelled(world: World) -> None:
    """As by another bulk action that means everything in its queue."""
    async with world.database.transaction() as session:
        bulk_id = await begin(session, Filter.read("queue:test"), BulkDeed.PROMOTE, new_id())
        await session.execute(text("update jobs set args = '{}'"))  # what it dies of
        await pause(session, "default")
    store = Store(world.settings.database.url, new_id(), "test")
    [claim] = (await gates.claim(store, {"default": 1})).claims
    async with world.database.transaction() as session:
        await bury(session, Fence(claim.id, claim.attempt, store.worker_id), Failure("no"))
    await store.close()
    async with world.database.transaction() as session:
        end = (await session.scalars(select(JobRow).where(JobRow.kind == EndBulkAction.kind))).one()
        assert end.run_anyway
        await cancel(session, end.id)
    async with world.database.transaction() as session:
        row = await bulk_action(session, bulk_id)
    assert (row.stopped_because, row.finished_at is not None) == ("Its job was cancelled.", True)


async def test_a_job_that_is_wanted_anyway_goes_on_in_its_paused_flow_once_its_parents_are_done(
    world: World,
) -> None:
    async with world.database.transaction() as session:
        steps = {
            "first": Step(Play(act="return")),
            "second": Step(Play(act="return"), after=("first",)),
            "third": Step(Play(act="return"), after=("second",)),
        }
        flow_id = await enqueue_flow(session, "a flow", steps)
        await pause_flow(session, flow_id)
        jobs = {one.step: one.id for one in await session.scalars(select(JobRow))}
        await run_anyway(session, jobs["second"])
        # Not before its parent, whatever stands in the way of that.
        assert (await session.get_one(JobRow, jobs["second"], populate_existing=True)).blocked_by == "parents"
        await run_anyway(session, jobs["first"])
    async with working(world, {"test": 2}), asyncio.timeout(5):
        while await _state(world, jobs["second"]) != "completed":
            await asyncio.sleep(0.01)
    async with world.database.transaction() as session:
        third = await session.get_one(JobRow, jobs["third"])
    assert (third.state, third.blocked_by) == ("waiting", f"flow/{flow_id}")


async def test_who_looks_at_a_job_hears_that_it_runs_and_short_ones_cost_no_word(world: World) -> None:
    async with world.database.transaction() as session:
        wishes = [Wish(Play(act="return")) for _ in range(20)]
        [job_id, *_] = await enqueue_all(session, [Wish(Play(act="deaf", seconds=0.5)), *wishes])
    async with world.redis.pubsub() as news, working(world, {"test": 4}), asyncio.timeout(5):
        await news.subscribe(CHANNEL)
        heard = set()
        while f"job/{job_id}" not in heard:
            message = await news.get_message(timeout=1)
            if message is not None and message["type"] == "message":
                heard.add(orjson.loads(message["data"])["topic"])
        assert await _state(world, job_id) == "active"
    assert {one for one in heard if one.startswith("job/")} == {f"job/{job_id}"}


async def _state(world: World, job_id: UUID) -> str | None:
    async with world.database.transaction() as session:
        return await session.scalar(select(JobRow.state).where(JobRow.id == job_id))

"""Jobs that wait for each other: fan-out, fan-in, what a failure does, pausing, cancelling, trying again."""

import asyncio
from datetime import timedelta
from typing import Any, ClassVar
from uuid import UUID

import pytest
from sqlalchemy import select, text

from models.base.clock import now
from models.base.db import Database, new_id
from models.base.errors import Conflict
from models.jobs import Job, enqueue, gates
from models.jobs.actions import Failure, bury, complete, crowded_for
from models.jobs.dead import delete, retry
from models.jobs.endings import PARENT_FAILED, complete_in_flows
from models.jobs.errors import groups
from models.jobs.flows import (
    Step,
    cancel_flow,
    drawing,
    enqueue_batch,
    enqueue_flow,
    pause_flow,
    resume_flow,
)
from models.jobs.limits import Limit, set_limit
from models.jobs.states import JobState, OnParentFailure
from models.jobs.store import Claim, Fence, Store
from models.jobs.tables import FlowRow, JobRow
from tasks.runs import Work, runs
from tasks.testing import enqueued, run_everything
from tasks.world import World
from tests.jobs.messages import Play


class Add(Job, frozen=True):
    """Adds up what its parents found."""

    kind: ClassVar[str] = "test.add"
    queue: ClassVar[str] = "test"
    own: int = 0


class Sealed(Job, frozen=True):
    kind: ClassVar[str] = "test.sealed"
    queue: ClassVar[str] = "test"
    secrets: ClassVar[tuple[str, ...]] = ("pin",)
    pin: str


class Paid(Add, frozen=True):
    kind: ClassVar[str] = "test.paid_add"
    holds_money: ClassVar[bool] = True


@runs(Add)
async def add(job: Add, work: Work) -> dict[str, Any]:
    parents = await work.parents()
    found = {step: parent.result["sum"] if parent.result else None for step, parent in parents.items()}
    return {"sum": job.own + sum(one or 0 for one in found.values()), "parents": found}


REFUSED = Play(act="refuse")
OK = Play(act="return")


async def ask(database: Database, steps: dict[str, Step], when_done: Job | None = None) -> UUID:
    async with database.transaction() as session:
        return await enqueue_flow(session, "a flow", steps, when_done=when_done)


async def flow_of(database: Database, flow_id: UUID) -> FlowRow:
    async with database.transaction() as session:
        return (await drawing(session, flow_id)).flow


async def states(database: Database, flow_id: UUID) -> dict[str, str]:
    async with database.transaction() as session:
        rows = await session.scalars(select(JobRow).where(JobRow.flow_id == flow_id))
        return {str(row.step): row.state.value for row in rows}


async def kinds_without_flow(database: Database) -> list[str]:
    async with database.transaction() as session:
        rows = await session.scalars(select(JobRow.kind).where(JobRow.flow_id.is_(None)))
        return list(rows)


@pytest.fixture
async def store(world: World) -> Any:
    one = Store(world.settings.database.url, new_id(), "a worker of the tests")
    yield one
    await one.close()


def fence_of(claim: Claim, store: Store) -> Fence:
    return Fence(claim.id, claim.attempt, store.worker_id, claim.flow_id)


async def test_a_child_runs_after_all_its_parents_and_reads_what_they_found(world: World) -> None:
    flow_id = await ask(
        world.database,
        {
            "two": Step(Add(own=2)),
            "three": Step(Add(own=3)),
            "both": Step(Add(own=10), after=("two", "three")),
            "end": Step(Add(), after=("both", "two")),
        },
        when_done=Play(act="return"),
    )
    await run_everything(world)
    async with world.database.transaction() as session:
        drawn = await drawing(session, flow_id)
    results = {one.step: one.result for one in drawn.jobs}
    assert results["both"] == {"sum": 15, "parents": {"two": 2, "three": 3}}
    assert results["end"] == {"sum": 17, "parents": {"both": 15, "two": 2}}
    assert len(drawn.edges) == 4
    assert (drawn.flow.jobs, drawn.flow.done, drawn.flow.failed) == (4, 4, 0)
    assert drawn.flow.finished_at is not None
    assert await kinds_without_flow(world.database) == ["test.play"]


async def test_parents_that_end_at_once_are_both_counted(world: World, store: Store) -> None:
    parents = {f"parent {number}": Step(OK) for number in range(4)}
    flow_id = await ask(world.database, parents | {"child": Step(OK, after=tuple(parents))}, when_done=OK)
    claims = await store.claim({"test": 10})
    assert len(claims) == 4

    async def end(claim: Claim) -> None:
        async with world.database.transaction() as session:
            await complete(session, fence_of(claim, store))

    async def end_in_a_batch(some: list[Claim]) -> None:
        async with world.database.transaction() as session:
            ended = [(one.flow_id, one.id, one.attempt, None) for one in some if one.flow_id]
            assert await complete_in_flows(session, store.worker_id, ended) == {one.id for one in some}

    await asyncio.gather(end(claims[0]), end(claims[1]), end_in_a_batch(claims[2:]))
    (child,) = await store.claim({"test": 10})
    await end(child)
    flow = await flow_of(world.database, flow_id)
    assert (flow.done, flow.finished_at is not None) == (5, True)
    assert await kinds_without_flow(world.database) == ["test.play"]


async def test_a_failure_cancels_what_follows_unless_it_is_to_run_anyway(world: World) -> None:
    flow_id = await ask(
        world.database,
        {
            "bad": Step(REFUSED),
            "after": Step(OK, after=("bad",)),
            "long after": Step(OK, after=("after",)),
            "report": Step(Add(), after=("after", "bad"), if_parent_fails=OnParentFailure.RUN),
            "paid": Step(Paid(), after=("bad",), when_dead=Add()),
        },
        when_done=OK,
    )
    await run_everything(world)
    # What works for somebody who has paid is not cancelled away: it is dead, and somebody has to look at it.
    assert await states(world.database, flow_id) == {
        "bad": "dead",
        "after": "cancelled",
        "long after": "cancelled",
        "report": "completed",
        "paid": "dead",
    }
    flow = await flow_of(world.database, flow_id)
    assert (flow.done, flow.failed, flow.finished_at is not None) == (1, 4, True)
    assert sorted(await kinds_without_flow(world.database)) == ["test.add", "test.play"]
    async with world.database.transaction() as session:
        assert PARENT_FAILED in {one.title for one in (await groups(session)).items}


async def test_a_retry_brings_back_what_was_given_up_and_the_flow_ends_again(
    world: World, store: Store
) -> None:
    flow_id = await ask(
        world.database,
        {
            "bad": Step(REFUSED),
            "after": Step(OK, after=("bad",)),
            "last": Step(OK, after=("after",)),
            "anyway": Step(OK, after=("bad",), if_parent_fails=OnParentFailure.RUN),
        },
        when_done=OK,
    )
    await run_everything(world)
    async with world.database.transaction() as session:
        ids = {one.step: one.id for one in (await drawing(session, flow_id)).jobs}
        with pytest.raises(Conflict, match="step “bad”, which failed"):
            await retry(session, ids["after"])
    async with world.database.transaction() as session:
        await retry(session, ids["bad"])
    assert await states(world.database, flow_id) == {
        "bad": "waiting",
        "after": "waiting",
        "last": "waiting",
        "anyway": "completed",
    }
    (claim,) = await store.claim({"test": 10})
    async with world.database.transaction() as session:
        await complete(session, fence_of(claim, store))
    await run_everything(world)
    assert set((await states(world.database, flow_id)).values()) == {"completed"}
    flow = await flow_of(world.database, flow_id)
    assert (flow.done, flow.failed) == (4, 0)
    assert await kinds_without_flow(world.database) == ["test.play", "test.play"]


async def test_a_retry_waits_for_no_parent_that_was_deleted(world: World) -> None:
    steps = {
        "bad": Step(REFUSED),
        "after": Step(OK, after=("bad",)),
        "last": Step(OK, after=("bad", "after")),
    }
    flow_id = await ask(world.database, steps)
    await run_everything(world)
    async with world.database.transaction() as session:
        ids = {one.step: one.id for one in (await drawing(session, flow_id)).jobs}
        await delete(session, ids["bad"])
    async with world.database.transaction() as session:
        await retry(session, ids["after"])
    await run_everything(world)
    assert await states(world.database, flow_id) == {"after": "completed", "last": "completed"}


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ({}, "no steps"),
        ({"a": Step(OK, after=("b",))}, "no step 'b' to wait for"),
        ({"a": Step(OK, after=("a",))}, "in a circle: a → a"),
        ({"a": Step(OK, after=("b",)), "b": Step(OK, after=("a",))}, "in a circle"),
    ],
)
async def test_what_is_no_graph_is_refused(database: Database, steps: dict[str, Step], words: str) -> None:
    async with database.transaction() as session:
        with pytest.raises(ValueError, match=words):
            await enqueue_flow(session, "a flow", steps)


async def test_what_may_be_wished_for_a_job_may_be_wished_for_a_step(world: World) -> None:
    later = now() + timedelta(hours=1)
    wishes: dict[str, Any] = {"share": "person/ada", "limit": "host/example.com"}
    steps = {
        "first": Step(Sealed(pin="1234"), keys=world.keys, **wishes),
        "second": Step(Sealed(pin="5678"), after=("first",), keys=world.keys, run_at=later, **wishes),
    }
    flow_id = await ask(world.database, steps)
    async with world.database.transaction() as session:
        first, second = (await drawing(session, flow_id)).jobs
        assert await enqueued(session, Sealed, world.keys) == [one.job for one in steps.values()]
    for one in (first, second):
        assert (one.share_key, one.limit_key, one.args) == ("person/ada", "host/example.com", {})
    assert (second.state, second.run_at, second.blocked_by) == (JobState.SCHEDULED, later, "parents")


async def test_a_batch_asks_for_its_follow_up_once_all_have_ended(world: World) -> None:
    async with world.database.transaction() as session:
        flow_id = await enqueue_batch(
            session, "letters", [OK] * 20 + [REFUSED], when_done=Add(), subject="order/1"
        )
    await run_everything(world)
    flow = await flow_of(world.database, flow_id)
    assert (flow.jobs, flow.done, flow.failed) == (21, 20, 1)
    assert await kinds_without_flow(world.database) == ["test.add"]


async def test_a_paused_flow_begins_nothing_until_it_is_resumed(world: World, store: Store) -> None:
    flow_id = await ask(world.database, {"a": Step(OK), "b": Step(OK), "c": Step(OK, after=("a",))})
    (running, *_) = await store.claim({"test": 1})
    async with world.database.transaction() as session:
        await pause_flow(session, flow_id)
    async with world.database.transaction() as session:
        await complete(session, fence_of(running, store))
    assert await store.claim({"test": 10}) == []
    async with world.database.transaction() as session:
        await resume_flow(session, flow_id)
    assert len(await store.claim({"test": 10})) == 2


async def test_a_flow_that_is_paused_between_a_claim_and_its_gate_begins_nothing(
    world: World, store: Store
) -> None:
    """What a limit has parked waits for the flow when the limit lets it go."""
    async with world.database.transaction() as session:
        await set_limit(session, "host/a", Limit(max_running=1))
        await enqueue(session, OK, limit="host/a")
    flow_id = await ask(world.database, {"a": Step(OK, limit="host/a")})
    (first,) = (await gates.admit(store, await store.claim({"test": 1}))).claims
    (second,) = await store.claim({"test": 1})
    async with world.database.transaction() as session:
        await pause_flow(session, flow_id)
    assert (await gates.admit(store, [second])).claims == []
    await store.complete([(first.id, 1, None)])
    await gates.wake(store)
    assert await store.claim({"test": 10}) == []
    async with world.database.transaction() as session:
        await resume_flow(session, flow_id)
    assert len(await store.claim({"test": 10})) == 1


async def test_a_cancelled_flow_ends_what_waits_and_asks_the_rest_to_stop(world: World, store: Store) -> None:
    flow_id = await ask(world.database, {"a": Step(OK), "b": Step(OK, after=("a",)), "c": Step(OK)})
    (running,) = await store.claim({"test": 1})
    async with world.database.transaction() as session:
        assert await cancel_flow(session, flow_id) >= 2
    assert sorted((await states(world.database, flow_id)).values()) == ["active", "cancelled", "cancelled"]
    async with world.database.transaction() as session:
        assert (await session.get_one(JobRow, running.id)).cancel_asked_at is not None


async def test_a_flow_that_works_for_a_paid_order_is_not_cancelled(database: Database) -> None:
    flow_id = await ask(database, {"a": Step(OK), "paid": Step(Paid(), after=("a",))})
    async with database.transaction() as session:
        with pytest.raises(Conflict, match="Refund or deliver"):
            await cancel_flow(session, flow_id)


@pytest.mark.slow
async def test_a_flow_of_more_jobs_than_a_statement_has_places_for_is_cancelled(database: Database) -> None:
    flow_id, count = await ask(database, {"a": Step(OK)}), 33_000
    more = """
    insert into jobs (id, kind, queue, args, priority, rank_at, run_at, max_attempts, flow_id, step)
    select gen_random_uuid(), kind, queue, args, priority, rank_at, run_at, max_attempts, flow_id, number::text
      from jobs cross join generate_series(2, :count) number
    """
    async with database.transaction() as session:
        await session.execute(text(more), {"count": count})
        # As it is done after so many: no plan is kept that was made for the few jobs of other tests.
        await session.execute(text("analyze jobs, job_parents"))
        await session.execute(text("update job_flows set jobs = :count"), {"count": count})
    async with database.transaction() as session:
        assert await cancel_flow(session, flow_id) == count
    async with database.transaction() as session:
        flow = await session.get_one(FlowRow, flow_id)
    assert (flow.failed, flow.finished_at is not None) == (count, True)


async def test_a_flow_may_be_cancelled_while_one_of_its_jobs_is_given_up_for_429s(
    world: World, store: Store
) -> None:
    """Both hold the flow before its jobs, so that neither waits for the other."""
    flow_id = await ask(world.database, {"a": Step(OK)})
    (one,) = await store.claim({"test": 1})
    fence = Fence(one.id, one.attempt, store.worker_id, one.flow_id)

    async def cancel() -> None:
        async with world.database.transaction() as session:
            await cancel_flow(session, flow_id)

    async with world.database.transaction() as session:
        await crowded_for(session, fence)
        cancelling = asyncio.create_task(cancel())
        async with asyncio.timeout(5):
            while not await session.scalar(text("select count(*) from pg_locks where not granted")):
                await asyncio.sleep(0.01)
        await bury(session, fence, Failure("429"))
    with pytest.raises(Conflict, match="have ended"):
        await cancelling
    assert await states(world.database, flow_id) == {"a": "dead"}

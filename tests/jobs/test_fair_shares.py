"""Customers take turns, whoever asked first and however much."""

from collections import Counter
from datetime import timedelta

from sqlalchemy import select, text

from models.base.clock import now
from models.base.db import Database, new_id
from models.jobs import Wish, enqueue_all
from models.jobs.dead import promote
from models.jobs.states import JobState
from models.jobs.store import Store
from models.jobs.tables import JobRow
from tasks.world import World
from tests.jobs.messages import Play

NOISY, *QUIET = (f"person/{name}" for name in "abcdefghij")


async def ask(database: Database, share: str | None, count: int, **wishes: object) -> None:
    async with database.transaction() as session:
        await enqueue_all(
            session,
            [Wish(Play(act="return"), share=share, **wishes) for _ in range(count)],  # type: ignore[arg-type]
        )


async def serve(world: World, count: int) -> list[str | None]:
    """Claim and complete so many jobs, one after the other. Returns whose they were."""
    store = Store(world.settings.database.url, new_id(), "test")
    served = []
    for _ in range(count):
        [claim] = await store.claim({"test": 1})
        await store.complete([(claim.id, claim.attempt, None)])
        served.append(claim.id)
    await store.close()
    async with world.database.transaction() as session:
        rows = (await session.execute(text("select id, share_key from jobs"))).all()
    shares = {row.id: row.share_key for row in rows}
    return [shares[one] for one in served]


def jain(service: list[int]) -> float:
    """Jain, Chiu and Hawe's index of fairness: 1 if all get the same, 1/n if one gets everything."""
    return float(sum(service) ** 2 / (len(service) * sum(one * one for one in service)))


async def test_a_customer_with_a_hundred_times_the_load_does_not_delay_nine_others(world: World) -> None:
    await ask(world.database, NOISY, 1200)
    for share in QUIET:
        await ask(world.database, share, 12)
    served = Counter(await serve(world, 100))
    assert jain([served[share] for share in (NOISY, *QUIET)]) >= 0.99
    # And all that the others wanted is done before the noisy one's rest.
    assert set(await serve(world, 20)) == {NOISY, *QUIET}
    assert set(await serve(world, 20)) == {NOISY}


async def test_shares_stay_fair_while_everybody_goes_on_asking(world: World) -> None:
    """Ten customers with a backlog that is filled up one by one, in an order that favours the noisy one."""
    await ask(world.database, NOISY, 60)
    await serve(world, 10)
    for share in QUIET:
        await ask(world.database, share, 3)
    served: Counter[str | None] = Counter()
    for _ in range(4):
        round_ = await serve(world, 10)
        served.update(round_)
        await ask(world.database, NOISY, 20)
        for one in set(round_) - {NOISY}:
            await ask(world.database, one, round_.count(one))
    assert jain([served[share] for share in (NOISY, *QUIET)]) >= 0.99


async def test_who_was_noisy_is_like_anybody_else_once_it_is_done(world: World) -> None:
    await ask(world.database, NOISY, 10)
    await serve(world, 10)
    other = QUIET[0]
    await ask(world.database, other, 3)
    await ask(world.database, NOISY, 3)
    assert await serve(world, 6) == [other, NOISY] * 3


async def test_who_comes_late_does_not_catch_up_with_what_others_have_had(world: World) -> None:
    """From then on they take turns: having been away is nothing to be paid for."""
    await ask(world.database, NOISY, 30)
    await serve(world, 10)
    await ask(world.database, QUIET[0], 5)
    assert Counter(await serve(world, 10)) == {NOISY: 5, QUIET[0]: 5}


async def test_a_share_counts_in_its_own_queue_and_what_is_for_later_keeps_its_time(world: World) -> None:
    """And puts nothing back that is for before it."""
    database = world.database
    await ask(database, NOISY, 3, run_at=now() + timedelta(hours=1))
    await ask(database, NOISY, 1, run_at=now() + timedelta(minutes=30))
    await ask(database, NOISY, 1)
    await ask(database, None, 1)
    async with database.transaction() as session:
        rows = await session.execute(
            text("select extract(epoch from rank_at - run_at)::int / 60 from jobs order by rank_at, id")
        )
        behind = rows.scalars().all()
    # 25 minutes are the middle priority; each that is there by then puts the next one back by five.
    assert behind == [25, 25, 25, 25, 30, 35]


async def test_a_job_that_is_promoted_stands_behind_those_that_wait(world: World) -> None:
    database = world.database
    await ask(database, NOISY, 1, run_at=now() + timedelta(days=7))
    await ask(database, NOISY, 2)
    async with database.transaction() as session:
        job = (await session.scalars(select(JobRow).where(JobRow.state == JobState.SCHEDULED))).one()
        await promote(session, job.id)
        await session.refresh(job)
        assert timedelta(minutes=34) < job.rank_at - job.run_at <= timedelta(minutes=35)

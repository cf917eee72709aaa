"""What the dispatcher does at its ticks, and what keeps it from none of it."""

import asyncio
from datetime import timedelta

from sqlalchemy import insert, select, text, update

from models.base.clock import now
from models.jobs import Wish, enqueue_all
from models.jobs.queues import pause
from models.jobs.tables import JobRow, LimitRow, ScheduleRow
from tasks.dispatcher import hold_and_act, late
from tasks.world import World
from tests.jobs.messages import Mourn, Play


async def test_what_fails_in_one_part_holds_up_no_other(world: World) -> None:
    """And ends nothing: who takes its place would meet the same."""
    async with world.database.transaction() as session:
        broken = {"name": "broken", "kind": Mourn.kind, "args": {"name": "Ada"}, "cron": "at tea-time"}
        await session.execute(insert(ScheduleRow).values(slot=now() - timedelta(days=1), **broken))
    acting = asyncio.create_task(hold_and_act(world))
    try:
        async with asyncio.timeout(5):
            tidied = False
            while not tidied:
                await asyncio.sleep(0.01)
                async with world.database.transaction() as session:
                    # What the schedules come before.
                    tidied = (await session.scalars(select(LimitRow))).first() is not None
        assert not acting.done()
    finally:
        acting.cancel()
        await asyncio.wait([acting])


async def test_queues_are_rung_for_again_however_much_waits_in_others(world: World) -> None:
    late_jobs = """
    insert into jobs (id, kind, queue, args, priority, rank_at, run_at, max_attempts)
    select gen_random_uuid(), 'test.play', 'test', '{}', 5, now() - interval '1 day', now() - interval '1 day', 3
      from generate_series(1, 1000)
    """
    async with world.database.transaction() as session:
        await session.execute(text(late_jobs))
        await pause(session, "test")
    async with world.database.transaction() as session:
        await enqueue_all(session, [Wish(Play(act="return")), Wish(Play(act="return"))])
        await session.execute(
            update(JobRow).where(JobRow.run_at > now() - timedelta(hours=1)).values(queue="other")
        )
        assert "other" not in await late(session)
        await session.execute(
            update(JobRow).where(JobRow.queue == "other").values(run_at=now() - timedelta(minutes=1))
        )
        assert "other" in await late(session)

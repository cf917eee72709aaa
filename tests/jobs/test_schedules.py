"""What happens by the clock, and what people decide about it."""

import asyncio
from datetime import datetime, timedelta
from typing import Any, ClassVar

import pytest
from sqlalchemy import delete, func, select, text, update
from structlog.testing import capture_logs

from models.base.clock import now
from models.base.db import Database, new_id
from models.base.errors import Conflict, Invalid, NotFound
from models.jobs import Job
from models.jobs.cron import Cron
from models.jobs.message import MAX_ARGS_BYTES
from models.jobs.schedules import (
    Schedule,
    ScheduleView,
    all_schedules,
    create,
    edit,
    fire_due,
    pause,
    remove,
    restore,
    resume,
    run_now,
)
from models.jobs.tables import JobRow, ScheduleRow


class Tidy(Job, frozen=True):
    kind: ClassVar[str] = "test.tidy"
    queue: ClassVar[str] = "wool"
    room: str = "all"


class Lock(Job, frozen=True):
    kind: ClassVar[str] = "test.lock"
    secrets: ClassVar[tuple[str, ...]] = ("code",)
    code: str


OFTEN = Schedule("tidy.often", timedelta(minutes=10), Tidy())
NIGHTLY = Schedule("tidy.nightly", Cron.read("0 3 * * *", "Europe/Berlin"), Tidy())
KNOWN = (OFTEN, NIGHTLY)
ME = new_id()


async def tick(database: Database, at: datetime, known: tuple[Schedule, ...] = KNOWN) -> int:
    """Fires what is due; returns how many jobs that made. They are gone afterwards, as if they had been done."""
    async with database.transaction() as session:
        await fire_due(session, known, at)
    async with database.transaction() as session:
        count = (await session.execute(select(func.count()).select_from(JobRow))).scalar_one()
        await session.execute(delete(JobRow))
    return count


async def view(database: Database, name: str) -> ScheduleView:
    async with database.transaction() as session:
        found = await all_schedules(session, KNOWN, now())
    return next(one for one in found if one.name == name)


async def test_what_was_missed_is_made_up_once_and_what_is_new_by_the_calendar_is_not(
    database: Database,
) -> None:
    at = datetime.fromisoformat("2026-05-05T12:05:00+00:00")
    assert await tick(database, at) == 1  # the frequent one; the nightly one waits for its first night
    assert await tick(database, at + timedelta(minutes=4)) == 0
    assert await tick(database, at + timedelta(minutes=5)) == 1
    assert await tick(database, at + timedelta(days=3)) == 2
    assert await tick(database, at + timedelta(days=3, minutes=1)) == 0


async def test_a_slot_is_skipped_and_says_so_while_the_last_job_is_under_way(database: Database) -> None:
    async def fire_at(at: datetime) -> ScheduleView:
        async with database.transaction() as session:
            await fire_due(session, KNOWN, at)
        return await view(database, "tidy.often")

    at = now()
    first = await fire_at(at)
    assert (first.fired_at is not None, first.skipped_at) == (True, None)
    second = await fire_at(at + timedelta(minutes=10))
    assert (second.fired_at, second.skipped_at is not None) == (first.fired_at, True)
    async with database.transaction() as session:
        await session.execute(delete(JobRow))
    third = await fire_at(at + timedelta(minutes=20))
    assert third.fired_at is not None
    assert second.skipped_at is not None
    assert third.fired_at > second.skipped_at == third.skipped_at


async def test_two_dispatchers_fire_a_schedule_once(database: Database) -> None:
    at = now()
    await tick(database, at)

    async def dispatch() -> None:
        async with database.transaction() as session:
            await fire_due(session, KNOWN, at + timedelta(days=1))

    await asyncio.gather(*(dispatch() for _ in range(4)))
    async with database.transaction() as session:
        keys = (await session.scalars(select(JobRow.unique_key))).all()
    assert sorted(str(key) for key in keys) == ["schedule/tidy.nightly", "schedule/tidy.often"]


async def test_a_person_gives_a_schedule_another_rhythm_and_takes_it_back(database: Database) -> None:
    async with database.transaction() as session:
        await edit(session, KNOWN, OFTEN.name, "0 4 * * mon", "America/New_York", seen="every 10 minutes")
    seen = await view(database, OFTEN.name)
    assert (seen.cron, seen.zone, seen.every, seen.is_edited) == (
        "0 4 * * MON",
        "America/New_York",
        None,
        True,
    )
    assert await tick(database, now()) == 0
    async with database.transaction() as session:
        await restore(session, KNOWN, OFTEN.name)
    seen = await view(database, OFTEN.name)
    assert (seen.every, seen.is_edited) == (timedelta(minutes=10), False)


async def test_of_two_people_who_change_a_schedule_at_once_the_second_hears_of_the_first(
    database: Database,
) -> None:
    async def change(cron: str) -> str:
        try:
            async with database.transaction() as session:
                await edit(session, KNOWN, OFTEN.name, cron, "UTC", seen="every 10 minutes")
        except Conflict as refusal:
            return refusal.words
        return ""

    first, second = sorted(await asyncio.gather(change("0 4 * * *"), change("0 5 * * *")))
    assert first == ""
    assert second.startswith("Somebody else has changed this schedule meanwhile, to 0 ")
    seen = (await view(database, OFTEN.name)).seen
    async with database.transaction() as session:
        await edit(session, KNOWN, OFTEN.name, "0 6 * * *", "UTC", seen=seen)
    assert (await view(database, OFTEN.name)).cron == "0 6 * * *"


async def test_a_paused_schedule_rests_and_makes_nothing_up(database: Database) -> None:
    # The nightly one may be due within the half hour in which this is run.
    known = (OFTEN,)
    await tick(database, now(), known)
    async with database.transaction() as session:
        await pause(session, KNOWN, OFTEN.name)
    assert (await view(database, OFTEN.name)).next_at is None
    assert await tick(database, now() + timedelta(minutes=30), known) == 0
    async with database.transaction() as session:
        await session.execute(update(ScheduleRow).values(slot=now() - timedelta(days=2)))
        await resume(session, KNOWN, OFTEN.name)
    assert await tick(database, now(), known) == 0
    assert await tick(database, now() + timedelta(minutes=10), known) == 1


async def test_a_schedule_is_run_now_once_at_a_time(database: Database) -> None:
    async with database.transaction() as session:
        job_id = await run_now(session, KNOWN, NIGHTLY.name, ME)
        assert await run_now(session, KNOWN, NIGHTLY.name, ME) is None
        job = await session.get_one(JobRow, job_id)
        assert (job.kind, job.asked_by) == ("test.tidy", ME)
        with pytest.raises(NotFound):
            await run_now(session, KNOWN, "tidy.never", ME)


async def test_a_person_makes_a_schedule_of_their_own_and_removes_it(database: Database) -> None:
    own: dict[str, Any] = {
        "kind": "test.tidy",
        "args": {"room": "attic"},
        "cron": "*/5 * * * *",
        "zone": "UTC",
        "made_by": ME,
    }
    async with database.transaction() as session:
        await create(session, KNOWN, "attic", **own)
    seen = await view(database, "attic")
    assert (seen.is_own, seen.kind, seen.args, seen.fired_at) == (True, "test.tidy", {"room": "attic"}, None)
    await tick(database, now())
    async with database.transaction() as session:
        await fire_due(session, KNOWN, now() + timedelta(minutes=5))
        job = await session.scalar(select(JobRow).where(JobRow.unique_key == "schedule/attic"))
        assert job is not None
        assert job.args == {"room": "attic"}
    async with database.transaction() as session:
        await remove(session, "attic")
        with pytest.raises(Conflict, match="Pause it instead"):
            await remove(session, OFTEN.name)


async def test_a_rhythm_that_is_not_understood_any_more_stops_no_schedule(database: Database) -> None:
    async with database.transaction() as session:
        await create(
            session, KNOWN, "attic", kind="test.tidy", args={}, cron="*/5 * * * *", zone="UTC", made_by=ME
        )
        await edit(session, KNOWN, OFTEN.name, "0 4 * * *", "UTC", seen="every 10 minutes")
        await session.execute(update(ScheduleRow).values(zone="Atlantis/Harbour"))
    assert await tick(database, now() + timedelta(minutes=10)) == 1
    assert (await view(database, OFTEN.name)).every == timedelta(minutes=10)


async def test_a_job_that_cannot_be_asked_for_stops_no_schedule(database: Database) -> None:
    own: dict[str, Any] = {"kind": "test.tidy", "cron": "*/5 * * * *", "zone": "UTC", "made_by": ME}
    async with database.transaction() as session:
        await create(session, KNOWN, "attic", args={}, **own)
        await create(session, KNOWN, "cellar", args={}, **own)
        long = {"room": "x" * MAX_ARGS_BYTES}
        await session.execute(update(ScheduleRow).where(ScheduleRow.name == "attic").values(args=long))
    with capture_logs() as logs:
        assert await tick(database, now() + timedelta(minutes=10)) == 2  # the frequent one, and the cellar
    assert [one["schedule"] for one in logs if one["event"] == "schedule.not_fired"] == ["attic"]


async def test_a_schedule_that_is_removed_while_others_fire_does_not_come_back(database: Database) -> None:
    """Its name would be taken for ever, by something that nobody sees and nobody can remove."""
    own: dict[str, Any] = {
        "kind": "test.tidy",
        "args": {},
        "cron": "*/5 * * * *",
        "zone": "UTC",
        "made_by": ME,
    }
    async with database.transaction() as session:
        await create(session, (OFTEN,), "attic", **own)
    await tick(database, now(), (OFTEN,))
    async with database.transaction() as session:
        await session.execute(select(ScheduleRow).where(ScheduleRow.name == OFTEN.name).with_for_update())
        ticking = asyncio.create_task(tick(database, now() + timedelta(minutes=10), (OFTEN,)))
        async with asyncio.timeout(5):
            while not await session.scalar(text("select count(*) from pg_locks where not granted")):
                await asyncio.sleep(0.01)
        async with database.transaction() as other:
            await remove(other, "attic")
    assert await ticking == 1
    async with database.transaction() as session:
        assert (await session.scalars(select(ScheduleRow.name))).all() == [OFTEN.name]


async def test_two_who_take_one_name_at_once_are_told_that_it_is_taken(database: Database) -> None:
    async def make() -> str:
        try:
            async with database.transaction() as session:
                await create(
                    session,
                    KNOWN,
                    "attic",
                    kind="test.tidy",
                    args={},
                    cron="0 0 * * *",
                    zone="UTC",
                    made_by=ME,
                )
        except Invalid as refusal:
            return refusal.fields["name"]
        return "made"

    assert sorted(await asyncio.gather(make(), make())) == [
        "There is a schedule of this name. Choose another one.",
        "made",
    ]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"kind": "test.nothing"}, "kind"),
        ({"kind": "test.lock", "args": {}}, "kind"),
        ({"args": {"room": 5}}, "args.room"),
        ({"args": {"floor": "2"}}, "args.floor"),
        ({"cron": "often"}, "cron"),
        ({"zone": "Here"}, "zone"),
        ({"name": "tidy.often"}, "name"),
        ({"name": "Tidy up!"}, "name"),
    ],
)
async def test_a_schedule_that_could_not_run_is_refused_by_field(
    database: Database, change: dict[str, object], field: str
) -> None:
    wanted: dict[str, Any] = {
        "name": "new",
        "kind": "test.tidy",
        "args": {},
        "cron": "0 0 * * *",
        "zone": "UTC",
    } | change
    async with database.transaction() as session:
        with pytest.raises(Invalid) as refused:
            await create(session, KNOWN, made_by=ME, **wanted)
    assert refused.value.fields.keys() == {field}

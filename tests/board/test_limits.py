"""What the board tells of limits: how much of each is taken, and which keys are full."""

from datetime import timedelta
from typing import Any

from sqlalchemy import insert, select

from models.accounts.states import Role
from models.accounts.tables import AuditEntry
from models.base.clock import now
from models.jobs import board as glance
from models.jobs.held import KeyView, full_keys, limits
from models.jobs.limits import Limit, Rate, set_limit, slow_down
from models.jobs.queues import limit_queue
from models.jobs.rules import LONGEST_SILENCE
from models.jobs.states import JobState
from models.jobs.tables import GateRow, LimitHourRow
from tests.board.conftest import Board

HOST = "host/a.example"


async def _full(board: Board) -> dict[str, KeyView]:
    async with board.database.transaction() as session:
        return {one.key: one for one in await full_keys(session)}


async def test_a_limit_tells_what_runs_and_how_much_of_its_rate_is_taken(board: Board):
    await board.job(JobState.ACTIVE, limit_key=HOST)
    async with board.database.transaction() as session:
        await set_limit(session, HOST, Limit(max_running=2, rate=Rate(60, 3600, burst=10)))
        await limit_queue(session, "default", Limit(rate=Rate(60, 3600, burst=10)))
        # One minute of a rate of one a minute is one of the burst.
        gates = [
            {"name": name, "full_at": now() + timedelta(minutes=3.5)}
            for name in (f"limit/{HOST}", "queue/default")
        ]
        await session.execute(insert(GateRow), gates)
    async with board.database.transaction() as session:
        one = next(one for one in (await limits(session)).items if one.key == HOST)
        (queue,) = await glance.queues(session, timedelta(seconds=8), "default")
    assert (one.running, one.used, queue.used) == (1, 4, 4)
    ana = await board.browser(Role.ANALYST)
    assert "4 of 10 taken now" in (await ana.open("/admin/queues/limits")).text
    assert "4 of 10" in (await ana.open("/admin/queues/default")).text


async def test_a_limit_tells_what_began_in_a_day_and_how_long_it_held_that_back(board: Board):
    hour = {
        "key": HOST,
        "began": 700,
        "waited": 2,
        "wait_seconds": 50.0,
        "longest_seconds": 40.0,
        "silences": 1,
    }
    async with board.database.transaction() as session:
        await set_limit(session, HOST, Limit(max_running=2))
        await set_limit(session, "host/quiet.example", Limit(max_running=2))
        rows = [hour | {"at": now() - timedelta(hours=age)} for age in (1, 23, 25)]
        await session.execute(insert(LimitHourRow), rows)
    screen = await (await board.browser(Role.ANALYST)).open("/admin/queues/limits")
    for words in (">1,400<", "asked for silence 2 times", ">4<", "25 s on average,", "40 s at most"):
        assert screen.html.count(words) == 1


async def test_the_keys_of_a_kind_that_are_full_are_told_one_by_one(board: Board):
    late = now() - timedelta(minutes=3)
    await board.jobs(2, JobState.ACTIVE, limit_key=HOST)
    await board.jobs(3, limit_key=HOST, blocked_by=f"limit/{HOST}", run_at=late)
    await board.job(JobState.ACTIVE, limit_key="host/quiet.example")
    async with board.database.transaction() as session:
        await set_limit(session, "host/*", Limit(max_running=2))
    found = await _full(board)
    assert list(found) == [HOST]
    assert (found[HOST].running, found[HOST].max_running, found[HOST].waiting) == (2, 2, 3)
    assert found[HOST].oldest_at == late


async def test_a_key_whose_rate_is_used_up_says_when_it_begins_again(board: Board):
    async with board.database.transaction() as session:
        await set_limit(session, "host/*", Limit(rate=Rate(1, 60)))
        full_at = now() + timedelta(seconds=50)
        await session.execute(insert(GateRow), [{"name": f"limit/{HOST}", "full_at": full_at}])
    opens_at = (await _full(board))[HOST].opens_at
    assert opens_at is not None
    assert abs(opens_at - full_at) < timedelta(seconds=2)


async def test_silence_is_told_of_a_key_without_a_limit_until_it_is_over(board: Board):
    async with board.database.transaction() as session:
        await slow_down(session, "model/writer", timedelta(minutes=5))
        await session.execute(insert(GateRow), [{"name": "limit/over", "closed_until": now() - timedelta(1)}])
    found = await _full(board)
    assert list(found) == ["model/writer"]
    assert found["model/writer"].closed_at is not None
    assert found["model/writer"].closed_until is not None
    page = (await (await board.browser(Role.EDITOR)).open("/admin/queues/limits")).text
    assert "model/writer" in page
    assert "The other side asked for silence" in page


async def test_an_editor_ends_the_silence_of_a_key(board: Board):
    async with board.database.transaction() as session:
        await slow_down(session, "model/writer", timedelta(days=1))
    closed_until = (await _full(board))["model/writer"].closed_until
    assert closed_until is not None
    assert closed_until <= now() + LONGEST_SILENCE
    ann = await board.browser(Role.ANALYST)
    assert "End the silence" not in (await ann.open("/admin/queues/limits")).text
    ed = await board.browser(Role.EDITOR)
    before = await ed.open("/admin/queues/limits")
    after = await ed.submit(before.form("End the silence"))
    assert "asked for silence" not in after.text
    # Pressed again from a page of before, it does nothing.
    await ed.submit(before.form("End the silence"))
    assert await board.written_down() == [("limit.silence_ended", "limit/model/writer")]


async def test_the_log_of_actions_keeps_a_limit_and_what_it_was(board: Board):
    ad = await board.browser(Role.ADMIN)
    # The address fills the key in.
    for page in ("/admin/queues/default", f"/admin/queues/limits?key={HOST}"):
        await ad.submit((await ad.open(page)).form("limiting"), rate_count="5", rate_seconds="1")
        await ad.submit((await ad.open(page)).form("limiting"), rate_burst="9")
    was = "5 in 1 s with 5 after a rest"
    async with board.database.transaction() as session:
        told = (await session.scalars(select(AuditEntry.detail).order_by(AuditEntry.id))).all()
    assert [(one["burst"], one["was"]) for one in told] == [(5, "no limit"), (9, was)] * 2


async def test_a_rate_is_lifted_by_emptying_its_two_numbers_alone(board: Board):
    ad = await board.browser(Role.ADMIN)
    rate: dict[str, Any] = {"max_running": "2", "rate_count": "5", "rate_seconds": "1", "rate_burst": "9"}
    for page in ("/admin/queues/default", f"/admin/queues/limits?key={HOST}"):
        await ad.submit((await ad.open(page)).form("limiting"), **rate)
        form = (await ad.open(page)).form("limiting")
        assert form.fields["rate_burst"] == "9"
        half = await ad.submit(form, rate_count="")
        assert "fill in both, or leave both empty" in half.text
        assert (await ad.submit(form, rate_count="", rate_seconds="")).status == 200
        left = (await ad.open(page)).form("limiting").fields
        assert [left[name] for name in rate] == ["2", "", "", ""]


async def test_the_limit_of_a_whole_queue_is_set_on_its_own_page(board: Board):
    ad = await board.browser(Role.ADMIN)
    form = (await ad.open("/admin/queues/limits")).form("/admin/queues/limits")
    screen = await ad.submit(form, key="queue/mail", max_running="1")
    assert screen.status == 422
    assert "on its own page" in screen.text


async def test_limits_are_shown_a_page_at_a_time_and_any_of_them_can_be_changed(board: Board):
    keys = [f"host/{number:02}.example" for number in range(30)]
    async with board.database.transaction() as session:
        for key in keys:
            await set_limit(session, key, Limit(max_running=7))
    ad = await board.browser(Role.ADMIN)
    first = await ad.open("/admin/queues/limits")
    second = await ad.open(first.links["More limits"])
    assert [[key in page.text for page in (first, second)] for key in (keys[0], keys[-1])] == [
        [True, False],
        [False, True],
    ]
    form = (await ad.open(f"/admin/queues/limits?key={keys[-1]}")).form("limiting")
    assert (form.fields["max_running"], form.fields["seen"]) == ("7", "7 at once")
    assert (await ad.open("/admin/queues/limits?key=%00")).form("limiting").fields["seen"] == "no limit"

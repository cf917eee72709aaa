"""Pages of the board in a real browser while jobs change: fifty a second on the first of them."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from datetime import timedelta
from typing import Any

import pytest
from playwright.async_api import Browser, Page
from redis.asyncio import Redis
from sqlalchemy import insert, text

from models.accounts.states import Role
from models.base.clock import now
from models.base.db import Database, new_id
from models.base.settings import Settings
from models.jobs.board_tables import MetricRow
from models.jobs.metrics import TIMES
from models.jobs.queues import pause
from models.jobs.states import JobState
from models.jobs.tables import JobRow
from tests.browser.conftest import chromium
from tests.web.site import served

__all__ = ["chromium"]
pytestmark = [pytest.mark.browser, pytest.mark.slow]

QUEUES, JOBS, CHANGES, SECONDS = 40, 400, 50, 4
#: Done in one queue, and asked for in another.
CHANGE = text(
    """
    with done as (update jobs set state = 'completed', finished_at = now()
                   where id = (select id from jobs where state = 'waiting' limit 1) returning *)
    insert into jobs (id, kind, queue, args, priority, rank_at, run_at, max_attempts)
    select gen_random_uuid(), kind, cast(:queue as text), args, 5, now(), now(), 3 from done
    """
)
#: Whoever reads is far down, on a link, with the numbers of the chart open; what moves is counted.
WATCH = """
async () => {
  const live = document.querySelector("#overview");
  document.querySelector(".chart-values").open = true;
  const link = [...document.querySelectorAll("a")].find((one) => one.textContent === "queue-30");
  link.focus();
  link.isMine = true;
  scrollTo(0, 700);
  await new Promise((next) => setTimeout(next, 500));
  window.seen = { places: new Set(), replaced: 0, shifted: 0 };
  new MutationObserver((all) => {
    for (const one of all) seen.replaced += [...one.addedNodes, ...one.removedNodes].filter((node) => node.nodeType === 1).length;
  }).observe(live, { childList: true, subtree: true });
  new PerformanceObserver((list) => { for (const one of list.getEntries()) seen.shifted += one.value; })
    .observe({ type: "layout-shift" });
  (function look() { seen.places.add(scrollY); requestAnimationFrame(look); })();
}
"""
#: The jobs of the list, in their order.
ROWS = "() => [...document.querySelectorAll('#jobs tbody tr')].map((one) => one.id).join()"
TOLD = """
() => ({
  places: [...seen.places], replaced: seen.replaced, shifted: seen.shifted,
  isFocused: document.activeElement.isMine === true, isOpen: document.querySelector(".chart-values").open,
})
"""


async def fill(database: Database) -> None:
    at = now()
    same = {
        "kind": "orders.tend_reviews",
        "args": {},
        "priority": 5,
        "rank_at": at,
        "run_at": at,
        "max_attempts": 3,
    }
    rows = [{"id": new_id(), "queue": f"queue-{number % QUEUES:02}"} | same for number in range(JOBS)]
    async with database.transaction() as session:
        await session.execute(insert(JobRow), rows)


@asynccontextmanager
async def changing(database: Database) -> AsyncIterator[None]:
    async def change() -> None:
        began = time.monotonic()
        for number in itertools.count(1):
            async with database.transaction() as session:
                await session.execute(CHANGE, {"queue": f"queue-{number % 7:02}"})
            await asyncio.sleep(max(0.0, began + number / CHANGES - time.monotonic()))

    task = asyncio.create_task(change())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def died(database: Database, fingerprint: str, error: str) -> None:
    """A job that died of this."""
    at = now()
    row = {"id": new_id(), "kind": "orders.tend_reviews", "queue": "default", "args": {}, "priority": 5}
    row |= {"rank_at": at, "run_at": at, "max_attempts": 1, "state": JobState.DEAD, "finished_at": at}
    async with database.transaction() as session:
        await session.execute(insert(JobRow), [row | {"error": error, "fingerprint": fingerprint}])


async def waiting_in(page: Page, queue: str) -> str:
    return await page.locator("tr", has=page.get_by_text(queue, exact=True)).locator("td").nth(2).inner_text()


Live = Callable[[str], AbstractAsyncContextManager[Page]]


@pytest.fixture
def live(settings: Settings, database: Database, redis: Redis, chromium: Browser) -> Live:
    """Opens a page before an admin, its stream open."""

    @asynccontextmanager
    async def opened(path: str) -> AsyncIterator[Page]:
        given = {"database": database, "redis": redis}
        async with served(settings.database.url, settings.redis.url, given=given) as (site, _):
            context = await chromium.new_context(base_url=site.base_url)
            visitor = site.browser()
            await site.sign_in(visitor, "ann@example.com", Role.ADMIN)
            cookies: list[Any] = [
                {"name": one.name, "value": one.value, "url": site.base_url}
                for one in visitor.client.cookies.jar
            ]
            await context.add_cookies(cookies)
            page = await context.new_page()
            async with page.expect_request(f"**{path}/events"):
                await page.goto(path)
            yield page
            await context.close()

    return opened


async def test_fifty_changes_a_second_move_neither_the_page_nor_the_focus_and_do_not_flash(
    database: Database, live: Live
) -> None:
    await fill(database)
    async with live("/admin/queues") as page:
        await page.evaluate(WATCH)
        before = await waiting_in(page, "queue-03")
        async with changing(database):
            await page.wait_for_timeout(SECONDS * 1000)
        assert await waiting_in(page, "queue-03") != before
        told = await page.evaluate(TOLD)
    assert told["places"] == [700]
    assert (told["isFocused"], told["isOpen"]) == (True, True)
    assert told["shifted"] < 0.01
    # Words change within what stands there; only a queue whose health changes gets another badge.
    assert told["replaced"] < 2 * QUEUES


async def test_the_list_of_jobs_follows_fifty_changes_a_second_but_for_what_is_ticked_and_typed(
    database: Database, live: Live
) -> None:
    await fill(database)
    async with live("/admin/queues/jobs") as page:
        await page.locator("#q").fill("queue:queue-03")
        before, box = await page.evaluate(ROWS), page.locator("[name=job]").nth(3)
        async with changing(database):
            await page.wait_for_function(f"(before) => ({ROWS})() !== before", arg=before)
            await box.check()
            ticked = await page.evaluate(ROWS)
            await page.evaluate("scrollTo(0, 300)")
            await page.wait_for_timeout(2_500)
        assert await page.evaluate(ROWS) == ticked
        assert await box.is_checked()
        assert await page.evaluate("scrollY") == 300
        assert await page.locator("#q").input_value() == "queue:queue-03"
        await box.uncheck()
        await page.wait_for_function(f"(ticked) => ({ROWS})() !== ticked", arg=ticked)


async def test_one_box_ticks_all_jobs_of_the_page_and_shows_whether_they_are(
    database: Database, live: Live
) -> None:
    await fill(database)
    async with live("/admin/queues/jobs") as page:
        boxes, ticks = page.locator("[name=job]"), page.get_by_label("Tick all on this page")
        await ticks.focus()
        await page.keyboard.press("Space")
        assert await page.locator("[name=job]:checked").count() == await boxes.count() == 25
        await boxes.nth(3).uncheck()
        assert not await ticks.is_checked()
        assert await ticks.evaluate("(box) => box.indeterminate")
        await boxes.nth(3).check()
        assert await ticks.is_checked()
        await page.get_by_role("button", name="Cancel").click()
        await page.get_by_text("Cancel: 25 of 25.").wait_for()


async def test_on_a_phone_the_chosen_state_is_in_sight(database: Database, live: Live) -> None:
    await fill(database)
    async with live("/admin/queues/jobs") as page:
        await page.set_viewport_size({"width": 390, "height": 800})
        await page.goto("/admin/queues/jobs?q=state:cancelled")
        chosen = await page.locator("#jobs [aria-current]").bounding_box()
    assert chosen is not None
    assert 0 <= chosen["x"] <= chosen["x"] + chosen["width"] <= 390


async def test_on_a_tablet_a_wide_table_moves_and_the_page_does_not(database: Database, live: Live) -> None:
    await fill(database)
    async with live("/admin/queues") as page:
        await page.set_viewport_size({"width": 720, "height": 1000})
        assert await page.evaluate("document.documentElement.scrollWidth") <= 720


async def test_a_note_that_is_being_written_stays_while_others_are_not_shown(
    database: Database, live: Live
) -> None:
    await died(database, "f00d", "OSError: the disk was full")
    async with live("/admin/queues/errors") as page:
        await page.get_by_text("Say what it is").click()
        note = page.get_by_label("What is known")
        await note.fill("A larger one")
        await died(database, "cafe", "ValueError: no such colour")
        async with page.expect_event("console", lambda said: said.text == "looked"):
            await page.evaluate(
                "addEventListener('htmx:sse:before:message', () => console.log('looked'), { once: true })"
            )
        assert await note.input_value() == "A larger one"
        assert await page.get_by_text("no such colour").count() == 0
        await page.get_by_text("Say what it is").click()
        await page.get_by_text("no such colour").wait_for()


async def test_what_is_typed_and_read_on_a_queues_page_stays_while_the_rest_moves_on(
    database: Database, live: Live
) -> None:
    async with live("/admin/queues/default") as page:
        tables = page.locator(".chart-values")
        read, closed = tables.nth(0), tables.nth(1)
        await read.locator("summary").click()
        before = await read.locator("tbody").inner_text()
        await page.locator("#rate_count").fill("5")
        place = await page.evaluate("scrollY")
        async with database.transaction() as session:
            await session.execute(insert(MetricRow), [minute()])
            await pause(session, "default")
        await page.get_by_role("button", name="Go on").wait_for()
        assert "3.15" in (await closed.locator("tbody").text_content() or "")
        assert await read.locator("tbody").inner_text() == before
        assert await page.locator("#rate_count").input_value() == "5"
        assert await page.evaluate("document.activeElement.id") == "rate_count"
        assert (await page.evaluate("scrollY")) == place > 0


def minute() -> dict[str, Any]:
    """A job that waited three seconds and ran as long, a few minutes ago."""
    at = now().replace(second=0, microsecond=0) - timedelta(minutes=3)
    times = [int(number == TIMES.index(3.15)) for number in range(len(TIMES))]
    return {"minute": at, "queue": "default", "completed": 1, "waits": times, "runs": times}

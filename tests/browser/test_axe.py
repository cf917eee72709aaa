"""What axe-core finds on the pages of customers and editors, by day and by night: nothing serious. And all fit a phone.

axe finds about half of what keeps people out; the other half, a person has to look for.
"""

import asyncio
from collections.abc import Iterable
from importlib.resources import files
from typing import Any, Final

import pytest
from playwright.async_api import Browser, Page, ViewportSize
from sqlalchemy import update

from infra.local.visitor import Browser as Visitor
from models.accounts.states import Role
from models.base.clock import now
from models.base.db import new_id
from models.jobs import enqueue
from models.jobs.bulk import begin
from models.jobs.filter import Filter
from models.jobs.flows import Step, enqueue_flow
from models.jobs.schedules import create
from models.jobs.states import BulkDeed
from models.jobs.tables import JobRow
from models.orders.jobs import TendReviews
from tests.orders.selling import ARTICLE, Shop

pytestmark = [pytest.mark.browser, pytest.mark.slow]

AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text()
#: WCAG 2.2 at level AA (https://www.w3.org/TR/WCAG22/) and what axe calls good practice.
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
GRAVE = ("serious", "critical")
DESK: Final[ViewportSize] = {"width": 1280, "height": 720}
PHONE: Final[ViewportSize] = {"width": 390, "height": 844}
NIGHTLY: Final = TendReviews()
#: Addresses have no place to break at, and stand in headings.
BOSS = "somebody.with.quite.a.long.name@department.of.the.firm.example.com"
#: So has what people look for, such as a pasted one.
PASTED = f"/?q=https://example.com/{'x' * 60}"

STRANGERS = (
    "/",
    PASTED,
    ARTICLE,
    f"{ARTICLE}/order",
    "/sign-in",
    "/help",
    "/terms",
    "/privacy",
    "/no/such/page",
)
CUSTOMERS = (
    "/orders",
    "/account",
    "/account/sessions",
    "/account/tokens",
    "/account/tokens/new",
    "/account/passkeys",
    "/account/notifications",
    "/account/data",
    "/invoices",
    "/invoices/billing",
    "/inbox",
    "/reports",
    "/reports/new",
)
ADMINS = (
    "/admin",
    "/admin/review",
    "/admin/orders",
    "/admin/queues",
    "/admin/queues/default",
    "/admin/queues/jobs?q=state:completed",
    "/admin/queues/jobs?q=colour:red",
    "/admin/queues/jobs/new?kind=orders.create_order",
    "/admin/queues/bulk",
    "/admin/queues/bulk/new?q=state:completed",
    "/admin/queues/alerts",
    "/admin/queues/effects",
    "/admin/queues/flows",
    "/admin/queues/errors",
    "/admin/queues/kinds",
    "/admin/queues/schedules",
    "/admin/queues/schedules/new",
    "/admin/queues/limits",
    "/admin/queues/workers",
    "/admin/queues/mail",
    "/admin/webhooks",
    "/admin/people",
    "/admin/audit",
    "/admin/system",
    "/admin/money",
    "/admin/money/disputes",
    "/admin/money/differences",
    "/admin/search?q=G-1001",
    "/admin/sites",
    "/admin/sites/new",
    "/admin/denied-domains",
    "/admin/mail",
    "/admin/mail/suppressions",
    "/account/passkeys/new",
)


async def found_by(chromium: Browser, shop: Shop, visitor: Visitor | None, paths: Iterable[str]) -> list[str]:
    """What is grave on these pages for whoever has this visitor's cookies: the rule, and what breaks it."""
    context = await chromium.new_context(base_url=shop.site.base_url, reduced_motion="reduce")
    for one in visitor.client.cookies.jar if visitor else ():
        await context.add_cookies([{"name": one.name, "value": one.value or "", "url": shop.site.base_url}])
    page = await context.new_page()
    found = []
    for path in paths:
        await page.emulate_media(color_scheme="light")
        await page.goto(path)
        await page.evaluate(AXE)
        found += [f"{path}: {one}" for one in await _grave(page, {"type": "tag", "values": RULES})]
        await page.emulate_media(color_scheme="dark")
        dark = await _grave(page, {"type": "rule", "values": ["color-contrast"]})
        found += [f"{path} in the dark: {one}" for one in dark]
        await page.set_viewport_size(PHONE)
        if await page.evaluate("document.documentElement.scrollWidth") > PHONE["width"]:
            found.append(f"{path} is wider than a phone")
        await page.set_viewport_size(DESK)
    await context.close()
    return found


async def _grave(page: Page, only: dict[str, Any]) -> list[str]:
    options = {"runOnly": only, "resultTypes": ["violations"]}
    answer = await page.evaluate("options => axe.run(document, options)", options)
    return [
        f"{rule['id']} {node['html'][:160]}"
        for rule in answer["violations"]
        if rule["impact"] in GRAVE
        for node in rule["nodes"]
    ]


async def of_the_board(shop: Shop) -> list[str]:
    """The pages of a job that has died, of a flow, of a bulk action and of a schedule of one's own, which are made."""
    async with shop.site.database.transaction() as session:
        flow_id = await enqueue_flow(
            session, "letters", {"a": Step(NIGHTLY), "b": Step(NIGHTLY, after=("a",))}
        )
        job_id = await enqueue(session, NIGHTLY)
        died = {
            "state": "dead",
            "finished_at": now(),
            "error": "OSError: the disk was full",
            "fingerprint": "f00d",
        }
        await session.execute(update(JobRow).where(JobRow.id == job_id).values(died))
        bulk_id = await begin(session, Filter.read("state:dead"), BulkDeed.RETRY, new_id())
        rhythm: dict[str, Any] = {"cron": "0 6 * * *", "zone": "UTC", "made_by": new_id()}
        await create(session, (), "reviews.early", kind=NIGHTLY.kind, args={}, **rhythm)
    paths = (f"jobs/{job_id}", f"jobs/{job_id}/arguments", f"flows/{flow_id}", f"bulk/{bulk_id}")
    return [f"/admin/queues/{path}" for path in (*paths, "schedules/reviews.early")]


async def test_no_page_has_a_grave_fault(chromium: Browser, shop: Shop):
    async with shop.site.browser() as ada, shop.site.browser() as boss:
        order = (await shop.buy(ada)).path
        await shop.site.sign_in(boss, BOSS, Role.ADMIN)
        person = (await boss.open("/admin/people")).links[BOSS]
        board = await of_the_board(shop)
        own = (order, f"{order}/submission", f"{order}/messages")
        visits = (
            (None, STRANGERS),
            (ada, (*own, *CUSTOMERS)),
            (boss, (f"/admin{order}", person, *board, *ADMINS)),
        )
        found = await asyncio.gather(*(found_by(chromium, shop, who, paths) for who, paths in visits))
    assert found == [[], [], []]

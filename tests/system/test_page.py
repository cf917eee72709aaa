"""The page that says how each part of the installation stands."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import pytest
from sqlalchemy import insert

from infra.local.visitor import Screen
from models.accounts.states import Role
from models.base.clock import now
from models.base.db import new_id
from models.base.process import DISPATCHER_LOCK
from models.everything import SCHEDULES
from models.jobs.board_tables import AlertRow
from models.jobs.schedules import fire_due, pause
from models.jobs.states import AlertKind
from models.jobs.tables import WorkerRow
from models.mail.states import LetterState
from models.mail.tables import EmailMessage
from models.migrations import newest_revision
from models.payments.stripe import API_VERSION
from models.payments.tables import StripeEvent
from models.system import database_facts, late_schedules
from tasks.world import World
from tests.orders.selling import counting
from tests.web.site import Site, lasting_site, settings_for, site
from tests.web.test_health import NOWHERE

HOST = "worker-7.internal"


@pytest.fixture
async def place(world: World) -> Site:
    return await lasting_site(world.settings, world.database, world.redis)


async def seen(place: Site, role: Role = Role.ADMIN) -> Screen:
    """The page as somebody of this role sees it."""
    async with place.browser() as browser:
        await place.sign_in(browser, f"{new_id()}@example.com", role)
        return await browser.open("/admin/system")


def standings(screen: Screen) -> dict[str, str]:
    """How each part stands, by its name."""
    rows = re.findall(
        r'data-label="Part">(.*?)</td>\s*<td[^>]*data-label="State">(.*?)</td>', screen.html, re.DOTALL
    )
    return {_words(name): _words(state) for name, state in rows}


def _words(html: str) -> str:
    return re.sub(r"<[^>]*>", "", html).strip()


@pytest.fixture
async def running(place: Site, database_url: str) -> AsyncIterator[None]:
    """A dispatcher that acts and a worker that beats."""
    lock = await asyncpg.connect(database_url, server_settings={"application_name": "dispatcher lock"})
    await lock.execute("select pg_advisory_lock($1)", DISPATCHER_LOCK)
    async with place.database.transaction() as session:
        await session.execute(
            insert(WorkerRow), [{"id": new_id(), "host": HOST, "pid": 7, "queues": {"mail": 8}}]
        )
        await fire_due(session, SCHEDULES, now())
    yield
    await lock.close()


@pytest.mark.usefixtures("running")
async def test_an_installation_that_is_well_says_so_part_by_part_without_a_secret(place: Site):
    screen = await seen(place)

    assert set(standings(screen).values()) == {"Good"}, screen.text
    assert "Everything is well" in screen.text
    for told in ("1 lives", "One acts", f"At migration {newest_revision()}", "dispatcher 1", API_VERSION):
        assert told in screen.text
    settings = place.settings
    secrets = [settings.app.secret_key, settings.stripe.secret_key, *settings.stripe.webhook_secrets]
    for secret in secrets:
        assert secret is not None
        assert secret.get_secret_value() not in screen.html
    assert settings.database.url not in screen.html


@pytest.mark.parametrize("role", [Role.CUSTOMER, Role.ANALYST, Role.EDITOR])
async def test_nobody_but_an_admin_learns_of_the_system(place: Site, role: Role):
    assert (await seen(place, role)).status == 404


async def test_what_is_wrong_is_shown_with_where_to_see_to_it(place: Site):
    at = now()
    long_ago = at - timedelta(minutes=7)
    async with place.database.transaction() as session:
        worker = {"id": new_id(), "host": HOST, "pid": 7, "queues": {}, "beat_at": long_ago}
        await session.execute(insert(WorkerRow), [worker])
        session.add(
            AlertRow(
                kind=AlertKind.BACKLOG, subject="mail", words="More than 100 jobs wait in the queue mail."
            )
        )
        event = {
            "id": "evt_1",
            "type": "charge.updated",
            "is_live": False,
            "payload": {},
            "received_at": long_ago,
        }
        await session.execute(insert(StripeEvent), [event])
        letter = {
            "id": new_id(),
            "kind": "orders.paid",
            "key": "one",
            "to_address": "a@example.com",
            "facts": {},
        }
        await session.execute(
            insert(EmailMessage), [letter | {"created_at": long_ago, "state": LetterState.QUEUED}]
        )
    screen = await seen(place)

    found = standings(screen)
    bad = {"Workers", "Dispatcher", "Schedules", "Alerts", "Mail", "Stripe"}
    assert {name for name, state in found.items() if state == "Bad"} == bad
    assert "6 parts are bad" in screen.text
    assert screen.link("Workers") == "/admin/queues/workers"
    assert 'href="/admin/mail?state=queued"' in screen.html
    for told in (
        "dispatcher-silent",
        "More than 100 jobs",
        "waited for 7 minutes",
    ):
        assert told in screen.text


@pytest.mark.slow
async def test_without_redis_the_page_stands_and_says_it(world: World, database_url: str):
    async with site(settings_for(database_url, NOWHERE), database=world.database) as place:
        screen = await seen(place)

    assert screen.status == 200
    assert standings(screen)["Redis"] == "Bad"
    assert "Pages and jobs go on from PostgreSQL" in screen.text


async def test_a_transaction_that_somebody_leaves_open_is_found(place: Site, database_url: str):
    other = await asyncpg.connect(database_url)
    try:
        await other.execute("begin")
        began_at = await other.fetchval("select now()")
        async with place.database.transaction() as session:
            facts = await database_facts(session)
    finally:
        await other.close()

    assert facts.oldest_transaction_at == began_at


async def test_a_schedule_is_late_when_its_moment_has_passed_unless_it_is_paused(place: Site):
    async with place.database.transaction() as session:
        at = now()
        assert len(await late_schedules(session, SCHEDULES, at)) == len(SCHEDULES)
        await fire_due(session, SCHEDULES, at)
        assert await late_schedules(session, SCHEDULES, at) == []
        later = at + timedelta(days=40)
        await pause(session, SCHEDULES, SCHEDULES[0].name)
        assert set(await late_schedules(session, SCHEDULES, later)) == {one.name for one in SCHEDULES[1:]}


async def test_the_page_asks_little(place: Site):
    async with counting(place.database) as sent:
        await seen(place)

    assert len(sent) < 30

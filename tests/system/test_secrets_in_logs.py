"""No secret and no address of a person is in the log, also when things go wrong in the middle of them."""

import logging
import traceback
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
import structlog
from sqlalchemy import text

from models.accounts.states import Role
from models.accounts.tables import Person
from models.base.db import Database
from models.base.logs import QUIET
from models.base.settings.selling import StripeSettings
from models.jobs import enqueue
from models.notices.actions import announce
from models.notices.endpoints import Wanted, add_endpoint
from models.payments.jobs import FetchMissedEvents
from tasks.testing import run_everything
from tasks.world import World
from tests.accounts.conftest import letters
from tests.web.site import lasting_site

ADDRESS = "ada.lovelace@example.com"
#: Nobody listens here.
DEAD = "127.0.0.1:1"


@asynccontextmanager
async def without(database: Database, table: str) -> AsyncIterator[None]:
    """While the block lasts, whoever needs the table meets a fault."""
    async with database.transaction() as session:
        await session.execute(text(f"alter table {table} rename to hidden"))
    try:
        yield
    finally:
        async with database.transaction() as session:
            await session.execute(text(f"alter table hidden rename to {table}"))


def written(line: Mapping[str, Any]) -> str:
    """A line of the log with the traceback that stands below it."""
    error = line.get("exc_info")
    error = structlog.processors._figure_out_exc_info(error) if error else None
    return f"{line} {''.join(traceback.format_exception(*error)) if error else ''}"


@pytest.mark.slow
async def test_nothing_secret_is_logged_whatever_goes_wrong(world: World, caplog: pytest.LogCaptureFixture):
    stripe = StripeSettings(
        secret_key="sk_test_swordfish", webhook_secrets="whsec_swordfish", api_base=f"http://{DEAD}"
    )
    world = replace(world, settings=world.settings.model_copy(update={"stripe": stripe}))
    place = await lasting_site(world.settings, world.database, world.redis)
    caplog.set_level(logging.INFO)
    for library in QUIET:
        caplog.set_level(logging.WARNING, library)
    with structlog.testing.capture_logs() as lines:
        async with place.browser() as ada:
            # Signing in, with a fault at each step.
            async with without(world.database, "email_messages"):
                form = (await ada.open("/sign-in")).form("/sign-in")
                assert (await ada.submit(form, email=ADDRESS)).status == 500
            code_page = await ada.submit(form, email=ADDRESS)
            (letter,) = await letters(world.database, world.keys)
            await ada.submit(code_page.form("/sign-in/code"), code=letter.other_code)
            confirming = (await ada.open(letter.path)).form("/sign-in/confirm")
            async with without(world.database, "accounts_sessions"):
                assert (await ada.submit(confirming)).status == 500
            await ada.submit(confirming)
            # A token for programs, made and refused.
            making = (await ada.open("/account/tokens/new")).form("token-form")
            async with without(world.database, "accounts_tokens"):
                assert (await ada.submit(making, name="Mine", scopes="orders:read")).status == 500
            shown = await ada.submit(making, name="Mine", scopes="orders:read")
            token = "glt_" + shown.html.partition('value="glt_')[2].partition('"')[0]
            session_token = ada.client.cookies["galley_session"]
            for shown_token in (token, token[:-1]):
                headers = {"Authorization": f"Bearer {shown_token}"}
                assert (await ada.client.get("/api/v1/admin/orders", headers=headers)).status_code in {
                    401,
                    403,
                }
            # Stripe: a letter of somebody else's, and nobody there.
            forged = {"Stripe-Signature": "t=1,v1=swordfish"}
            assert (
                await ada.client.post("/webhooks/stripe", content=b"{}", headers=forged)
            ).status_code == 400
        # A webhook of ours, and a letter, that cannot be delivered.
        async with world.database.transaction() as session:
            boss = Person(email="boss@example.com", role=Role.ADMIN)
            session.add(boss)
            await session.flush()
            wanted = Wanted(f"http://{DEAD}/hooks", "Ours", ("notification.created",))
            _, secret = await add_endpoint(session, boss, wanted, world.keys, (DEAD,))
            await announce(session, "notification.created", {"title": "Hi"})
            await enqueue(session, FetchMissedEvents())
        await run_everything(world)

    told = [*map(written, lines), *caplog.messages, caplog.text]
    events = {line["event"] for line in lines}
    assert {"web.fault", "payments.webhook_refused", "job.failed"} <= events, events
    secrets = [letter.token, letter.code, session_token, token, secret, "swordfish", ADDRESS]
    secrets += [world.settings.app.secret_key.get_secret_value(), world.settings.database.url]
    assert [(one, line) for one in secrets for line in told if one in line] == []

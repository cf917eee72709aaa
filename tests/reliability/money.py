"""Money leaves the house, and the answers get lost, or somebody dies between two steps.

Stripe is the pay sandbox, a process with Stripe's idempotency keys and Stripe's events, which counts what it has
carried out.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from signal import SIGKILL
from uuid import UUID

from pydantic import SecretStr

from infra.sandbox.client import SandboxClient
from models.accounts.tables import Person
from models.base.db import Database
from models.base.settings.selling import StripeSettings
from models.jobs import Job
from models.payments.checkouts import Expected, begin_session, expect_payment
from models.payments.inbox import look_up
from models.payments.jobs import ForgetPayers
from models.payments.refunds import ask_refund
from models.payments.stripe import Stripe
from tests.emails.conftest import MIRA
from tests.reliability.oracle import judge_effects
from tests.reliability.proxy import wire_to
from tests.reliability.stage import PATIENCE, Stage
from tests.sandbox.servers import SandboxProcess

#: What is asked for when something happens to a payment that no job of the suite follows from.
NOBODY_LISTENS = ForgetPayers()
_UNGIVEN = "kind = 'payments.give_refund' and finished_at is null"

#: One refund at Stripe for each that was asked for.
_REFUNDS = """
select nullif(split_part(ours.kind, '_', 2), '')::bigint as token, coalesce(theirs.times, 0) as times, 1 as most,
       ours.state = 'succeeded' as is_settled
  from payments_refunds ours
  full join (select body -> 'metadata' ->> 'refund_id' as id, count(*) as times
               from pay_sandbox.object where kind = 'refund' group by 1) theirs on theirs.id = ours.id::text
"""


async def answers_of_stripe_lost(stage: Stage) -> None:
    """Refunds, while a worker dies with some of its calls on their way: they arrive after others have made them anew."""
    stage.oracle = partial(judge_effects, effects=_REFUNDS, kind="payments.give_refund")
    async with stripe(stage) as url, wire_to(int(url.rpartition(":")[2])) as wire:
        paid = await _paid(stage, url, stage.size.jobs // 3)
        worker = {"queue": "payments", "environment": {"STRIPE_API_BASE": f"http://127.0.0.1:{wire.port}"}}
        wire.to_hold = [b"POST /v1/refunds"] * 3
        wire.one_in = {b'"object":"refund"': 4, b"POST /v1/refunds": 7}
        stage.start("dispatcher")
        victim = stage.start("worker", **worker)
        await _ask_refunds(stage, paid)
        async with asyncio.timeout(PATIENCE):
            while wire.to_hold:
                await asyncio.sleep(0.02)
        await stage.strike(victim)
        victim.kill()
        stage.start("worker", **worker)
        await stage.until_none(_UNGIVEN)
        await wire.deliver()


async def killed_after_a_refund(stage: Stage) -> None:
    """A worker that dies when it has been told that the money is back, and has told nobody."""
    stage.oracle = partial(judge_effects, effects=_REFUNDS, kind="payments.give_refund")
    async with stripe(stage) as url:
        paid = await _paid(stage, url, stage.size.jobs // 3)
        worker = {"queue": "payments", "environment": {"STRIPE_API_BASE": url}}
        stage.start("dispatcher")
        victim = stage.start("worker", crash_at="after Stripe took a refund, before it is noted", **worker)
        await _ask_refunds(stage, paid)
        assert await stage.ended(victim) == -SIGKILL
        await stage.strike(victim)
        stage.start("worker", **worker)
        await stage.until_none(_UNGIVEN)


@asynccontextmanager
async def stripe(stage: Stage) -> AsyncIterator[str]:
    """The URL of a Stripe."""
    process = await asyncio.to_thread(SandboxProcess, stage.url)
    try:
        yield process.url
    finally:
        await asyncio.to_thread(process.kill)


async def _paid(stage: Stage, url: str, count: int) -> list[UUID]:
    """Checkouts that were paid, before anything goes wrong."""
    paid = await pay(stage, url, [NOBODY_LISTENS] * count)
    async with _client(stage, url) as line:
        database = Database(stage.url, pool_size=1)
        for session_id in paid.values():
            await look_up(database, line, session_id)
        await database.close()
    return list(paid)


async def pay(stage: Stage, url: str, when_paid: Sequence[Job]) -> dict[UUID, str]:
    """Pay for so many things. Returns the checkouts, with the id of each one's session at Stripe."""
    database = Database(stage.url, pool_size=1)
    async with database.transaction() as session:
        session.add(person := Person(email=MIRA))
    paid = {}
    async with _client(stage, url) as line, SandboxClient(url) as customer:
        for number, job in enumerate(when_paid):
            thing = Expected(
                subject=f"thing/{number}",
                person_id=person.id,
                email=person.email,
                description="A thing",
                amount_cents=4900,
                currency="usd",
                when_paid=job,
                when_moved=NOBODY_LISTENS,
                return_path="/",
                cancel_path="/",
                is_live=False,
            )
            async with database.transaction() as session:
                checkout = await expect_payment(session, thing)
            page = await begin_session(database, line, [checkout], public_url="http://localhost")
            assert page is not None
            assert page.url is not None
            await customer.pay(page.url)
            paid[checkout.id] = page.id
    await database.close()
    return paid


def _client(stage: Stage, url: str) -> Stripe:
    key = SecretStr(stage.environment["STRIPE_SECRET_KEY"])
    return Stripe(StripeSettings(secret_key=key, api_base=url))


async def _ask_refunds(stage: Stage, paid: list[UUID]) -> None:
    """A part of each payment: of a whole one Stripe itself would refuse to give back more."""
    tokens = stage.take(len(paid))
    async with stage.transaction() as session:
        for token, checkout_id in zip(tokens, paid, strict=True):
            await ask_refund(session, checkout_id, f"goodwill_{token}", 1000)
    stage.answered.update(tokens)

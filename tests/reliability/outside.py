"""Money and letters leave the house, and the answers get lost. The other side counts what it has carried out.

Stripe is the pay sandbox, a process with Stripe's idempotency keys; SES is moto. A wire before each loses many
answers, after the call was carried out, and some calls before they were.
"""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from functools import partial
from signal import SIGKILL
from typing import Any
from uuid import UUID

from moto.server import ThreadedMotoServer
from pydantic import SecretStr

from emails.samples import SAMPLES
from infra.sandbox.client import SandboxClient
from models.accounts.tables import Person
from models.base.db import Database
from models.base.settings import StripeSettings
from models.mail.actions import write_letter
from models.mail.inbox import write_down
from models.mail.sns import read_message
from models.payments.checkouts import Expected, begin_session, expect_payment
from models.payments.inbox import look_up
from models.payments.refunds import ask_refund
from models.payments.stripe import Stripe
from tests.emails.conftest import MIRA, SENDER, Ses
from tests.mail.signer import Sns
from tests.reliability.messages import Do
from tests.reliability.oracle import judge_effects
from tests.reliability.proxy import wire_to
from tests.reliability.stage import PATIENCE, Stage
from tests.sandbox.servers import SandboxProcess

#: One refund at Stripe for each that was asked for.
_REFUNDS = """
select nullif(split_part(ours.kind, '_', 2), '')::bigint as token, coalesce(theirs.times, 0) as times, 1 as most,
       ours.state = 'succeeded' as is_settled
  from payments_refunds ours
  full join (select body -> 'metadata' ->> 'refund_id' as id, count(*) as times
               from pay_sandbox.object where kind = 'refund' group by 1) theirs on theirs.id = ours.id::text
"""
#: One letter; a second, if the answer to the first was lost and no event told of it in time; never a third.
_LETTERS = """
select nullif(split_part(ours.key, '_', 2), '')::bigint as token, coalesce(theirs.times, 0) as times,
       case when ours.lost > 0 and ours.told_at is null then 2 else 1 end as most,
       ours.state in ('sent', 'delivered') or (ours.state = 'unknown' and ours.lost = 2) as is_settled
  from email_messages ours full join (select id, count(*) as times from taken group by 1) theirs using (id)
"""
#: Letters and events that a worker has, or is about to have.
_IN_HAND = "queue = 'mail' and state in ('waiting', 'active')"
_HURRY = "update jobs set run_at = now(), rank_at = now(), state = 'waiting' where state = 'scheduled'"


async def answers_of_stripe_lost(stage: Stage) -> None:
    """Refunds, while a worker dies with some of its calls on their way: they arrive after others have made them anew."""
    stage.oracle = partial(judge_effects, effects=_REFUNDS, kind="payments.give_refund")
    async with _stripe(stage) as url, wire_to(int(url.rpartition(":")[2])) as wire:
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
        await _until_none(stage, "kind = 'payments.give_refund' and finished_at is null")
        await wire.deliver()


async def answers_of_ses_lost(stage: Stage) -> None:
    """Letters, while a worker dies that has handed some over. What nobody knows of them is settled half an hour later,
    and once more: by clocks that are put forward, so there is no time of recovery.
    """
    stage.oracle = partial(judge_effects, effects=_LETTERS, kind="mail.send_letter")
    with _ses() as ses:
        async with wire_to(ses.port) as wire:
            environment = {
                "MAIL_SES_REGION": "eu-west-1",
                "MAIL_SES_ENDPOINT_URL": f"http://127.0.0.1:{wire.port}",
                "MAIL_SES_RATE": "1000",
                "MAIL_SENDER": SENDER,
                "AWS_ACCESS_KEY_ID": "key",
                "AWS_SECRET_ACCESS_KEY": "secret",
            }
            worker = {"queue": "mail", "environment": environment}
            wire.one_in = {b"MessageId": 3}
            victim = stage.start("worker", crash_at="after the work, before its transaction", **worker)
            await _ask_letters(stage, stage.size.jobs)
            assert await stage.ended(victim) == -SIGKILL
            wire.one_in |= {b"POST /v2/email": 5}
            stage.start("dispatcher")
            stage.start("worker", **worker)
            await _until_none(stage, _IN_HAND)
            await _tell_of_every_second(stage, ses)
            await _until_none(stage, _IN_HAND)
            # A letter is handed over twice at most, so from here on each is carried out.
            del wire.one_in[b"POST /v2/email"]
            for half_hours in (1, 2):
                await _come_back(stage, half_hours * timedelta(minutes=30), worker)
        await stage.fetch("create table taken (id uuid)")
        await stage.fetch("insert into taken select unnest($1::uuid[])", _taken(ses))


async def _until_none(stage: Stage, jobs: str) -> None:
    async with asyncio.timeout(PATIENCE):
        while await stage.fetch(f"select from jobs where {jobs} limit 1"):
            await asyncio.sleep(0.05)


# ---------------------------------------------------------------- Stripe
@asynccontextmanager
async def _stripe(stage: Stage) -> AsyncIterator[str]:
    process = await asyncio.to_thread(SandboxProcess, stage.url)
    try:
        yield process.url
    finally:
        await asyncio.to_thread(process.kill)


async def _paid(stage: Stage, url: str, count: int) -> list[UUID]:
    """Checkouts that were paid, before anything goes wrong."""
    key = SecretStr(stage.environment["STRIPE_SECRET_KEY"])
    nobody_listens = Do(token=0, act="return", seconds=0)
    database = Database(stage.url, pool_size=1)
    async with database.transaction() as session:
        session.add(person := Person(email=MIRA))
    paid = []
    async with Stripe(StripeSettings(secret_key=key, api_base=url)) as stripe, SandboxClient(url) as customer:
        for number in range(count):
            thing = Expected(
                subject=f"thing/{number}",
                person_id=person.id,
                email=person.email,
                description="A thing",
                amount_cents=4900,
                currency="usd",
                when_paid=nobody_listens,
                when_moved=nobody_listens,
                return_path="/",
                cancel_path="/",
                is_live=False,
            )
            async with database.transaction() as session:
                checkout = await expect_payment(session, thing)
            page = await begin_session(database, stripe, [checkout], public_url="http://localhost")
            assert page is not None
            assert page.url is not None
            await customer.pay(page.url)
            await look_up(database, stripe, page.id)
            paid.append(checkout.id)
    await database.close()
    return paid


async def _ask_refunds(stage: Stage, paid: list[UUID]) -> None:
    """A part of each payment: of a whole one Stripe itself would refuse to give back more."""
    database = Database(stage.url, pool_size=1)
    for token, checkout_id in zip(stage.take(len(paid)), paid, strict=True):
        async with database.transaction() as session:
            await ask_refund(session, checkout_id, f"goodwill_{token}", 1000)
        stage.answered.add(token)
    await database.close()


# ---------------------------------------------------------------- SES
@contextmanager
def _ses() -> Iterator[Ses]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        ses = Ses(*server.get_host_and_port())
        ses.start_over()
        yield ses
    finally:
        server.stop()


def _taken(ses: Ses) -> list[UUID]:
    """The id of each letter, once for each time that SES has taken it."""
    raw = "\n".join(letter["raw_data"] for letter in ses.taken())
    return [UUID(one) for one in re.findall(r"^Message-ID: <([0-9a-f-]{36})@", raw, re.MULTILINE)]


async def _ask_letters(stage: Stage, count: int) -> None:
    database = Database(stage.url, pool_size=1)
    for token in stage.take(count):
        async with database.transaction() as session:
            kind = "orders.refunded"
            await write_letter(session, kind, MIRA, SAMPLES[kind], key=f"letter_{token}")
        stage.answered.add(token)
    await database.close()


async def _tell_of_every_second(stage: Stage, ses: Ses) -> None:
    """Of the letters that SES has taken and we do not know it, every second is told of by an event."""
    unknown = await stage.fetch("select id from email_messages where state = 'unknown'")
    sns = Sns(url="https://sns.eu-central-1.amazonaws.com")
    database = Database(stage.url, pool_size=1)
    for letter_id in sorted({row["id"] for row in unknown} & set(_taken(ses)))[::2]:
        async with database.transaction() as session:
            await write_down(session, read_message(sns.event(letter_id, "Delivery")))
    await database.close()


async def _come_back(stage: Stage, after: timedelta, worker: dict[str, Any]) -> None:
    """Everybody ends and begins again when so much time has gone by; what waits for its time need not any more."""
    await stage.end()
    ((since,),) = await stage.fetch("select clock_timestamp()")
    await stage.fetch(_HURRY)
    stage.start("dispatcher", shift=after)
    stage.start("worker", shift=after, **worker)
    settled = (
        "select from jobs where kind = 'mail.settle_letters' and state = 'completed' and created_at > $1"
    )
    async with asyncio.timeout(PATIENCE):
        while not await stage.fetch(settled, since):
            await asyncio.sleep(0.05)
    await _until_none(stage, _IN_HAND)

"""Stripe tells of what was paid, and is not heard, or twice, or too late, or in another order, or dies on somebody's door."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from signal import SIGKILL
from typing import Any

import asyncpg

from infra.sandbox.client import SandboxClient
from models.jobs import enqueue
from models.payments.jobs import FetchMissedEvents
from tests.reliability.balancer import Web
from tests.reliability.messages import Do
from tests.reliability.money import pay, stripe
from tests.reliability.oracle import Figures, judge
from tests.reliability.stage import PATIENCE, Stage
from tests.reliability.visitors import PUBLIC_URL, WEBHOOK_SECRET

_ALL_TOLD = "select where not exists (select from pay_sandbox.delivery where state = 'waiting')"
#: Events that were written down, or handled, more than once.
_DOUBLED = """
select (select count(*) - count(distinct id) from payments_stripe_events)
     + (select count(*) - count(distinct args->>'event_id') from jobs where kind = 'payments.handle_stripe_event')
"""


async def web_killed(stage: Stage) -> None:
    """Stripe tells of each payment twice, and the web dies when it has written an event down and not answered."""
    deadly = {"CRASH_POINT": "after a commit, before anybody is told"}
    async with _shop(stage, deadly, {}) as (sandbox, url, (victim, other)):
        await sandbox.deliver_to(_door(victim), secret=WEBHOOK_SECRET)
        await sandbox.trouble_webhooks(duplicate=1000)
        paying = asyncio.create_task(_buy(stage, url, stage.size.jobs // 3))
        assert await asyncio.to_thread(victim.process.wait, PATIENCE) == -SIGKILL
        await sandbox.deliver_to(_door(other), secret=WEBHOOK_SECRET)
        await paying
        await stage.until(_ALL_TOLD)


async def in_disorder(stage: Stage) -> None:
    """A third is never told, and the rest twice, each time up to a second late and so in any order."""
    if stage.without == "key_of_an_event":
        await stage.fetch("alter table payments_stripe_events drop constraint payments_stripe_events_pkey")
    async with _shop(stage, {}) as (sandbox, url, (web,)):
        await sandbox.deliver_to(_door(web), secret=WEBHOOK_SECRET)
        bought = stage.size.jobs // 6
        await sandbox.trouble_webhooks(
            duplicate=1000, drop=bought // 3, jitter_seconds=1, types=("checkout.",)
        )
        await _buy(stage, url, bought)
        await stage.until(_ALL_TOLD)
        async with stage.transaction() as session:
            await enqueue(session, FetchMissedEvents())
        await stage.until_none("queue = 'payments' and finished_at is null")


@asynccontextmanager
async def _shop(stage: Stage, *webs: dict[str, str]) -> AsyncIterator[tuple[SandboxClient, str, list[Web]]]:
    """A Stripe, its URL, and web processes of these environments, with workers; in the end, all that was told is done."""
    stage.oracle = _judge
    async with stripe(stage) as url, SandboxClient(url) as sandbox:
        own = {"PUBLIC_URL": PUBLIC_URL, "STRIPE_WEBHOOK_SECRETS": WEBHOOK_SECRET, "STRIPE_API_BASE": url}
        log = stage.servers.folder / "web.log"
        begun = [Web(stage.environment | own | one, log, stage.without) for one in webs]
        stage.start("dispatcher")
        stage.start("worker", queue="payments", environment={"STRIPE_API_BASE": url})
        stage.start("worker")
        try:
            await asyncio.gather(*(web.is_ready() for web in begun))
            yield sandbox, url, begun
        finally:
            for web in begun:
                web.process.kill()
                await asyncio.to_thread(web.process.wait)
        await stage.until_none("kind = 'payments.handle_stripe_event' and finished_at is null")
        await stage.until_done()


def _door(web: Web) -> str:
    return f"http://127.0.0.1:{web.port}/webhooks/stripe"


async def _buy(stage: Stage, url: str, count: int) -> None:
    """Pay for so many things. A job follows from each."""
    tokens = stage.take(count)
    stage.answered.update(tokens)
    await pay(stage, url, [Do(token=one, act="write", seconds=0) for one in tokens])


async def _judge(connection: asyncpg.Connection, fault: str, **facts: Any) -> Figures:
    """What is true of jobs, and each event once."""
    figures = await judge(connection, fault, **facts)
    return replace(figures, done_twice=figures.done_twice + await connection.fetchval(_DOUBLED))

"""Webhooks go out to a system of somebody's, whose answers get lost, or the sender dies. It counts what it has taken."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from signal import SIGKILL
from typing import Any

import orjson

from models.accounts.states import Role
from models.accounts.tables import Person
from models.base.crypto import Keys
from models.notices.actions import announce
from models.notices.endpoints import Wanted, add_endpoint
from models.notices.jobs import DeliverWebhook
from tests.emails.conftest import MIRA
from tests.notices.receiver import Receiver
from tests.reliability.oracle import judge_effects
from tests.reliability.proxy import Wire, wire_to
from tests.reliability.stage import Fault, Stage

#: Each arrives. It may come as often as its job was begun, for nobody knows what became of an attempt that nobody heard
#: of; always under one `webhook-id`, by which its receiver can tell.
_WEBHOOKS = """
select token, coalesce(came.times, 0) as times,
       case when coalesce(came.ids, array[sent.id::text]) = array[sent.id::text] then job.attempt else 0 end as most,
       sent.state = 'delivered' as is_settled
  from (select (payload->'data'->>'token')::bigint as token, * from notices_deliveries) sent
  full join (select token, count(*) as times, array_agg(distinct id) as ids from came group by 1) came using (token)
  left join jobs job on job.args->>'delivery_id' = sent.id::text
"""


async def answers_of_receivers_lost(stage: Stage) -> None:
    """They have taken it, and nobody heard that they did; or it never came to them."""
    async with _receiver(stage) as (receiver, wire):
        wire.one_in = {b"HTTP/1.1 204": 3, b"POST /hooks": 7}
        stage.start("dispatcher")
        stage.start("worker", **_worker(wire))
        await _announce(stage, wire)
        await _until_told(stage, receiver)


def killed_at_a_webhook(point: str) -> Fault:
    """A worker that dies before it has sent one, or before it has written down that it was taken."""

    async def fault(stage: Stage) -> None:
        async with _receiver(stage) as (receiver, wire):
            stage.start("dispatcher")
            victim = stage.start("worker", crash_at=point, **_worker(wire))
            await _announce(stage, wire)
            assert await stage.ended(victim) == -SIGKILL
            await stage.strike(victim)
            stage.start("worker", **_worker(wire))
            await _until_told(stage, receiver)

    return fault


@asynccontextmanager
async def _receiver(stage: Stage) -> AsyncIterator[tuple[Receiver, Wire]]:
    stage.oracle = partial(judge_effects, effects=_WEBHOOKS, kind=DeliverWebhook.kind)
    receiver = Receiver()
    # Strangers are asked politely, two at a time. This one has asked for all at once.
    await stage.fetch("insert into job_limits (key) values ('host/*')")

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Who sends may be gone in the middle of a sentence.
        with suppress(asyncio.IncompleteReadError):
            await receiver.take(reader, writer)
        writer.close()

    async with await asyncio.start_server(take, "127.0.0.1", 0) as server, wire_to(_port(server)) as wire:
        yield receiver, wire


def _port(server: asyncio.Server) -> int:
    return int(server.sockets[0].getsockname()[1])


def _worker(wire: Wire) -> dict[str, Any]:
    """What a worker is started with that may send to this machine."""
    environment = {"WEBHOOK_ALLOWED_PRIVATE_HOSTS": f"127.0.0.1:{wire.port}"}
    return {"queue": DeliverWebhook.queue, "environment": environment}


async def _announce(stage: Stage, wire: Wire) -> None:
    tokens = stage.take(max(10, stage.size.jobs // 9))
    host, keys = f"127.0.0.1:{wire.port}", Keys(stage.environment["SECRET_KEY"])
    async with stage.transaction() as session:
        session.add(admin := Person(email=MIRA, role=Role.ADMIN))
        await session.flush()
        await add_endpoint(session, admin, Wanted(f"http://{host}/hooks", "Ours", ()), keys, (host,))
        for token in tokens:
            await announce(session, "notification.created", {"token": token})
    stage.answered.update(tokens)


async def _until_told(stage: Stage, receiver: Receiver) -> None:
    """Everything was delivered. For the oracle: what has come."""
    await stage.until_finished(f"queue = '{DeliverWebhook.queue}'")
    await stage.fetch("create table came (id text, token bigint)")
    for headers, body in receiver.requests:
        token = orjson.loads(body)["data"]["token"]
        await stage.fetch("insert into came values ($1, $2)", headers["webhook-id"], token)

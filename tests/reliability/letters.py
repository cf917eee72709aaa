"""Letters leave the house, and the answers get lost, or the sender dies. SES, which is moto, counts what it has taken."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from signal import SIGKILL
from typing import Any
from uuid import UUID

from moto.server import ThreadedMotoServer

from emails.samples import SAMPLES
from models.mail.actions import write_letter
from models.mail.inbox import write_down
from models.mail.sns import read_message
from tests.emails.conftest import MIRA, SENDER, Ses
from tests.mail.signer import Sns
from tests.reliability.oracle import judge_effects
from tests.reliability.proxy import wire_to
from tests.reliability.stage import Stage

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


async def answers_of_ses_lost(stage: Stage) -> None:
    """Letters, while a worker dies that has handed some over. What nobody knows of them is settled half an hour later,
    and once more: by clocks that are put forward, so there is no time of recovery.
    """
    stage.oracle = partial(judge_effects, effects=_LETTERS, kind="mail.send_letter")
    with _ses() as ses:
        async with wire_to(ses.port) as wire:
            worker = _worker(wire.port)
            wire.one_in = {b"MessageId": 3}
            await _kill_one(stage, "after the work, before its transaction", worker)
            wire.one_in |= {b"POST /v2/email": 5}
            stage.start("dispatcher")
            stage.start("worker", **worker)
            # Of the first ones all may have been with SES when their worker died. From these, some answers get lost.
            await _ask(stage)
            await stage.until_none(_IN_HAND)
            await _tell_of_every_second(stage, ses)
            await stage.until_none(_IN_HAND)
            # A letter is handed over twice at most, so from here on each is carried out.
            del wire.one_in[b"POST /v2/email"]
            for half_hours in (1, 2):
                await _come_back(stage, half_hours * timedelta(minutes=30), worker)
        await _write_down_what_was_taken(stage, ses)


async def killed_before_a_letter(stage: Stage) -> None:
    """A worker that dies when it has said that it sends some letters, and has sent none of them."""
    stage.oracle = partial(judge_effects, effects=_LETTERS, kind="mail.send_letter")
    with _ses() as ses:
        worker = _worker(ses.port)
        await _kill_one(stage, "after a letter is claimed, before it is sent", worker)
        stage.start("dispatcher")
        stage.start("worker", **worker)
        await stage.until_none(_IN_HAND)
        for half_hours in (1, 2):
            await _come_back(stage, half_hours * timedelta(minutes=30), worker)
        await _write_down_what_was_taken(stage, ses)


def _worker(port: int) -> dict[str, Any]:
    """What a worker is started with that sends letters by the SES at this port."""
    environment = {
        "MAIL_SES_REGION": "eu-west-1",
        "MAIL_SES_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "MAIL_SES_RATE": "1000",
        "MAIL_SENDER": SENDER,
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
    }
    return {"queue": "mail", "environment": environment}


async def _kill_one(stage: Stage, point: str, worker: dict[str, Any]) -> None:
    """Ask for letters, and let a worker die at that point of one of them."""
    victim = stage.start("worker", crash_at=point, **worker)
    await _ask(stage)
    assert await stage.ended(victim) == -SIGKILL


async def _ask(stage: Stage) -> None:
    """Ask for letters."""
    tokens, kind = stage.take(stage.size.jobs // 2), "orders.refunded"
    async with stage.transaction() as session:
        for token in tokens:
            await write_letter(session, kind, MIRA, SAMPLES[kind], key=f"letter_{token}")
    stage.answered.update(tokens)


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


async def _write_down_what_was_taken(stage: Stage, ses: Ses) -> None:
    """For the oracle, which asks the database."""
    await stage.fetch("create table taken (id uuid)")
    await stage.fetch("insert into taken select unnest($1::uuid[])", _taken(ses))


async def _tell_of_every_second(stage: Stage, ses: Ses) -> None:
    """Of the letters that SES has taken and we do not know it, every second is told of by an event."""
    unknown = await stage.fetch("select id from email_messages where state = 'unknown'")
    sns = Sns(url="https://sns.eu-central-1.amazonaws.com")
    async with stage.transaction() as session:
        for letter_id in sorted({row["id"] for row in unknown} & set(_taken(ses)))[::2]:
            await write_down(session, read_message(sns.event(letter_id, "Delivery")))


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
    await stage.until(settled, since)
    await stage.until_none(_IN_HAND)

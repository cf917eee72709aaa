"""Runs what is told on request: letters, notices in inboxes, and webhooks."""

from datetime import timedelta
from http import HTTPStatus
from time import perf_counter

import orjson

from models.base.clock import now
from models.base.crash_points import crash_point
from models.base.errors import NotFound, Temporary
from models.mail.actions import write_own_letter
from models.notices.actions import announce, notify
from models.notices.asking import person_at
from models.notices.deliveries import Outcome, secrets_of, under_way, was_tried
from models.notices.jobs import (
    LETTER,
    DeliverWebhook,
    Email,
    FailDelivery,
    ForgetNotices,
    Notification,
    give_up,
)
from models.notices.retention import forget_old
from models.notices.signing import headers
from models.notices.states import DeliveryState
from models.notices.tables import Delivery, Endpoint
from tasks.fetch import NotFetched, post
from tasks.mail import send
from tasks.runs import Result, Work, runs
from tasks.world import World


@runs(Email)
async def send_email(job: Email, work: Work) -> Result:
    """Write the letter, once however often this begins, and send it as every letter is sent."""
    async with work.transaction() as session:
        facts = {"subject": job.subject, "body": job.body}
        about = f"job/{work.job_id}"
        email_id = await write_own_letter(session, LETTER, job.to, facts, key=about, about=about)
    return await send(email_id, work)


@runs(Notification)
async def notify_person(job: Notification, work: Work) -> None:
    """Put it into the inbox and announce it, in one transaction."""
    result: dict[str, str] = {}
    async with work.finish(result) as session:
        person = await person_at(session, job.to)
        notice = await notify(session, person.id, job.title, job.body, link=job.link)
        # Never the address: a result is kept longer than the person may want to be known here.
        result["notice"] = str(notice.id)
        told = {"id": str(notice.id), "to": job.to, "title": job.title, "body": job.body, "link": job.link}
        await announce(session, "notification.created", told)


@runs(DeliverWebhook)
async def deliver_webhook(job: DeliverWebhook, work: Work) -> Result:
    """One attempt; an answer of 2xx is the end, and so is the last attempt."""
    async with work.transaction() as session:
        try:
            delivery, endpoint = await under_way(session, job.delivery_id)
        except NotFound:
            return {"state": "endpoint deleted"}
    if delivery.state is not DeliveryState.WAITING:
        return {"state": delivery.state.value}
    wait = None
    if endpoint.disabled_at is not None:
        outcome = Outcome(None, "The endpoint is switched off.", timedelta(0))
    else:
        outcome, wait = await _posted(delivery, endpoint, work.world)
    work.log(outcome.line)
    # A 429 spends no attempt, as long as the patience with them lasts: then the job dies, and `FailDelivery` follows.
    is_last = work.is_last_attempt and outcome.status != HTTPStatus.TOO_MANY_REQUESTS
    async with work.transaction() as session:
        state = await was_tried(session, job.delivery_id, outcome, now(), is_last=is_last)
    if state is DeliveryState.WAITING:
        words = f"It answered {outcome.status}." if outcome.status else outcome.words
        raise Temporary(words, wait, is_crowded=outcome.status == HTTPStatus.TOO_MANY_REQUESTS)
    return {"state": state.value, "status": outcome.status}


@runs(FailDelivery)
async def fail_delivery(job: FailDelivery, work: Work) -> None:
    """Say that a webhook did not arrive."""
    async with work.finish() as session:
        await give_up(session, job.delivery_id)


async def _posted(delivery: Delivery, endpoint: Endpoint, world: World) -> tuple[Outcome, timedelta | None]:
    """How sending it ended, and how long the receiver asks to be left alone."""
    body = orjson.dumps(delivery.payload)
    signed = headers(str(delivery.id), now(), body, secrets_of(endpoint, world.keys, now()))
    crash_point("after a webhook is signed, before it is sent")
    began = perf_counter()
    wait = None
    try:
        answer = await post(endpoint.url, body, signed, world.settings.webhooks.allowed_private_hosts)
        status, words, wait = answer.status, answer.body.decode(errors="replace"), answer.retry_after
    except NotFetched as error:
        status, words = None, str(error)
    crash_point("after a webhook was answered, before it is noted")
    return Outcome(status, words.replace("\0", ""), timedelta(seconds=perf_counter() - began)), wait


@runs(ForgetNotices)
async def forget_notices(job: ForgetNotices, work: Work) -> None:  # noqa: ARG001 - the clock asks for nothing in particular
    """Delete what was told long ago."""
    words_kept = timedelta(days=work.world.settings.mail.keep_days)
    async with work.finish() as session:
        await forget_old(session, now(), words_kept)

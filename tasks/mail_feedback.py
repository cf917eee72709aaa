"""Runs what follows from the provider's messages, and what is done about letters by the clock."""

from datetime import timedelta
from typing import Final

import httpx2

from models.base.clock import now
from models.base.errors import NotFound, Temporary
from models.mail import inbox
from models.mail.actions import settle_letters
from models.mail.jobs import ConfirmTopic, ForgetLetters, HandleMailEvent, SettleLetters
from models.mail.retention import forget_letters
from models.mail.sns import endpoint_of
from models.mail.states import EventState
from models.mail.tables import EmailEvent
from tasks.runs import Result, Work, runs

#: SNS answers in a fraction of it.
PATIENCE_SECONDS: Final = 10.0
VERSION: Final = "2010-03-31"


@runs(HandleMailEvent)
async def run_handle_mail_event(job: HandleMailEvent, work: Work) -> Result:
    """Let the letter know."""
    async with work.finish() as session:
        await inbox.handle_event(session, job.event_id, now())
    return None


@runs(ConfirmTopic)
async def run_confirm_topic(job: ConfirmTopic, work: Work) -> Result:
    """Confirm the subscription of the topic that is ours by the settings, at the address that follows from it.

    The address in the message is never opened. Confirming needs no credentials, and confirming twice is
    confirming once.
    """
    mail = work.world.settings.mail
    if mail.ses_topic is None:
        raise NotFound("MAIL_SES_TOPIC is not set any more.")
    asked = {
        "Action": "ConfirmSubscription",
        "TopicArn": mail.ses_topic,
        "Token": job.token,
        "Version": VERSION,
    }
    try:
        async with httpx2.AsyncClient(timeout=PATIENCE_SECONDS) as client:
            answer = await client.get(mail.sns_endpoint_url or endpoint_of(mail.ses_topic), params=asked)
    except httpx2.HTTPError as error:
        raise Temporary(f"SNS did not answer: {type(error).__name__}") from error
    if not answer.is_success:
        raise Temporary(f"SNS answered {answer.status_code} to the confirmation")
    async with work.finish() as session:
        event = await session.get(EmailEvent, job.event_id, with_for_update=True)
        if event is not None and event.state is EventState.RECEIVED:
            await inbox.settle(session, event, EventState.PROCESSED, now())
    return None


@runs(SettleLetters)
async def run_settle_letters(_job: SettleLetters, work: Work) -> Result:
    """Ask for another look at what nobody has heard of."""
    async with work.finish() as session:
        await settle_letters(session, now())
    return None


@runs(ForgetLetters)
async def run_forget_letters(_job: ForgetLetters, work: Work) -> Result:
    """Wipe until nothing old is left, in short transactions."""
    age = timedelta(days=work.world.settings.mail.keep_days)
    limit = 5000
    while True:
        async with work.transaction() as session:
            if await forget_letters(session, age, now(), limit) < limit:
                return None

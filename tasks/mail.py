"""Sends letters: each is claimed before the call and settled after it, so that a crash leaves a question, never
a lie.
"""

import asyncio
import time
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

import orjson
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from emails import BadAddress, write_letter
from emails.post import AnswerLost, NotAccepted, Refused
from models.base.clock import now
from models.base.crash_points import crash_point
from models.base.crypto import Keys
from models.base.errors import Temporary
from models.mail import actions
from models.mail.categories import can_be_refused, category_of
from models.mail.jobs import SendLetter
from models.mail.preferences import unsubscribe_url
from models.mail.rules import CLAIM_LIFE, THROTTLED_FOR
from models.mail.states import LetterState
from models.mail.tables import EmailMessage
from tasks.runs import Result, Snooze, Work, runs
from tasks.world import World

log = structlog.get_logger(__name__)

#: A turn that is further away than this is waited for outside, so that it holds no slot.
PATIENCE: Final = timedelta(seconds=10)

# Every sender books the next free moment; all of them read one clock, that of Redis.
_BOOK: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local free = math.max(now, tonumber(redis.call('GET', KEYS[1]) or '0'))
local wait = free - now
if wait <= tonumber(ARGV[2]) then
  redis.call('SET', KEYS[1], string.format('%.0f', free + tonumber(ARGV[1])), 'EX', 60)
end
return wait
"""


@runs(SendLetter)
async def send_letter(job: SendLetter, work: Work) -> Result:
    """Send one letter."""
    return await send(job.email_id, work)


async def send(email_id: UUID, work: Work) -> Result:
    """Send one letter as far as its state allows, and end this job with it; a second delivery of the job ends here
    without a call.
    """
    async with work.transaction() as session:
        letter = await actions.next_step(session, email_id, now())
    if letter.state is LetterState.SENDING:
        raise Snooze(CLAIM_LIFE)
    if letter.state is not LetterState.QUEUED:
        return {"state": letter.state.value}
    try:
        subject, mime = _written(letter, work.world)
    except BadAddress as error:
        return await _give_up(work, email_id, str(error))
    except Exception as error:
        if work.is_last_attempt:  # the job will be buried; the letter must not look as if it were on its way
            async with work.transaction() as session:
                await actions.has_failed(session, email_id, f"it could not be written: {error}")
        raise
    if work.world.post.name == "ses":
        await _wait_for_turn(work.world.redis, work.world.settings.mail.ses_rate)
    async with work.transaction() as session:
        is_ours = await actions.begin_sending(
            session,
            email_id,
            # The subject of a letter that opens doors holds its code: it stands in the sealed bytes alone.
            subject=subject if letter.sealed_facts is None else None,
            sealed_mime=work.world.keys.seal(mime),
            way=work.world.post.name,
            at=now(),
        )
    return await _send(work, letter, mime) if is_ours else None


async def _send(work: Work, letter: EmailMessage, mime: bytes) -> Result:
    sender = work.world.settings.mail.sender
    crash_point("after a letter is claimed, before it is sent")
    try:
        provider_id = await work.world.post.send(
            mime, sender=sender, to=letter.to_address, tag=str(letter.id)
        )
    except Refused as error:
        return await _give_up(work, letter.id, error.reason)
    except NotAccepted as error:
        is_throttled = error.is_crowded and now() - letter.created_at < THROTTLED_FOR
        if work.is_last_attempt and not is_throttled:
            return await _give_up(work, letter.id, f"given up after {work.attempt} attempts: {error.reason}")
        async with work.transaction() as session:
            await actions.was_not_taken(session, letter.id, error.reason)
        if work.is_last_attempt:
            # After an hour of these answers the job would be buried, and the letter would wait for nobody.
            raise Snooze(max(error.retry_after or CLAIM_LIFE, CLAIM_LIFE)) from error
        raise Temporary(error.reason, error.retry_after, is_queue_crowded=error.is_crowded) from error
    except AnswerLost as error:
        return await _leave_open(work, letter.id, error.reason)
    except Exception as error:
        # A way to send that fails in a way of its own has proven nothing.
        log.exception("mail.post_failed", email_id=str(letter.id))
        return await _leave_open(work, letter.id, f"{type(error).__name__}: {error}")
    async with work.finish({"state": "sent"}) as session:
        await actions.was_sent(session, letter.id, provider_id, now())
    return None


async def _give_up(work: Work, email_id: UUID, reason: str) -> Result:
    async with work.finish({"state": "failed", "reason": reason}) as session:
        await actions.has_failed(session, email_id, reason)
    return None


async def _leave_open(work: Work, email_id: UUID, reason: str) -> Result:
    async with work.finish({"state": "unknown", "reason": reason}) as session:
        await actions.answer_lost(session, email_id, reason, now())
    return None


def _written(letter: EmailMessage, world: World) -> tuple[str, bytes]:
    facts = letter.facts | _opened(letter, world.keys)
    public_url, category = world.settings.app.public_url, category_of(letter.kind)
    refusal = (
        unsubscribe_url(world.keys, public_url, letter.to_address, category)
        if can_be_refused(category)
        else None
    )
    one = write_letter(letter.kind, letter.to_address, facts, unsubscribe_url=refusal, is_test=letter.is_test)
    host = urlsplit(public_url).hostname
    # The same for every copy of it, so that an inbox can see that two are one.
    message_id = f"<{letter.id}@{host}>"
    return one.subject, one.as_bytes(sender=world.settings.mail.sender, message_id=message_id)


def _opened(letter: EmailMessage, keys: Keys) -> dict[str, object]:
    if letter.sealed_facts is None:
        return {}
    facts: dict[str, object] = orjson.loads(keys.unseal(letter.sealed_facts))
    return facts


class _OwnPace:
    """The pace of one process, for when Redis cannot be asked: slower than none, faster than silence."""

    def __init__(self) -> None:
        self.free_at = 0.0

    def book(self, interval: timedelta) -> timedelta:
        at = time.monotonic()
        wait = timedelta(seconds=max(0.0, self.free_at - at))
        if wait <= PATIENCE:
            self.free_at = max(at, self.free_at) + interval.total_seconds()
        return wait


_own_pace: Final = _OwnPace()


async def _wait_for_turn(redis: Redis, rate: float) -> None:
    """Wait until one more letter is within `rate` letters a second of all workers together."""
    interval = timedelta(seconds=1 / rate)
    microsecond = timedelta(microseconds=1)
    try:
        book = redis.register_script(_BOOK)
        wait = (
            await book(keys=["mail:free_at"], args=[interval // microsecond, PATIENCE // microsecond])
            * microsecond
        )
    except (RedisError, OSError, TimeoutError) as error:
        log.warning("mail.paced_alone", error=str(error))
        wait = _own_pace.book(interval)
    if wait > PATIENCE:
        raise Snooze(wait)
    await asyncio.sleep(wait.total_seconds())

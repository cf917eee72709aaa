"""The ways to send, seen from outside: what a way must do, and the three ways it may fail.

The difference between the failures is what keeps a letter from being lost or sent twice: only
NotAccepted proves that sending again cannot make a second copy.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Protocol, TypeVar

_T = TypeVar("_T")

# Both boto3 and smtplib block. Eight letters at once are more than SES's usual rate asks for.
_THREADS = ThreadPoolExecutor(max_workers=8, thread_name_prefix="post")


class NotSent(Exception):
    """A letter was, or may have been, not sent. `reason` is for the people who look after the mail."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Refused(NotSent):
    """For good: the letter, its address or our account is not wanted. The same call would fail again."""


class NotAccepted(NotSent):
    """Proven not taken, for a reason that passes: try again, after `retry_after` if it is known.

    With `is_crowded` we send too fast, and every other letter would be told the same until then.
    """

    def __init__(
        self, reason: str, retry_after: timedelta | None = None, *, is_crowded: bool = False
    ) -> None:
        super().__init__(reason)
        self.retry_after = retry_after
        self.is_crowded = is_crowded


class AnswerLost(NotSent):
    """Nobody knows: the letter was on its way when the answer was lost. It may arrive."""


class Post(Protocol):
    """One way to send letters."""

    name: str

    async def send(self, mime: bytes, *, sender: str, to: str, tag: str) -> str | None:
        """Hand over one letter, once, and return the provider's id for it, if it gives one.

        `mime` is what Letter.as_bytes made, `sender` what it was made with, `to` the only recipient.
        `tag` (our id of the letter: A-Z, a-z, 0-9, `_`, `-`) comes back with the provider's events.
        Raises Refused, NotAccepted or AnswerLost. Cancelling does not call the letter back: treat it
        as AnswerLost.
        """
        ...


class OutboxPost:
    """Sends nowhere: the letter stays in its row, and the outbox page shows its bytes."""

    name = "outbox"

    async def send(self, mime: bytes, *, sender: str, to: str, tag: str) -> str | None:
        del mime, sender, to, tag
        return None


async def in_thread(call: Callable[[], _T]) -> _T:
    """Run a blocking call beside the event loop, at most eight at a time."""
    return await asyncio.get_running_loop().run_in_executor(_THREADS, call)

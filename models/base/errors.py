"""The five refusals and the one hiccup that actions speak in.

A refusal is an answer, not a fault: `web` turns it into 404, 409, 422, 403 or 429 in one place, and a worker
never retries it. `Temporary` is the opposite: nothing is wrong with the request, the world was not ready.
Everything else that is raised is a fault, with a traceback and somebody told.
"""

from collections.abc import Mapping
from datetime import timedelta


class Refusal(Exception):
    """A request that the rules do not allow. Its words are meant for the person who asked."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.words = words


class NotFound(Refusal):
    """There is no such thing, or it is not yours: the two look the same from outside."""

    def __init__(self, words: str = "This page does not exist, or it belongs to someone else.") -> None:
        super().__init__(words)


class Gone(NotFound):
    """There was such a thing, and it was taken away for good."""


class Conflict(Refusal):
    """The thing is no longer in the state in which this can be done."""


class Forbidden(Refusal):
    """You are known, and you may not do this."""


class Invalid(Refusal):
    """One or more fields are not acceptable.

    `fields` maps the name of each field to what is wrong with it and what to do about it, all at once.
    """

    def __init__(
        self, fields: Mapping[str, str], words: str = "There is a problem with what you entered."
    ) -> None:
        super().__init__(words)
        self.fields = dict(fields)

    def __str__(self) -> str:
        """All of it, for logs and for the rows of jobs that died of it."""
        return " ".join((self.words, *(f"{name}: {problem}" for name, problem in self.fields.items())))


class TooMany(Refusal):
    """It was asked too often. It may be asked again after `retry_after`, and not sooner."""

    def __init__(self, words: str, retry_after: timedelta) -> None:
        super().__init__(words)
        self.retry_after = retry_after


class Temporary(Exception):
    """The world was not ready: try again, not sooner than `retry_after` if it was said.

    With `is_crowded`, the other side is asked too often: no job with the same `limit_key` begins before then either,
    for who answers 429 to one would answer it to all, and within an hour the attempt is not spent. With
    `is_queue_crowded` the same is true of everything in the job's queue.
    """

    def __init__(
        self,
        reason: str,
        retry_after: timedelta | None = None,
        *,
        is_crowded: bool = False,
        is_queue_crowded: bool = False,
    ) -> None:
        super().__init__(reason)
        self.retry_after = retry_after
        self.is_crowded = is_crowded
        self.is_queue_crowded = is_queue_crowded

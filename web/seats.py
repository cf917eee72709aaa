"""How many streams somebody may have open at once: each costs a connection, and who opens hundreds must not leave
none to others. Counted in each process for itself.
"""

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

from models.base.errors import TooMany
from models.base.metrics import SSE_STREAMS
from web.visitor import Visitor

#: A page has one or two; a person works in several windows.
MOST_OF_A_PERSON: Final = 30
#: An office, or a mobile network's customers, share an address.
MOST_OF_A_NETWORK: Final = 200
_NONE_LEFT: Final = "You have too many pages open that change by themselves. Close some, or reload this one."
_NO_STREAM_LEFT: Final = (
    "As many streams are open in your name as anybody may have. Close those that are not read."
)
_AGAIN: Final = timedelta(seconds=15)


class Seats:
    """The open streams of this process, by person and by network."""

    def __init__(self) -> None:
        self._taken: Counter[str] = Counter()

    def check(self, visitor: Visitor) -> None:
        """Raise `TooMany` if this visitor has as many as anybody may. Their pages work on, without news."""
        if any(self._taken[name] >= most for name, most in _names(visitor)):
            raise TooMany(_NO_STREAM_LEFT if visitor.token_id else _NONE_LEFT, _AGAIN)

    @asynccontextmanager
    async def taken(self, visitor: Visitor) -> AsyncIterator[None]:
        """One more while the block lasts."""
        names = [name for name, _ in _names(visitor)]
        self._taken.update(names)
        try:
            with SSE_STREAMS.track_inprogress():
                yield
        finally:
            self._taken.subtract(names)
            self._taken = +self._taken  # nothing is kept of who has gone


def _names(visitor: Visitor) -> Iterator[tuple[str, int]]:
    yield f"network/{visitor.network}", MOST_OF_A_NETWORK
    if visitor.person is not None:
        yield f"person/{visitor.person.id}", MOST_OF_A_PERSON

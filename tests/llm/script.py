"""What a scripted model provider can be told to do with the next request."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Say:
    """Answer with a text."""

    text: str
    is_too_long: bool = False


@dataclass(frozen=True)
class Refuse:
    """Decline to work on the content, as the protocol's own words for it say."""


@dataclass(frozen=True)
class Status:
    """Answer with an HTTP error."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    error: str = "scripted"


@dataclass(frozen=True)
class Drop:
    """Hang up without a word."""


@dataclass(frozen=True)
class Cut:
    """Stream a text and hang up before the stop reason, in the middle of the body."""

    text: str


@dataclass(frozen=True)
class WithoutEnd:
    """Stream a text and end the body properly, without a stop reason or usage, as some proxies do."""

    text: str


@dataclass(frozen=True)
class Garble:
    """Answer 200 with a body that is not the protocol."""


@dataclass(frozen=True)
class Silence:
    """Never answer; wait until the client leaves."""


Step = Say | Refuse | Status | Drop | Cut | WithoutEnd | Garble | Silence

"""How asking a model can fail: for good, or for now.

Those for good are `Forbidden` and never retried; those for now are `Temporary`, asked of the fallback model
first and then left to the job's next attempt. A `kind` is a word for the ledger and the logs.
"""

from datetime import timedelta
from typing import Final

from models.base.errors import Forbidden, Temporary

#: The `kind` of a provider's wish to be asked less.
CROWDED: Final = "rate_limited"


class RequestRejected(Forbidden):
    """The provider will never accept this request: wrong key, unknown model, malformed or too long."""

    def __init__(self, kind: str, words: str) -> None:
        super().__init__(words)
        self.kind = kind


class ContentRefused(Forbidden):
    """The model, or the provider's filter, declined to work on this content."""


class CallFailed(Temporary):
    """No usable answer came back. `may_be_charged` where the provider could have done the work all the same."""

    def __init__(
        self, kind: str, reason: str, *, may_be_charged: bool, retry_after: timedelta | None = None
    ) -> None:
        super().__init__(reason, retry_after, is_crowded=kind == CROWDED)
        self.kind = kind
        self.may_be_charged = may_be_charged


class BadAnswer(Temporary):
    """The model answered, twice, with something other than what it was asked for."""


class NothingStored(Forbidden):
    """Replay found no stored answer to this request."""

    kind = "not_stored"

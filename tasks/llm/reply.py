"""What comes back from a model, and who can be asked for it."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, Protocol

from tasks.llm.request import Request


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model answered, with what it took. Known to have arrived whole."""

    text: str
    ending: Literal["done", "too_long", "refused"]
    """Whether the model said all it had to say, ran into `max_output_tokens`, or declined."""
    input_tokens: int
    output_tokens: int
    cost_cents: Decimal
    model: str
    """The model that answered, in the provider's words: often a dated version of the one that was asked."""


class Caller(Protocol):
    """Somebody who answers requests: the providers, or a folder of stored answers."""

    async def estimate_cents(self, request: Request) -> Decimal:
        """What answering can cost at most, in US cents."""

    async def call(self, request: Request) -> Reply:
        """Answer, with one HTTP request at most. Raises what `tasks.llm.errors` names."""

"""The states of a call to a model, and the budgets that a call has to fit into."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final

from models.base.errors import Forbidden
from models.base.states import Moves

CURRENCY: Final = "USD"
"""Every provider in use publishes its prices in US dollars, so the budgets are in US cents too."""


class CallState(StrEnum):
    """How a call went, as far as is known."""

    STARTED = "started"
    OK = "ok"
    FAILED = "failed"
    UNKNOWN = "unknown"


MOVES: Final[Moves[CallState]] = {
    CallState.STARTED: frozenset({CallState.OK, CallState.FAILED, CallState.UNKNOWN}),
    # A call given up as lost may still come home: the process was slow, not dead.
    CallState.UNKNOWN: frozenset({CallState.OK, CallState.FAILED}),
    CallState.OK: frozenset(),
    CallState.FAILED: frozenset(),
}


class BudgetSpent(Forbidden):
    """Asking a model now could cost more than is allowed. No call was made; trying again changes nothing."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What models may cost, in cents of `CURRENCY`. Zero is no limit."""

    per_subject_cents: int
    per_day_cents: int

    def admit(
        self, subject: str, *, next_call: Decimal, spent_on_subject: Decimal, spent_today: Decimal
    ) -> None:
        """Raise `BudgetSpent` unless the next call fits into both budgets. All amounts are in cents.

        What is spent includes what calls under way have reserved, and what calls with an unknown end may
        have cost: when in doubt, the money is gone.
        """
        for limit, spent, whose in (
            (self.per_subject_cents, spent_on_subject, f"for {subject}"),
            (self.per_day_cents, spent_today, "for today"),
        ):
            if limit and spent + next_call > limit:
                raise BudgetSpent(
                    f"The language model budget {whose} is spent: {spent:.2f} of {limit} US cents are used, "
                    f"and the next call may cost up to {next_call:.2f}."
                )

"""What a job has done to the outside world, and whether that is known to have happened once.

There is no ledger of its own: every effect has a row where it belongs (a letter, a refund, a call to a model), whose key
makes it one, written before the world is asked and settled after. Each part tells of its own in `effects.EFFECTS`, by the
kind of job, and in `effects.unsure` which of all of them are not known; `models.everything` gathers both.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from models.jobs.tables import JobRow


class Known(StrEnum):
    """What is known of an effect."""

    ONCE = "happened once"
    MAYBE_AGAIN = "may have happened more than once"
    UNSURE = "may have happened"
    NOT_YET = "has not happened yet"
    NEVER = "did not happen"


@dataclass(frozen=True, slots=True)
class Effect:
    """One effect: in which step of its owner, what it is, and by which key the other side or we know it again."""

    owner: str
    step: str
    what: str
    key: str
    known: Known
    #: What more there is to say.
    words: str = ""
    #: When it was begun, as far as that is known.
    at: datetime | None = None
    #: The job whose effect it is, where its row says so.
    job_id: UUID | None = None


#: Finds the effects of a job, whose arguments may not fit: it died of that, and `msgspec.ValidationError` is raised.
Effects: TypeAlias = Callable[[AsyncSession, JobRow], Awaitable[list[Effect]]]

#: Finds the latest effects, at most so many, that were begun before a moment and of which nobody knows whether they
#: happened.
Unsure: TypeAlias = Callable[[AsyncSession, datetime, int], Awaitable[list[Effect]]]

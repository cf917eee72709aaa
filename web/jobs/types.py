"""What may be asked for over the API: each type's message, and who may ask for what of it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.tables import Person
from models.base.errors import Invalid
from models.everything import DATA_SETS
from models.exports.actions import chosen
from models.exports.jobs import Report
from models.jobs import Job
from models.jobs.rules import PRIORITIES
from models.jobs.states import JobState
from models.notices.asking import allowed_email, allowed_notification
from models.notices.jobs import Email, Notification
from web.json_bodies import decoded

JobType: TypeAlias = Literal["email", "notification", "report"]
Status: TypeAlias = Literal["pending", "processing", "completed", "failed", "cancelled"]

#: The five words that clients know, for the states that there are.
STATUSES: Final[dict[JobState, Status]] = {
    JobState.SCHEDULED: "pending",
    JobState.WAITING: "pending",
    JobState.ACTIVE: "processing",
    JobState.COMPLETED: "completed",
    JobState.DEAD: "failed",
    JobState.CANCELLED: "cancelled",
}


@dataclass(frozen=True, slots=True)
class Offer:
    """A type of the API. `allow` returns the message as this person may have it, or raises `Invalid`."""

    message: type[Job]
    allow: Callable[[AsyncSession, Person, Any], Awaitable[Job]]


async def _allowed_report(_session: AsyncSession, person: Person, wanted: Report) -> Report:
    chosen(DATA_SETS, person, wanted)
    return wanted


OFFERS: Final[dict[JobType, Offer]] = {
    "email": Offer(Email, allowed_email),
    "notification": Offer(Notification, allowed_notification),
    "report": Offer(Report, _allowed_report),
}
#: The type of each kind.
TYPES: Final[dict[str, JobType]] = {offer.message.kind: name for name, offer in OFFERS.items()}


class JobWanted(msgspec.Struct, forbid_unknown_fields=True, rename="camel", kw_only=True):
    """A job to be done."""

    type: JobType
    data: msgspec.Raw
    priority: Annotated[int, Meta(ge=PRIORITIES[0], le=PRIORITIES[-1], description="0 is first")] | None = (
        None
    )
    run_at: Annotated[datetime, Meta(tz=True, description="Not sooner than this")] | None = None
    idempotency_key: Annotated[str, Meta(min_length=1, max_length=200)] | None = None

    async def message(self, session: AsyncSession, person: Person) -> Job:
        """The message, as this person may have it. Raises `Invalid`, naming fields as `data.to`."""
        offer = OFFERS[self.type]
        wanted = decoded(self.data, offer.message, within="data")
        try:
            return await offer.allow(session, person, wanted)
        except Invalid as error:
            fields = {f"data.{name}": words for name, words in error.fields.items()}
            raise Invalid(fields, error.words) from error


class JobsLooked(msgspec.Struct, rename="camel", kw_only=True):
    """Which jobs are looked for."""

    status: Status | None = None
    job_type: JobType | None = None
    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    offset: Annotated[int, Meta(ge=0, le=10_000)] = 0
    cursor: str | None = None

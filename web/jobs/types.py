"""What may be asked for over the API: each type's message, and who may ask for what of it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal, Self, TypeAlias

import msgspec
from msgspec import Meta
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.tables import Person
from models.base.clock import now
from models.base.errors import Invalid
from models.everything import DATA_SETS
from models.exports.actions import chosen
from models.exports.jobs import Report
from models.jobs import Job
from models.jobs.rules import PRIORITIES
from models.jobs.states import JobState
from models.notices.asking import allowed_email, allowed_notification
from models.notices.jobs import Email, Notification
from web.json_bodies import WORDS, read

JobType: TypeAlias = Literal["email", "notification", "report"]
Status: TypeAlias = Literal["pending", "processing", "completed", "failed", "cancelled"]

#: How far ahead a job may be put.
FARTHEST: Final = timedelta(days=365)

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


_PRIORITY: Final = f"{PRIORITIES[0]} is first; {Job.priority} if you do not say"
_KEY: Final = "Names this request: sent again within 24 hours, it is answered with the job that it asked for"


class JobWanted(msgspec.Struct, forbid_unknown_fields=True, rename="camel", kw_only=True):
    """A job to be done."""

    type: JobType
    data: dict[str, Any]
    priority: Annotated[int, Meta(ge=PRIORITIES[0], le=PRIORITIES[-1], description=_PRIORITY)] | None = None
    run_at: (
        Annotated[datetime, Meta(tz=True, description="Not sooner than this; a year ahead at most")] | None
    ) = None
    idempotency_key: Annotated[str, Meta(min_length=1, max_length=200, description=_KEY)] | None = None


@dataclass(slots=True)
class Asking:
    """A request for a job as far as it can be read, and all that is wrong with it, by fields as `data.to`."""

    wanted: JobWanted
    #: What `data` says, if it can be known what it should say.
    message: Job | None
    faults: dict[str, str]

    @classmethod
    def of(cls, sent: Mapping[str, Any]) -> Self:
        """What was sent, looked at by itself: not yet whether this person may have it."""
        wanted, faults = read(sent, JobWanted)
        if wanted.run_at is not None and wanted.run_at > now() + FARTHEST:
            faults["runAt"] = f"A job can be put off by {FARTHEST.days} days at most."
        if not faults.keys().isdisjoint({"type", "data"}):
            return cls(wanted, None, faults)
        message, within = read(wanted.data, OFFERS[wanted.type].message)
        return cls(wanted, message, faults | _of_data(within))

    async def allowed(self, session: AsyncSession, person: Person) -> Job:
        """The message, as this person may have it. Raises `Invalid` with all that is wrong."""
        message = self.message
        if message is not None:
            try:
                message = await OFFERS[self.wanted.type].allow(session, person, message)
            except Invalid as error:
                # What cannot be read is empty here, and its fault is told already.
                self.faults = _of_data(error.fields) | self.faults
        if message is None or self.faults:
            raise Invalid(self.faults, WORDS)
        return message


def _of_data(faults: Mapping[str, str]) -> dict[str, str]:
    return {f"data.{name}": words for name, words in faults.items()}


class JobsLooked(msgspec.Struct, rename="camel", kw_only=True):
    """Which jobs are looked for."""

    status: Status | None = None
    job_type: JobType | None = None
    limit: Annotated[int, Meta(ge=1, le=100)] = 20
    offset: Annotated[int, Meta(ge=0, le=10_000)] = 0
    cursor: str | None = None

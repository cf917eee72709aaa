"""What people may do to one job, and to those that were ticked in a list."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.audit import audit
from models.accounts.states import Role
from models.accounts.tables import Person
from models.base.errors import NotFound
from models.jobs.cancelling import cancel
from models.jobs.dead import delete, retry
from models.jobs.queues import run_anyway
from models.jobs.states import UNFINISHED, JobState
from models.jobs.tables import JobRow
from web.visitor import Visitor


@dataclass(frozen=True, slots=True)
class Deed:
    """A button: its words and icon, the states that it is offered in, what it does and how that is told.

    `do` raises `Conflict` for a job that it comes too late for.
    """

    words: str
    icon: str
    states: frozenset[JobState]
    do: Callable[[AsyncSession, UUID], Awaitable[object]]
    action: str
    said: str
    role: Role = Role.EDITOR
    #: What more is asked of a job, so that the deed changes anything.
    fits: Callable[[JobRow], bool] = lambda _: True

    def is_offered(self, job: JobRow, visitor: Visitor) -> bool:
        """Whether this visitor may do it to the job as it is."""
        return job.state in self.states and visitor.has_role(self.role) and self.fits(job)

    async def perform(self, session: AsyncSession, job_id: UUID, person: Person) -> None:
        """Do it, and write down who did and what job that was: it may be gone afterwards. Raises `NotFound`."""
        job = await session.get(JobRow, job_id)
        if job is None:
            raise NotFound("There is no such job.")
        told = {"kind": job.kind, "queue": job.queue, "was": job.state.value, "about": job.subject}
        await self.do(session, job_id)
        await audit(session, person, self.action, f"job/{job_id}", **told)


#: By the last word of the address that it is posted to.
DEEDS: Final = {
    "retry": Deed(
        "Run again",
        "loop",
        frozenset({JobState.DEAD, JobState.CANCELLED}),
        retry,
        "job.retried",
        "It waits for a worker again.",
    ),
    "promotion": Deed(
        "Run now",
        "skip",
        frozenset({JobState.SCHEDULED, JobState.WAITING}),
        run_anyway,
        "job.promoted",
        "It goes before all others of its queue, also while that is paused. Limits still hold it.",
        fits=lambda job: not job.parents_left and not (job.run_anyway and job.state is JobState.WAITING),
    ),
    "cancellation": Deed(
        "Cancel",
        "cross",
        UNFINISHED,
        cancel,
        "job.cancelled",
        "It is cancelled.",
    ),
    "deletion": Deed(
        "Delete",
        "cross-circle",
        frozenset(JobState) - UNFINISHED,
        delete,
        "job.deleted",
        "The job is deleted.",
        Role.ADMIN,
    ),
}

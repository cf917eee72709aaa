"""Why a job is not running, in plain words with numbers, and what would change it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncSession

from models.jobs import gates
from models.jobs.estimates import COUNTED, before, lingering, slots
from models.jobs.message import kinds
from models.jobs.queries import snoozes_of
from models.jobs.rules import in_words
from models.jobs.states import JobState
from models.jobs.store import DIED, suspected
from models.jobs.tables import JobRow

_QUEUE = text(gates.rooms_of_queues("(select cast(:name as text) as name, 1 as slots) as wanted"))
_KEY = text(gates.rooms_of_keys("(select cast(:name as text) as name) as wanted"))
_SUSPECTED = text(f"select {suspected('jobs', '(jobs.attempt + 1)')} from jobs where id = :job_id")  # noqa: S608 - our own words


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that keeps a job waiting."""

    #: unknown-kind, scheduled, retry, parents, flow, cancel, suspect, paused, limit, rate, silence, no-worker, slots or
    #: soon.
    what: str
    words: str
    #: What would change it.
    remedy: str


async def why_waiting(
    session: AsyncSession, job: JobRow, lease: timedelta, *, tells_key: bool = True
) -> list[Reason]:
    """What keeps this job from running now, the first obstacle first. Empty for a job that runs or has ended.

    Keys and what the other side said may name somebody: without `tells_key` they are left out.
    """
    if job.state not in {JobState.SCHEDULED, JobState.WAITING}:
        return []
    reasons = [one async for one in _own(session, job, tells_key=tells_key)]
    reasons += [one async for one in _of_the_queue(session, job, lease)]
    return reasons or [Reason("soon", "Nothing keeps it: it is about to start.", "Wait a second.")]


async def _own(session: AsyncSession, job: JobRow, *, tells_key: bool) -> AsyncIterator[Reason]:
    if job.kind not in kinds():
        words = f"No release that runs here knows the kind {job.kind}, so every worker puts it off. It is not lost."
        yield Reason("unknown-kind", words, "Start workers of the release that knows it, or cancel the job.")
    elif job.state is JobState.SCHEDULED:
        yield await _scheduled(session, job, tells_key=tells_key)
    blocked_by = job.blocked_by or ""
    if job.parents_left:
        count = f"{job.parents_left} other job{'s' if job.parents_left != 1 else ''}"
        yield Reason(
            "parents", f"It waits for {count} of its flow to end.", "Look at those that have not ended."
        )
    if blocked_by.startswith("flow"):
        yield Reason("flow", "Its flow is paused.", f"Let the flow go on{_or_now(job)}.")
    elif blocked_by == "cancel":
        yield Reason("cancel", "It was asked to stop, and will be cancelled within seconds.", "Nothing.")
    if job.error == DIED and await session.scalar(_SUSPECTED, {"job_id": job.id}):
        words = "Its worker has died twice in a row: a worker runs such jobs one at a time."
        yield Reason(
            "suspect", words, "Wait for the others of these to end, or cancel what kills the worker."
        )
    if job.limit_key is not None:
        room = (await session.execute(_KEY, {"name": job.limit_key})).one()
        for reason in _limits(room, job.limit_key if tells_key else "its key"):
            yield reason


async def _scheduled(session: AsyncSession, job: JobRow, *, tells_key: bool) -> Reason:
    at, remedy = f"{job.run_at:%Y-%m-%d %H:%M:%S} UTC", "Run it now, or wait."
    if job.attempt and job.error:
        words = f"Attempt {job.attempt} of {job.max_attempts} failed; the next one is at {at}."
        return Reason("retry", words, remedy)
    if not job.snoozes:
        return Reason("scheduled", f"It is to run at {at}.", remedy)
    often = "once" if job.snoozes == 1 else f"{job.snoozes} times"
    words = f"It was put off {often}, now until {at}."
    if tells_key and (put_off := await snoozes_of(session, job.id)):
        words += f" {put_off[-1].why}"
    return Reason("scheduled", words, remedy)


async def _of_the_queue(session: AsyncSession, job: JobRow, lease: timedelta) -> AsyncIterator[Reason]:
    room = (await session.execute(_QUEUE, {"name": job.queue})).one()
    if room.is_paused and not job.run_anyway:
        yield Reason("paused", f"The queue {job.queue} is paused.", f"Let the queue go on{_or_now(job)}.")
    for reason in _limits(room, f"the queue {job.queue}"):
        yield reason
    count = await slots(session, job.queue, lease)
    lost = await lingering(session, job.queue, lease)
    if count == 0:
        words = f"No living worker serves the queue {job.queue}."
        start = f"python -m tasks.worker --queues {job.queue}"
        remedy = f"Wait a minute where workers are scaled (SCALING_BACKEND), or start one: {start}"
        yield Reason("no-worker", words, remedy)
    elif room.running + lost >= count and job.state is JobState.WAITING:
        ahead, work = await before(session, job)
        by = f", {lost} of them by cancelled jobs that do not stop," if lost else ","
        words = f"All {count} slots of the queue {job.queue} are taken{by} and {_counted(ahead)} before it"
        if work is not None:
            about = "no sooner than" if ahead >= COUNTED else "about"
            words += f"; by what such jobs took lately it begins in {about} {in_words(work / count)}"
        more = "" if job.run_anyway else ", or raise this job's priority"
        yield Reason("slots", f"{words}.", f"Start another worker{more}.")


def _or_now(job: JobRow) -> str:
    """What comes after others is not run before them."""
    return "" if job.parents_left else ", or run this job now"


def _limits(room: Row[tuple[object, ...]], of: str) -> list[Reason]:
    reasons = []
    if room.max_running is not None and room.running >= room.max_running:
        are = "job of {} is" if room.max_running == 1 else "jobs of {} are"
        words = f"{room.running} of at most {room.max_running} {are.format(of)} running."
        reasons.append(Reason("limit", words, f"Wait for one of them to end, or raise the limit of {of}."))
    if room.closed > 0:
        words = f"The other side has asked for silence: {of} begins again in {_seconds(room.closed)}."
        reasons.append(Reason("silence", words, f"Wait, or end the silence of {of}."))
    if room.next_in is not None and room.next_in > 0:
        words = f"The rate of {of} is used up; the next one may begin in about {_seconds(room.next_in)}."
        reasons.append(Reason("rate", words, f"Wait, or raise the rate of {of}."))
    return reasons


def _counted(ahead: int) -> str:
    if ahead >= COUNTED:
        return f"{COUNTED} or more jobs are"
    return f"{ahead} job{' is' if ahead == 1 else 's are'}"


def _seconds(number: float) -> str:
    return in_words(timedelta(seconds=number))

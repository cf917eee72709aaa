"""What happened to a job, from when it was asked for until now, and how patient its kind is."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, Final
from uuid import UUID

from models.accounts.tables import AuditEntry
from models.base.clock import moment_words
from models.jobs.board_tables import BulkRow
from models.jobs.message import Backoff, Job
from models.jobs.queries import Record
from models.jobs.rules import in_words
from models.jobs.states import BulkDeed, JobState
from models.jobs.tables import SnoozeRow
from web.board.addresses import BULK

#: What was due so soon after it was asked for was due at once; what is nearer than that has one second.
SOON: Final = timedelta(seconds=1)
#: What does not run is cancelled by the statement that asks for it.
AT_ONCE: Final = timedelta(milliseconds=10)
ENDS: Final = {
    JobState.COMPLETED: ("Done", "good", "check-circle"),
    JobState.DEAD: ("Given up", "bad", "cross-circle"),
    JobState.CANCELLED: ("Cancelled", "neutral", "minus-circle"),
}
#: What people did, in the words of the log of it.
DEEDS: Final = {
    "job.asked": "Asked for by hand",
    "job.retried": "Run again",
    "job.edited": "Run again with other arguments",
    "job.promoted": "Run now",
    "job.cancelled": "Cancellation asked for",
    "job.duplicated": "Duplicated",
}
BULK_DEEDS: Final = {
    BulkDeed.RETRY: "Run again",
    BulkDeed.CANCEL: "Cancellation asked for",
    BulkDeed.PROMOTE: "To begin sooner",
    BulkDeed.PRIORITY: "Given another priority",
}


@dataclass(frozen=True, slots=True)
class Tried:
    """One attempt: how it ended, when it began if that is known, and who made it."""

    number: int
    outcome: str
    tone: str
    began: datetime | None
    ended: datetime | None
    worker_id: UUID | None
    error: str | None = None
    traceback: str | None = None


def tries(record: Record) -> list[Tried]:
    """The attempts of a job, the latest first."""
    job = record.job
    found = [
        Tried(
            one.attempt,
            one.outcome,
            "bad" if one.outcome == "dead" else "warn",
            one.started_at,
            one.finished_at,
            one.worker_id,
            one.error,
            one.traceback,
        )
        for one in record.attempts
    ]
    # The one that runs, completed or was cancelled has no row of its own: the job's tells of it.
    if job.started_at is not None and job.attempt not in {one.number for one in found}:
        word, tone, _ = ENDS.get(job.state, ("Running", "accent", ""))
        found.append(Tried(job.attempt, word.lower(), tone, job.started_at, job.finished_at, job.worker_id))
    return sorted(found, key=lambda one: one.number, reverse=True)


def waited(record: Record) -> timedelta | None:
    """For how long it was due before its latest attempt began. What an attempt before that one took is no waiting: a job
    whose worker died is due since its first time.
    """
    job = record.job
    if job.started_at is None:
        return None
    ends = (one.finished_at for one in record.attempts if one.attempt < job.attempt)
    return job.started_at - max([job.run_at, *ends])


def patience(message: type[Job], allowed: int) -> str:
    """How often a kind is tried, how long it waits in between, and how long an attempt may take. To be `allowed` another
    number of them, a job was run again.
    """
    backoff = message.backoff
    more = ", and as many more whenever it is run again" if allowed != message.attempts else ""
    if message.attempts == 1:
        words = f"One attempt{more}."
    elif isinstance(backoff, Backoff):
        words = f"{message.attempts} attempts{more}: the second about {in_words(backoff.first)} after the first has failed"
        if message.attempts > 2:  # noqa: PLR2004 - a third
            words += (
                f", each later one after {backoff.factor:g} times as long, at most {in_words(backoff.limit)}"
            )
        words += "."
    else:
        words = f"{message.attempts} attempts{more}: the second {in_words(backoff(1))} after the first has failed."
    return f"{words} Each may take {in_words(message.timeout)}."


def put_off(snoozes: Sequence[SnoozeRow], *, tells_why: bool) -> list[dict[str, Any]]:
    """That it was to come back later, as one event for each attempt, at the last time. Why may name whom it asked."""
    events = []
    for one in snoozes:
        wait, words = in_words(one.until - one.at), one.why if tells_why else ""
        title = f"Put off for {wait}"
        if one.times > 1:
            title = f"Put off {one.times:,} times, at last for {wait}"
            words += f" The first time was {moment_words(one.first_at)}."
        events.append(_event(one.at, title, "neutral", "clock") | {"text": words})
    return events


def in_bulk(done: Sequence[tuple[BulkRow, datetime]], emails: Mapping[UUID, str]) -> list[dict[str, Any]]:
    """What was done to it with all that a search found. Those whose addresses are told may look at that action."""
    events = []
    for one, at in done:
        event = _event(at, f"{BULK_DEEDS[one.deed]}, with all that matched", "accent", "person", "admin")
        if one.asked_by in emails:
            event |= {"actor": emails[one.asked_by], "text": one.filter, "href": f"{BULK}/{one.id}"}
        events.append(event)
    return events


def told(
    record: Record, deeds: Sequence[AuditEntry], others: Iterable[dict[str, Any]], asker: str | None = None
) -> list[dict[str, Any]]:
    """The events of a job, with `others`, latest first, as the shell's time line wants them: to the second, or to the
    millisecond where one is so near to its neighbour. `asker` is who asked for it, if that was a person.
    """
    job, events = record.job, []
    by = {"actor": asker} if asker else {}
    if all(one.action != "job.asked" for one in deeds):
        events.append(_event(job.created_at, "Asked for", "neutral", "circle") | by)
    if job.run_at - job.created_at > SOON and not job.attempt:
        events.append(_event(job.run_at, "Due", "neutral", "clock"))
    for one in record.attempts:
        if one.started_at is not None:
            events.append(_event(one.started_at, f"Attempt {one.attempt} began", "accent", "arrow-circle"))
        # The end of the last one is the end of the job, which is told below.
        if job.finished_at is None or one.attempt < job.attempt:
            events.append(_event(one.finished_at, f"Attempt {one.attempt}: {one.outcome}", "warn", "warning"))
    seen = {one.attempt for one in record.attempts}
    if job.started_at is not None and job.attempt not in seen:
        events.append(_event(job.started_at, f"Attempt {job.attempt} began", "accent", "arrow-circle"))
    asked_at, ended_at = job.cancel_asked_at, job.finished_at
    # Whoever pressed the button is told below.
    is_told = any(one.action == "job.cancelled" for one in deeds)
    if asked_at is not None and not is_told and (ended_at is None or ended_at - asked_at > AT_ONCE):
        events.append(_event(asked_at, "Asked to stop", "warn", "minus-circle"))
    if ended_at is not None:
        events.append(_event(ended_at, *ENDS[job.state]))
    events += [
        _event(_told_at(one, ended_at), DEEDS.get(one.action, one.action), "accent", "person", one.actor)
        | (by if one.action == "job.asked" else {})
        for one in deeds
    ]
    return _told_apart(sorted([*events, *others], key=lambda one: one["at"], reverse=True))


def _told_apart(line: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for later, earlier in pairwise(line):
        if later["at"] - earlier["at"] < SOON:
            later["to"] = earlier["to"] = "millisecond"
    return line


def _told_at(deed: AuditEntry, ended_at: datetime | None) -> datetime:
    """When people did it. A cancellation that ended the job is written down a moment later, and comes before its end."""
    if deed.action == "job.cancelled" and ended_at is not None and ended_at < deed.at < ended_at + SOON:
        return ended_at
    return deed.at


def _event(at: datetime, title: str, tone: str, icon: str, actor: str = "Galley") -> dict[str, Any]:
    return {
        "at": at,
        "title": title,
        "actor": actor.capitalize(),
        "text": None,
        "tone": tone,
        "icon": icon,
        "to": "second",
    }

"""Which jobs are meant: one line of words that a person types, a link carries, and a bulk action keeps.

`kind:orders.integrate_backlink state:dead args.order_id:0198… error:timeout since:2h "free words"`
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Self
from uuid import UUID

from sqlalchemy import ColumnElement, SQLColumnExpression, Text, cast, collate, or_

from models.base.clock import now
from models.base.db import first_id
from models.base.errors import Invalid
from models.jobs.states import JobState
from models.jobs.tables import JobRow

LONGEST: Final = 500
#: A part of a line: what stands between quotation marks belongs together.
_PART: Final = re.compile(r'(?:[^\s"]|"[^"]*")+')
#: A part that begins with a qualifier. An address does not, although it has a colon.
_QUALIFIED: Final = re.compile(r"(args\.[^:]+|[a-z_]+):(?!//)(.*)", re.DOTALL)
#: What may be written before a colon, and what it asks for.
QUALIFIERS: Final[Mapping[str, str]] = {
    "state": "one state, or several with commas: dead,cancelled",
    "kind": "the exact kind, as orders.integrate_backlink",
    "queue": "the exact queue",
    "subject": "what it is about, as order/0198…",
    "worker": "the id of the worker that has it or had it last",
    "flow": "the id of its flow",
    "fingerprint": "the fingerprint of what it died of",
    "asked_by": "the id of the person who asked for it",
    "error": "words within its last error",
    "args.": "the value of an argument: args.order_id:0198…, args.site.name:…",
    "since": "asked for since then: 2h, 3d, or 2026-11-21T10:00Z",
    "until": "asked for before then",
}

_AGO: Final = re.compile(r"(\d{1,5})([mhd])")
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days"}
_IDS: Final = frozenset({"worker", "flow", "asked_by"})
_INDEXED: Final = frozenset({"subject", "flow", "fingerprint", "asked_by"})
#: The qualifiers that tell nothing of what jobs carry, nor of who they are for.
OPEN: Final = ("state", "kind", "queue", "worker", "flow", "since", "until")
#: States of which there are few, or which have an index of their own.
_RARE: Final = frozenset(JobState) - {JobState.COMPLETED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What must be true of a job, all of it. Without anything it means every job."""

    states: tuple[JobState, ...] = ()
    kind: str = ""
    queue: str = ""
    subject: str = ""
    worker: UUID | None = None
    flow: UUID | None = None
    fingerprint: str = ""
    asked_by: UUID | None = None
    error: str = ""
    args: tuple[tuple[str, str], ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    #: Words that are searched in kind, error and arguments, or the id of a job.
    words: str = ""
    #: As it was written.
    line: str = field(default="", compare=False)

    @classmethod
    def read(cls, line: str, at: datetime | None = None) -> Self:
        """The filter that a line of words meant at that time. Raises `Invalid` naming what cannot be understood."""
        if len(line) > LONGEST:
            raise Invalid({"q": f"This takes {len(line)} characters; keep it below {LONGEST}."})
        if line.count('"') % 2:
            raise Invalid({"q": "A quotation mark is opened and not closed."})
        asked: dict[str, Any] = {"line": line.strip()}
        words = []
        for part in parts(line):
            if (hit := _QUALIFIED.fullmatch(part)) is None:
                words.append(part.replace('"', ""))
                continue
            name, value = hit[1], hit[2].replace('"', "")
            wanted = QUALIFIERS.get("args." if name.startswith("args.") else name)
            if wanted is not None and not value:
                raise Invalid({"q": f"{name}: lacks what should follow it: {wanted}."})
            if name.startswith("args."):
                asked["args"] = (*asked.get("args", ()), (name.removeprefix("args."), value))
            elif wanted is not None:
                if name in asked:
                    raise Invalid({"q": f"{name}: is there twice."})
                asked |= _read(name, value, at or now())
            else:
                known = ", ".join(f"{one}:" for one in QUALIFIERS if one != "args.")
                hint = "Other words with a colon in them go between quotation marks."
                raise Invalid({"q": f"{part!r} is not known. Search by {known} or args.<name>: {hint}"})
        return cls(**asked, words=" ".join(words))

    def __str__(self) -> str:
        return self.line

    @property
    def is_indexed(self) -> bool:
        """Whether an index finds these jobs. If not, look only at so many of the latest."""
        named = any(getattr(self, name) for name in _INDEXED) or _id_of(self.words) is not None
        return named or bool(self.states and _RARE.issuperset(self.states)) or not self.conditions()

    @property
    def is_open(self) -> bool:
        """Whether this asks for nothing that jobs carry: what a search finds tells as much as reading it does."""
        return not (
            self.subject or self.fingerprint or self.asked_by or self.error or self.args or self.words
        )

    def conditions(self) -> list[ColumnElement[bool]]:
        """What SQL asks of `JobRow`."""
        wanted = (
            (JobRow.kind, self.kind),
            (JobRow.queue, self.queue),
            (JobRow.subject, self.subject),
            (JobRow.worker_id, self.worker),
            (JobRow.flow_id, self.flow),
            (JobRow.fingerprint, self.fingerprint),
            (JobRow.asked_by, self.asked_by),
        )
        found: list[ColumnElement[bool]] = [column == value for column, value in wanted if value]
        found += [JobRow.args[path.split(".")].astext == value for path, value in self.args]
        if self.states:
            found.append(JobRow.state.in_(self.states))
        if self.error:
            found.append(_contains(JobRow.error, self.error))
        if self.words:
            found.append(_about(self.words))
        return [*found, *self.places()]

    def places(self) -> list[ColumnElement[bool]]:
        """Where alone they can be in the order of age, as conditions that an index knows: times, as ids, and what failed."""
        found: list[ColumnElement[bool]] = []
        if self.since:
            found.append(JobRow.id >= first_id(self.since))
        if self.until:
            found.append(JobRow.id < first_id(self.until))
        if self.error:
            found.append(JobRow.error.is_not(None))
        return found


def parts(line: str) -> list[str]:
    """The parts of a line, as they were written."""
    return _PART.findall(line)


def _read(name: str, value: str, at: datetime) -> dict[str, Any]:
    """The field of the filter that a qualifier sets."""
    try:
        if name == "state":
            return {"states": tuple(JobState(one) for one in value.split(","))}
        if name in _IDS:
            return {name: UUID(value)}
        if name in {"since", "until"}:
            return {name: _moment(value, at)}
    except (ValueError, OverflowError) as error:
        raise Invalid({"q": f"{name}:{value} cannot be read: {QUALIFIERS[name]}."}) from error
    return {name: value}


def _moment(value: str, at: datetime) -> datetime:
    if ago := _AGO.fullmatch(value):
        return at - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    moment = datetime.fromisoformat(value)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _id_of(words: str) -> UUID | None:
    try:
        return UUID(words)
    except ValueError:
        return None


def _about(words: str) -> ColumnElement[bool]:
    if (job_id := _id_of(words)) is not None:
        return JobRow.id == job_id
    return or_(*(_contains(place, words) for place in (JobRow.kind, JobRow.error, cast(JobRow.args, Text))))


def _contains(place: SQLColumnExpression[Any], words: str) -> ColumnElement[bool]:
    """That `words` stand in it, in capitals or not. For words in ASCII only ASCII is folded, in half the time."""
    folded = collate(place, "C") if words.isascii() else place
    return folded.icontains(words, autoescape=True)

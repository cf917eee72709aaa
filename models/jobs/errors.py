"""What goes wrong, in groups: a thousand jobs that died of one mistake are one thing to understand."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import delete, func, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.errors import Invalid
from models.jobs.board_tables import ErrorRow

#: Groups that are told about: the most recent. Whoever has more has one problem, not a hundred.
GROUPS_SHOWN: Final = 100
#: They are made of so many dead letters, the latest, however many there are.
MOST_GROUPED: Final = 10_000
LONGEST_NOTE: Final = 2000

#: What differs from one error to the next of the same cause, the most particular first.
_PARTICULARS: Final = re.compile(
    r"""(?P<url>https?://\S+)
      | (?P<id>[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})
      | (?P<text>'[^'\n]*'|"[^"\n]*"|`[^`\n]*`)
      | (?P<address>0x[0-9a-f]+ | \b[0-9a-f]{12,}\b | \S+@\S+\.\w+ | (?:/[\w.\-]+){2,})
      | (?P<number>\d+(?:[.,:]\d+)*)""",
    re.VERBOSE | re.IGNORECASE,
)
#: A line of a traceback in our own rooms: where in a file is left out, for it moves with every edit.
_OWN_FRAME: Final = re.compile(
    r'File "(?![^"\n]*site-packages)(?:[^"\n]*?/)?((?:models|tasks|web|emails)/[^"\n]+)", line \d+, in (\S+)'
)

_GROUPS: Final = text(
    """
    select dead.fingerprint, newest.error as title, dead.kinds, dead.count, dead.first_at, dead.last_at,
           dead.example_id, known.note, known.understood_at
      from (select fingerprint, array_agg(distinct kind) as kinds, count(*), min(finished_at) as first_at,
                   max(finished_at) as last_at, (array_agg(id order by id desc))[1] as example_id
              from (select * from jobs where state = 'dead' order by id desc limit :most) latest
             where fingerprint is not null group by fingerprint) dead
      join jobs newest on newest.id = dead.example_id
      left join job_errors known on known.fingerprint = dead.fingerprint
     where cast(:is_understood as boolean) is null or (known.fingerprint is not null) = :is_understood
     order by dead.last_at desc limit :limit
    """
)


@dataclass(frozen=True, slots=True)
class Group:
    """Dead jobs whose errors have one fingerprint. `title` is the latest one's error; `note` says what is known."""

    fingerprint: str
    title: str
    kinds: Sequence[str]
    count: int
    first_at: datetime
    last_at: datetime
    example_id: UUID
    note: str | None
    understood_at: datetime | None


def fingerprint(error: str, traceback: str | None = None) -> str:
    """16 hex digits that errors of one cause share: of the error's type and its words without ids, numbers and
    quotations, and of the innermost function of ours in the traceback.
    """
    words = _PARTICULARS.sub(lambda hit: f"<{hit.lastgroup}>", error)
    frames = _OWN_FRAME.findall(traceback or "")
    where = ":".join(frames[-1]) if frames else ""
    return hashlib.blake2b(f"{words}\n{where}".encode(), digest_size=8).hexdigest()


async def groups(session: AsyncSession, *, is_understood: bool | None = None) -> list[Group]:
    """The dead letters by what they died of, the latest first; only those that are (not) understood, if that is said."""
    rows = await session.execute(
        _GROUPS, {"is_understood": is_understood, "limit": GROUPS_SHOWN, "most": MOST_GROUPED}
    )
    return [Group(**row) for row in rows.mappings()]


async def understand(session: AsyncSession, fingerprint: str, note: str, person_id: UUID) -> None:
    """Write down what is known about errors with this fingerprint. Raises `Invalid` for a note that is too long."""
    if len(note) > LONGEST_NOTE:
        raise Invalid({"note": f"This takes {len(note)} characters; keep it below {LONGEST_NOTE:,}."})
    known = {"note": note.strip(), "understood_by": person_id, "understood_at": func.now()}
    row = insert(ErrorRow).values(fingerprint=fingerprint, **known)
    await session.execute(row.on_conflict_do_update(index_elements=["fingerprint"], set_=known))


async def reopen(session: AsyncSession, fingerprint: str) -> None:
    """It was not understood after all."""
    await session.execute(delete(ErrorRow).where(ErrorRow.fingerprint == fingerprint))

"""What goes wrong, in groups: a thousand jobs that died of one mistake are one thing to understand."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import delete, func, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.errors import Invalid
from models.base.paging import PAGE_SIZE, Page, decode_cursor, instant, number, page_of, word
from models.jobs.board_tables import ErrorRow

#: Groups are made of so many dead letters, and of so many failed attempts within `LATELY`: the latest, however many
#: there are.
MOST_GROUPED: Final = 10_000
LATELY: Final = timedelta(hours=24)
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
    with dead as (
        select fingerprint, array_agg(distinct kind) as kinds, count(*), min(finished_at) as first_at,
               max(finished_at) as last_at, (array_agg(id order by id desc))[1] as example_id
          from (select id, kind, fingerprint, finished_at from jobs where state = 'dead' order by id desc limit :most) latest
         where fingerprint is not null group by fingerprint),
    failed as (
        select tried.fingerprint, array_agg(distinct jobs.kind) as kinds, min(tried.finished_at) as first_at,
               max(tried.finished_at) as last_at, count(*) as lately,
               count(*) filter (where tried.finished_at > now() - interval '1 hour') as last_hour,
               count(distinct jobs.id) filter (where jobs.finished_at is null) as retrying,
               (array_agg(jobs.id order by tried.finished_at desc) filter (where jobs.finished_at is null))[1] as example_id
          from (select job_id, fingerprint, finished_at from job_attempts
                 where finished_at > now() - cast(:lately as interval) order by finished_at desc limit :most) tried
          join jobs on jobs.id = tried.job_id
         where tried.fingerprint is not null group by tried.fingerprint),
    found as (
        select fingerprint, coalesce(dead.kinds, failed.kinds) as kinds, coalesce(dead.count, 0) as dead,
               coalesce(failed.retrying, 0) as retrying, coalesce(failed.lately, 0) as lately,
               coalesce(failed.last_hour, 0) as last_hour, least(dead.first_at, failed.first_at) as first_at,
               greatest(dead.last_at, failed.last_at) as last_at,
               coalesce(dead.example_id, failed.example_id) as example_id
          from dead full join failed using (fingerprint)
         where dead.count > 0 or failed.retrying > 0),
    open_first as (
        select found.*, known.note, known.understood_at, cast(known.fingerprint is null as int) as is_open
          from found left join job_errors known using (fingerprint))
    select *, coalesce((select error from job_attempts one
                         where one.job_id = example_id and one.fingerprint = open_first.fingerprint
                         order by attempt desc limit 1),
                       (select error from jobs where id = example_id)) as title
      from open_first
     where cast(:last_at as timestamptz) is null
        or (is_open, last_at, fingerprint) < (cast(:is_open as bigint), cast(:last_at as timestamptz), cast(:after as text))
     order by is_open desc, last_at desc, fingerprint desc limit :limit
    """
)


@dataclass(frozen=True, slots=True)
class Group:
    """Jobs that failed in one way, by the fingerprint of their errors: those that are dead, and those that are being
    tried again. `title` is the latest one's error; `note` says what is known.
    """

    fingerprint: str
    title: str
    kinds: Sequence[str]
    dead: int
    retrying: int
    #: Attempts that failed so within `LATELY`, and within the last hour.
    lately: int
    last_hour: int
    first_at: datetime
    last_at: datetime
    example_id: UUID
    note: str | None
    understood_at: datetime | None


def fingerprint(error: str, traceback: str | None = None, kind: str = "") -> str:
    """16 hex digits that errors of one cause share: of the error's type and its words without ids, numbers and
    quotations, and of the innermost function of ours in the traceback, or without one the `kind` that is given.
    """
    words = _PARTICULARS.sub(lambda hit: f"<{hit.lastgroup}>", error)
    frames = _OWN_FRAME.findall(traceback or "")
    where = ":".join(frames[-1]) if frames else kind
    return hashlib.blake2b(f"{words}\n{where}".encode(), digest_size=8).hexdigest()


async def groups(session: AsyncSession, *, cursor: str | None = None) -> Page[Group]:
    """What went wrong, like with like: first what nobody has understood, the latest first.

    Raises `Invalid` for a cursor that we did not make.
    """
    place = decode_cursor(cursor, number, instant, word) if cursor is not None else (0, None, "")
    asked = dict(zip(("is_open", "last_at", "after"), place, strict=True))
    limits = {"limit": PAGE_SIZE + 1, "most": MOST_GROUPED, "lately": LATELY}
    rows = (await session.execute(_GROUPS, asked | limits)).mappings().all()
    found = page_of(rows, PAGE_SIZE, lambda one: [one["is_open"], one["last_at"], one["fingerprint"]])
    names = [one.name for one in fields(Group)]
    return Page([Group(**{name: row[name] for name in names}) for row in found.items], found.next_cursor)


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

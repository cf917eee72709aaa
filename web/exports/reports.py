"""One's own reports: the page that lists them, the form that asks for one, and the files."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Final
from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath, FromQuery
from litestar.response import Stream

from models.base.clock import now
from models.base.errors import Invalid
from models.everything import DATA_SETS
from models.exports.actions import chosen, exports_of, hand_out, offered
from models.exports.jobs import MEDIA_TYPES, Report
from models.files.storage import storage_of
from models.jobs import enqueue
from models.jobs.asked import Looked, asked_jobs
from models.jobs.states import UNFINISHED
from web.forms import choice, read, shown, text
from web.guards import signed_in
from web.jobs.api import READS
from web.limits import limited_person
from web.pages import page, redirect
from web.params import Config, Submitted, Transaction, Who
from web.visitor import Visitor

REPORTS: Final = "/reports"
ASKING: Final = f"{REPORTS}/new"
#: Reports that are being made, the latest of them.
_UNDER_WAY: Final = Looked([Report.kind], UNFINISHED, limit=10)


class Format(StrEnum):
    """What a report is written as."""

    CSV = "csv"
    XLSX = "xlsx"
    PDF = "pdf"


@dataclass(frozen=True, slots=True)
class Wish:
    """A report that is wanted."""

    data_set: Annotated[str, text("Choose what it should be about", max_length=60)]
    format: Annotated[Format, choice(Format, "Choose a format")]


@get(REPORTS, guards=[signed_in])
async def reports(session: Transaction, visitor: Who, cursor: FromQuery[str | None] = None) -> Response[None]:
    """What can be downloaded, the latest first."""
    found = await exports_of(session, visitor.somebody.id, now(), cursor or None)
    return page(
        "exports/reports.html",
        visitor=visitor,
        rows=found.items,
        under_way=await asked_jobs(session, visitor.somebody.id, _UNDER_WAY),
        titles={name: one.title for name, one in DATA_SETS.items()},
        first=REPORTS if cursor else None,
        more=f"{REPORTS}?cursor={found.next_cursor}" if found.next_cursor else None,
    )


@get(ASKING, guards=[signed_in])
async def choose(visitor: Who) -> Response[None]:
    """What should the report be about?"""
    return _asking(visitor, {}, {})


@post(ASKING, guards=[signed_in, limited_person("reports", 10, timedelta(minutes=1))])
async def ask(session: Transaction, visitor: Who, form: Submitted) -> Response[None]:
    """Have it made."""
    person = visitor.somebody
    try:
        wish = read(Wish, form)
        wanted = Report(data_set=wish.data_set, format=wish.format.value)
        chosen(DATA_SETS, person, wanted)
    except Invalid as refusal:
        problems = {{"dataSet": "data_set"}.get(name, name): words for name, words in refusal.fields.items()}
        return _asking(visitor, shown(form), problems)
    mine = f"person/{person.id}"
    await enqueue(session, wanted, asked_by=person.id, share=mine, limit=mine)
    return redirect(REPORTS, notice="It is being made. Your inbox tells you when it is ready.")


def _asking(visitor: Visitor, typed: dict[str, str], problems: Mapping[str, str]) -> Response[None]:
    offers = [(one.name, one.title) for one in offered(DATA_SETS, visitor.somebody)]
    return page(
        "exports/asking.html",
        visitor=visitor,
        status=422 if problems else 200,
        offers=offers,
        typed=typed,
        problems=problems,
    )


@get(["/reports/{report_id:uuid}", "/api/reports/{report_id:uuid}"], guards=READS)
async def download(session: Transaction, visitor: Who, settings: Config, report_id: FromPath[UUID]) -> Stream:
    """The file of one of one's own reports."""
    export = await hand_out(session, report_id, visitor.somebody, now())
    pieces = await storage_of(settings.files).read(export.key)
    name = f"{export.data_set}-{export.created_at:%Y-%m-%d}.{export.format}"
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "Content-Length": str(export.bytes),
        "Cache-Control": "no-store",
    }
    return Stream(pieces, media_type=MEDIA_TYPES[export.format], headers=headers)

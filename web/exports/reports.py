"""One's own reports: the page that lists them, and the files."""

from typing import Final
from uuid import UUID

from litestar import Response, get
from litestar.params import FromPath, FromQuery
from litestar.response import Stream

from models.base.clock import now
from models.everything import DATA_SETS
from models.exports.actions import export_of, exports_of
from models.exports.jobs import MEDIA_TYPES
from models.files.storage import storage_of
from web.guards import signed_in
from web.jobs.api import READS
from web.pages import page
from web.params import Config, Transaction, Who

REPORTS: Final = "/reports"


@get(REPORTS, guards=[signed_in])
async def reports(session: Transaction, visitor: Who, cursor: FromQuery[str | None] = None) -> Response[None]:
    """What can be downloaded, the latest first."""
    found = await exports_of(session, visitor.somebody.id, now(), cursor or None)
    return page(
        "exports/reports.html",
        visitor=visitor,
        rows=found.items,
        titles={name: one.title for name, one in DATA_SETS.items()},
        first=REPORTS if cursor else None,
        more=f"{REPORTS}?cursor={found.next_cursor}" if found.next_cursor else None,
    )


@get(["/reports/{report_id:uuid}", "/api/reports/{report_id:uuid}"], guards=READS)
async def download(session: Transaction, visitor: Who, settings: Config, report_id: FromPath[UUID]) -> Stream:
    """The file of one of one's own reports."""
    export = await export_of(session, report_id, visitor.somebody.id, now())
    pieces = await storage_of(settings.files).read(export.key)
    name = f"{export.data_set}-{export.created_at:%Y-%m-%d}.{export.format}"
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "Content-Length": str(export.bytes),
        "Cache-Control": "no-store",
    }
    return Stream(pieces, media_type=MEDIA_TYPES[export.format], headers=headers)

"""Articles as files: taken in by upload, many at once, and given out one by one or a whole site in a ZIP."""

import zipfile
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from litestar import Controller, Request, Response, get, post
from litestar.datastructures import UploadFile
from litestar.params import FromPath
from litestar.response import Stream
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.audit import audit
from models.accounts.states import Role
from models.base.clock import now
from models.base.db import Database
from models.base.errors import Invalid
from models.orders.catalogue.files import FIELDS
from models.orders.catalogue.importing import (
    LARGEST_FILE,
    MOST_FILES,
    Imported,
    Upload,
    file_of,
    files_of,
    import_articles,
)
from models.orders.catalogue.publications import site_of
from models.orders.tables import Site
from web.catalogue.edited import ARTICLE, Edited
from web.guards import editor
from web.pages import page, redirect
from web.params import Data, Transaction, Who
from web.visitor import Visitor

#: All files of an upload together, with what surrounds them.
LARGEST_UPLOAD: Final = 8 * 1024 * 1024


class Files(Controller):
    """Import and export."""

    path = "/admin/sites/{slug:str}"
    guards = [editor]  # noqa: RUF012 - Litestar reads it as a class attribute
    dependencies = ARTICLE

    @get("/import")
    async def ask(self, session: Transaction, visitor: Who, slug: FromPath[str]) -> Response[None]:
        """Which files?"""
        return _asking(visitor, await site_of(session, slug))

    @post("/import", opt={"uploads": True}, request_max_body_size=LARGEST_UPLOAD)
    async def take(
        self, request: Request[Any, Any, Any], session: Transaction, visitor: Who, slug: FromPath[str]
    ) -> Response[None]:
        """Save every file, or show what is wrong with each; the good ones alone only if that was asked for."""
        site = await site_of(session, slug)
        form = await request.form()
        uploads = [
            Upload(one.filename, await one.read())
            for one in form.getall("files", [])
            if isinstance(one, UploadFile)
        ]
        await form.close()
        only_good = bool(form.get("only_good"))
        try:
            done = await import_articles(
                session,
                site,
                uploads,
                visitor.somebody,
                may_price=visitor.has_role(Role.ADMIN),
                only_good=only_good,
            )
        except Invalid as refusal:
            return _asking(visitor, site, problems=refusal.fields)
        if done.refused:
            return _asking(visitor, site, done=done)
        count = len(done.saved)
        return redirect(
            f"/admin/sites/{slug}/articles",
            notice=f"{count} {'article is' if count == 1 else 'articles are'} in.",
        )

    @get("/export")
    async def whole_site(
        self, session: Transaction, database: Data, visitor: Who, slug: FromPath[str]
    ) -> Stream:
        """Every article of the site as a file, in a ZIP that is made while it is sent."""
        site = await site_of(session, slug)
        await audit(session, visitor.somebody, "site.exported", f"site/{site.id}")
        return Stream(
            zipped(database, site.id, now()),
            media_type="application/zip",
            headers={
                "Content-Disposition": f'attachment; filename="{slug}.zip"',
                "Cache-Control": "no-store",
            },
        )

    @get("/articles/{article_id:uuid}/export")
    async def one(self, read: Edited) -> Response[bytes]:
        """One article as a file."""
        there = await read()
        name = f'attachment; filename="{there.article.slug}.md"'
        return Response(
            file_of(there.article, there.head.markdown).encode(),
            media_type="text/markdown; charset=utf-8",
            headers={"Content-Disposition": name, "Cache-Control": "no-store"},
        )


async def zipped(database: Database, site_id: UUID, at: datetime) -> AsyncIterator[bytes]:
    """A ZIP of the site's articles. No transaction is open while somebody's slow line takes it."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        after = ""
        while True:
            files = await _batch(database, site_id, after)
            if not files:
                break
            for slug, text in files:
                entry = zipfile.ZipInfo(f"{slug}.md", at.timetuple()[:6])
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, text.encode())
            after = files[-1][0]
            yield sink.taken()
    yield sink.taken()


async def _batch(database: Database, site_id: UUID, after: str) -> list[tuple[str, str]]:
    session: AsyncSession
    async with database.transaction() as session:
        return await files_of(session, site_id, after)


class _Sink:
    """Where the ZIP is written to and taken from. It cannot seek, so sizes stand behind each file."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def write(self, data: bytes, /) -> int:
        """Take what comes next."""
        self.parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """Nothing is held open."""

    def taken(self) -> bytes:
        """What was written since this was asked last."""
        data, self.parts = b"".join(self.parts), []
        return data


def _asking(
    visitor: Visitor,
    site: Site,
    *,
    problems: dict[str, str] | None = None,
    done: Imported | None = None,
) -> Response[None]:
    return page(
        "catalogue/import.html",
        visitor=visitor,
        status=422 if problems or (done and not done.saved) else 200,
        site=site,
        problems=problems or {},
        done=done,
        fields=FIELDS,
        most_files=MOST_FILES,
        largest_kb=LARGEST_FILE // 1024,
    )

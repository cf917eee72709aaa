"""One's own data: taking all of it away, and having it deleted."""

import zipfile
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from tempfile import SpooledTemporaryFile
from typing import IO, Any, Final

import orjson
from litestar import Controller, Request, Response, get, post
from litestar.response import Stream
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.audit import audit
from models.accounts.leaving import leave, obstacles
from models.accounts.personal import rows_of, tables_of
from models.accounts.tables import Person
from models.base.clock import now
from models.base.errors import Conflict, Invalid
from web import cookies
from web.accounts.forms import Leaving
from web.cookies import CookieJar
from web.forms import read
from web.guards import RECENT, recently_signed_in, signed_in
from web.jobs.types import TYPES
from web.limits import limited
from web.pages import page, redirect
from web.params import Submitted, Transaction, Who
from web.visitor import Visitor

PAGE: Final = "/account/data"
#: What is larger than this waits on disk, not in memory, while it is sent.
IN_MEMORY: Final = 1024 * 1024
CHUNK: Final = 64 * 1024

AnyRequest = Request[Any, Any, Any]


class OwnData(Controller):
    """What is kept about this person."""

    path = PAGE
    guards = [signed_in, recently_signed_in]  # noqa: RUF012 - Litestar reads it as a class attribute

    @get()
    async def show(self, session: Transaction, visitor: Who) -> Response[None]:
        """The button that takes it away, and the form that deletes it."""
        return await _showing(session, visitor, {})

    @post("/export", status_code=200, guards=[limited("export", 5, timedelta(hours=1))])
    async def export(self, session: Transaction, visitor: Who) -> Stream:
        """Everything about this person: a ZIP file with one JSON file per table."""
        person = _person(visitor)
        packed = await _packed(session, person)
        await audit(session, person, "account.exported", f"person/{person.id}")
        headers = {
            "Content-Disposition": f'attachment; filename="galley-{now():%Y-%m-%d}.zip"',
            "Cache-Control": "no-store",
        }
        return Stream(_chunks(packed), media_type="application/zip", headers=headers)

    @post("/deletion")
    async def delete(
        self, request: AnyRequest, session: Transaction, visitor: Who, form: Submitted
    ) -> Response[None]:
        """Delete this person's account, once they have typed its address."""
        person = _person(visitor)
        if not visitor.signed_in_within(RECENT):
            return redirect(PAGE)
        try:
            typed = read(Leaving, form).email
            if typed != person.email:
                problems = {"email": f"This is not your address. Type {person.email}."}
                return await _showing(session, visitor, problems)
            await leave(session, person, now())
        except Invalid as refusal:
            return await _showing(session, visitor, refusal.fields)
        except Conflict as refusal:
            return await _showing(session, visitor, {"email": refusal.words}, status=409)
        jar: CookieJar = request.app.state.jar
        response = redirect("/", notice="Your account is deleted.")
        response.set_cookie(jar.drop(cookies.SESSION))
        return response


async def _showing(
    session: AsyncSession, visitor: Visitor, problems: Mapping[str, str], status: int = 422
) -> Response[None]:
    person = _person(visitor)
    return page(
        "accounts/data.html",
        visitor=visitor,
        status=status if problems else 200,
        obstacles=await obstacles(session, person),
        problems=problems,
    )


async def _packed(session: AsyncSession, person: Person) -> IO[bytes]:
    # Packed whole before the first byte is sent: whoever reads slowly holds a file, not a connection to the database.
    file = SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 - closed when it has been sent
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for table, condition in tables_of(person, TYPES):
            with archive.open(f"{table.name}.json", "w") as entry:
                separator = b"[\n"
                async for row in rows_of(session, table, condition):
                    entry.write(separator + orjson.dumps(row, default=str))
                    separator = b",\n"
                entry.write(b"[]\n" if separator == b"[\n" else b"\n]\n")
    file.seek(0)
    return file


async def _chunks(file: IO[bytes]) -> AsyncIterator[bytes]:
    with file:
        while chunk := file.read(CHUNK):
            yield chunk


def _person(visitor: Visitor) -> Person:
    assert visitor.person is not None, "the guard lets only signed-in people in"
    return visitor.person

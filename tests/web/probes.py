"""Handlers that use what the foundation offers, in each way that the product does."""

from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from litestar import Controller, MediaType, Request, Response, get, post
from litestar.params import FromPath, FromQuery
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession
from sse_starlette import EventSourceResponse

from models.base.db import changed
from models.base.errors import Conflict, Forbidden, Invalid, NotFound
from web import forms
from web.forms import read
from web.guards import admin, editor, recently_signed_in, signed_in, wanted_page
from web.live import Moment, stream
from web.pages import page, redirect
from web.params import Submitted, Transaction, Who

TABLES = """
create table if not exists probe_notes (
  id int primary key,
  words text not null,
  parent int references probe_notes deferrable initially deferred
)
"""


async def notes(session: AsyncSession) -> list[str]:
    """The words of every note."""
    return list((await session.scalars(text("select words from probe_notes order by id"))).all())


@dataclass(frozen=True, slots=True)
class NoteForm:
    """What the form of a note sends."""

    words: Annotated[str, forms.text("Enter the words", max_length=40)]
    number: Annotated[int, forms.whole("Enter a number", least=1, most=9)] = 1


class Notes(Controller):
    """Notes in a table of the tests' own."""

    path = "/notes"

    @get()
    async def index(self, visitor: Who) -> Response[None]:
        """A form."""
        return page("probe/form.html", visitor=visitor, problems={}, values={"words": "", "number": 1})

    @post()
    async def write(self, session: Transaction, visitor: Who, form: Submitted) -> Response[None]:
        """Write a note, or show the form again."""
        try:
            note = read(NoteForm, form)
        except Invalid as refusal:
            values = {"words": "", "number": "", **forms.shown(form)}
            return page(
                "probe/form.html", visitor=visitor, status=422, problems=refusal.fields, values=values
            )
        await session.execute(
            text("insert into probe_notes values (:id, :words, null)"),
            {"id": note.number, "words": note.words},
        )
        changed(session, "notes")
        return redirect("/notes/list", notice="Your note is saved.")

    @get("/list", media_type=MediaType.TEXT)
    async def listing(self, session: Transaction) -> str:
        """All of them."""
        return ", ".join(await notes(session))

    @post("/orphan", opt={"csrf": False})
    async def orphan(self, session: Transaction) -> dict[str, str]:
        """Write what only the commit finds wrong."""
        await session.execute(text("insert into probe_notes values (1, 'orphan', 99)"))
        return {"status": "written"}

    @post("/broken-template", opt={"csrf": False})
    async def broken_template(self, session: Transaction, visitor: Who) -> Response[None]:
        """Write, and fail to show it."""
        await session.execute(text("insert into probe_notes values (1, 'unseen', null)"))
        return page("probe/form.html", visitor=visitor)

    @post("/then-fail", opt={"csrf": False})
    async def then_fail(self, session: Transaction) -> None:
        """Write, and fail."""
        await session.execute(text("insert into probe_notes values (1, 'undone', null)"))
        raise RuntimeError("the password is swordfish")

    @get("/live")
    async def live(self, request: Request[Any, Any, Any], visitor: Who) -> EventSourceResponse:
        """All of them, as they change."""

        async def look(session: AsyncSession) -> Moment:
            words = await notes(session)
            return Moment(f"<p>{', '.join(words)}</p>", is_last="end" in words)

        return stream(request, ["notes"], look, visitor=visitor)


@get("/refused/{kind:str}")
async def refused(kind: FromPath[str]) -> None:
    """Say no in each way."""
    raise {
        "missing": NotFound("No such note."),
        "conflict": Conflict("It is published already."),
        "forbidden": Forbidden("Only its author may."),
        "invalid": Invalid({"email": "Enter an e-mail address"}),
    }[kind]


@get("/api/refused/{kind:str}")
async def api_refused(kind: FromPath[str]) -> None:
    """Say no to a machine."""
    await refused.fn(kind)


@get("/things/{thing_id:uuid}", media_type=MediaType.TEXT)
async def thing(thing_id: FromPath[UUID], size: FromQuery[int] = 1) -> str:
    """Something with an id."""
    return f"{thing_id} {size}"


@get("/members", guards=[signed_in])
async def members(visitor: Who) -> dict[str, Any]:
    """For people."""
    assert visitor.person is not None
    return {"email": visitor.person.email, "role": visitor.person.role}


@get("/editors", guards=[editor])
async def editors() -> str:
    """For editors."""
    return "desk"


@get("/admins", guards=[admin, recently_signed_in])
async def admins() -> str:
    """For admins who have just signed in."""
    return "switches"


@get("/wanted", media_type=MediaType.TEXT)
async def wanted(request: Request[Any, Any, Any]) -> str:
    """Where the sign-in page would lead back to."""
    return wanted_page(request) or "nowhere"


@get("/who")
async def who(visitor: Who) -> dict[str, Any]:
    """What is known of the visitor."""
    return {
        "ip": visitor.ip,
        "network": visitor.network,
        "signed_in": visitor.is_signed_in,
        "new": visitor.is_new_browser,
    }


@post("/small", request_max_body_size=100, opt={"csrf": False})
async def small(form: Submitted) -> dict[str, int]:
    """Takes little."""
    return {"fields": len(form)}


@get("/letter", opt={"referrer": "no-referrer"}, media_type=MediaType.TEXT)
async def letter() -> str:
    """Tells nobody where its readers come from."""
    return "x" * 5000


PROBES = [Notes, refused, api_refused, thing, members, editors, admins, wanted, who, small, letter]

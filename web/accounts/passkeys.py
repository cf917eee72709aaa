"""One's own passkeys: adding, naming and removing them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import Controller, Request, Response, get, post
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts import passkeys
from models.accounts.letters import origin_words, tell_of_no_passkey, tell_of_passkey
from models.accounts.passkeys import Place, Refused
from models.accounts.tables import Person
from models.base.clock import now
from models.base.errors import Invalid
from models.base.settings import Settings
from web import cookies
from web.accounts.forms import NewPasskey
from web.accounts.passkey_step import json_of
from web.cookies import CookieJar
from web.forms import read, shown
from web.guards import RECENT, SignInWanted, recently_signed_in, signed_in_somehow, wanted_page
from web.pages import page, redirect
from web.params import Config, Submitted, Transaction, Who
from web.visitor import Visitor

AnyRequest = Request[Any, Any, Any]

LIST = "/account/passkeys"
NEW = f"{LIST}/new"


class Passkeys(Controller):
    """What signs this person in, beside the letter."""

    path = LIST
    guards = [signed_in_somehow]  # noqa: RUF012 - Litestar reads it as a class attribute

    @get()
    async def index(self, session: Transaction, visitor: Who) -> Response[None]:
        """The passkeys that this person has."""
        rows = await passkeys.passkeys_of(session, _person(visitor).id)
        return page("accounts/passkeys.html", visitor=visitor, rows=rows)

    @get("/new", guards=[recently_signed_in])
    async def ask(self, visitor: Who) -> Response[None]:
        """The form for another one."""
        return _adding(visitor, {}, {})

    @post("/options", status_code=200, guards=[recently_signed_in])
    async def options(self, session: Transaction, visitor: Who, settings: Config) -> Response[bytes]:
        """What the device is to make a passkey from."""
        assert visitor.session_id is not None
        place = Place.of(settings.app.public_url)
        return json_of(await passkeys.ask_to_add(session, _person(visitor), visitor.session_id, place, now()))

    @post()
    async def add(
        self, request: AnyRequest, session: Transaction, visitor: Who, settings: Config, form: Submitted
    ) -> Response[None]:
        """Keep the passkey that the device has made, and go on to where somebody was led away from to add it."""
        assert visitor.session_id is not None
        if not visitor.signed_in_within(RECENT):
            return redirect(NEW)
        try:
            new = read(NewPasskey, form)
        except Invalid as refusal:
            return _adding(visitor, shown(form), refusal.fields)
        added = await passkeys.add(
            session,
            _person(visitor),
            visitor.session_id,
            new.credential,
            name=new.name,
            place=Place.of(settings.app.public_url),
            at=now(),
        )
        if isinstance(added, Refused):
            return _adding(visitor, shown(form), {"name": added.words})
        await tell_of_passkey(session, _person(visitor), added, "added", **_change(visitor, settings))
        words = f"{added.name} is added. From now on a letter alone does not sign you in."
        onward = redirect((visitor.lacks_passkey and wanted_page(request)) or LIST, notice=words)
        jar: CookieJar = request.app.state.jar
        onward.set_cookie(jar.drop(cookies.WANTED))
        return onward

    @get("/{passkey_id:uuid}/removal")
    async def ask_to_remove(
        self, session: Transaction, visitor: Who, passkey_id: FromPath[UUID]
    ) -> Response[None]:
        """Is this the one?"""
        rows = await passkeys.passkeys_of(session, _person(visitor).id)
        key = next((one for one in rows if one.id == passkey_id), None)
        if key is None:
            return redirect(LIST, notice="That passkey is removed already.")
        if not await _may_remove(session, visitor):
            raise SignInWanted(is_again=True)
        return page("accounts/passkey_removal.html", visitor=visitor, passkey=key, is_last=len(rows) == 1)

    @post("/{passkey_id:uuid}/removal")
    async def remove(
        self, session: Transaction, visitor: Who, settings: Config, passkey_id: FromPath[UUID]
    ) -> Response[None]:
        """Remove it. The last one wants a sign-in within the last ten minutes."""
        if not await _may_remove(session, visitor):
            return redirect(f"{LIST}/{passkey_id}/removal")
        proven = visitor.authenticated_at
        assert isinstance(proven, datetime)
        person = _person(visitor)
        key, was_last = await passkeys.remove(session, person, passkey_id, authenticated_at=proven, at=now())
        if was_last:
            await tell_of_no_passkey(session, person, key.id, **_change(visitor, settings))
        else:
            await tell_of_passkey(session, person, key, "removed", **_change(visitor, settings))
        return redirect(LIST, notice="The passkey is removed. Delete it on your device as well.")


async def _may_remove(session: AsyncSession, visitor: Visitor) -> bool:
    if visitor.signed_in_within(RECENT):
        return True
    return len(await passkeys.passkeys_of(session, _person(visitor).id)) > 1


def _change(visitor: Visitor, settings: Settings) -> dict[str, Any]:
    """What a letter about a change tells of where and when it was made."""
    origin = origin_words(visitor.user_agent, visitor.network)
    return {"origin": origin, "url": settings.app.public_url, "at": now()}


def _person(visitor: Visitor) -> Person:
    assert visitor.person is not None, "the guard lets only signed-in people in"
    return visitor.person


def _adding(visitor: Visitor, values: Mapping[str, str], problems: Mapping[str, str]) -> Response[None]:
    return page(
        "accounts/passkey.html",
        visitor=visitor,
        status=422 if problems else 200,
        values=values,
        problems=problems,
    )

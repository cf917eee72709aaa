"""Who may come in. Guards run before anything of the request is read; put them on a controller or a handler.

    guards=[signed_in], guards=[editor], guards=[admin], guards=[admin, recently_signed_in]

A wrong role gets the answer of a page that does not exist. Where staff are let in by their passkeys only (OWASP ASVS
6.3.3), whoever works here and has shown none gets to their account and no further, orders of their own included. What
belongs to whom is checked again where it is read.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import structlog
from litestar import Request, Response
from litestar.handlers import BaseRouteHandler

from models.accounts.states import Role, Scope
from models.accounts.tokens import find_token, note_refusal
from models.base.clock import now
from models.base.db import Database
from models.base.errors import NotFound
from models.base.paths import is_ours
from web import cookies
from web.bearer import bearer_of
from web.cookies import Connection, CookieJar
from web.pages import is_htmx
from web.visitor import Visitor, recognise, staff_need_passkeys, stranger

log = structlog.get_logger(__name__)

Guard = Callable[[Connection, BaseRouteHandler], Awaitable[None]]

#: How old a sign-in may be for what cannot be undone: refunds, approvals, roles.
RECENT: Final = timedelta(minutes=10)
WANTED_FOR: Final = timedelta(minutes=15)
LONGEST_WANTED: Final = 500


class SignInWanted(Exception):
    """Nobody is signed in here, or not recently enough; the answer leads to the sign-in page and back."""

    def __init__(self, *, is_again: bool = False) -> None:
        super().__init__("Sign in to go on.")
        self.is_again = is_again


class TokenWanted(Exception):
    """The API token that was shown opens nothing (any more), or not this. `missing` is the scope that it lacks."""

    def __init__(self, missing: Scope | None = None) -> None:
        super().__init__("A token is wanted.")
        self.missing = missing


class PasskeyWanted(Exception):
    """Somebody who works here has only shown a letter; the answer leads to adding a passkey, and back.

    `is_again`: to signing in before that, since it was too long ago for adding one.
    """

    def __init__(self, *, is_again: bool = False) -> None:
        super().__init__("Add a passkey to go on.")
        self.is_again = is_again


async def _visitor(connection: Connection) -> Visitor:
    # A guard runs before the request's own transaction exists. Without a session cookie there is nothing to look up
    # and no connection is taken.
    if stranger(connection).session_token is None:
        return stranger(connection)
    database: Database = connection.app.state.database
    async with database.glance() as session:
        return await recognise(connection, session)


async def signed_in_somehow(connection: Connection, _handler: BaseRouteHandler) -> None:
    """Let signed-in people in, staff without a passkey too: to their account, where they add one."""
    if not (await _visitor(connection)).is_signed_in:
        raise SignInWanted


async def signed_in(connection: Connection, handler: BaseRouteHandler) -> None:
    """Let signed-in people in, whoever they are."""
    await signed_in_somehow(connection, handler)
    _refuse_without_passkey(await _visitor(connection))


def _refuse_without_passkey(visitor: Visitor) -> None:
    if visitor.lacks_passkey:
        raise PasskeyWanted(is_again=not visitor.signed_in_within(RECENT))


async def recently_signed_in(connection: Connection, _handler: BaseRouteHandler) -> None:
    """Let people in who proved who they are within the last ten minutes."""
    visitor = await _visitor(connection)
    if not visitor.signed_in_within(RECENT):
        raise SignInWanted(is_again=visitor.is_signed_in)


def _at_least(role: Role) -> Guard:
    async def guard(connection: Connection, _handler: BaseRouteHandler) -> None:
        visitor = await _visitor(connection)
        if visitor.person is None:
            raise SignInWanted
        if not visitor.has_role(role):
            route = connection.scope.get("path_template")
            log.warning("web.role_refused", person=str(visitor.person.id), wanted=role.value, route=route)
            raise NotFound
        _refuse_without_passkey(visitor)

    guard.__doc__ = f"Let people in who may do what an {role} may."
    return guard


analyst = _at_least(Role.ANALYST)
editor = _at_least(Role.EDITOR)
admin = _at_least(Role.ADMIN)


def scope(wanted: Scope) -> Guard:
    """A guard for the API: let tokens in that have this scope, and sessions of people whose role allows it.

    Put it on each handler in the place of the other guards, which know nothing of tokens.
    """
    by_session = _at_least(wanted.role)

    async def guard(connection: Connection, handler: BaseRouteHandler) -> None:
        secret = bearer_of(connection)
        if secret is None:
            await by_session(connection, handler)
            return
        database: Database = connection.app.state.database
        async with database.glance() as session:
            found = await find_token(session, secret, now())
        missing = wanted if found is not None and wanted not in found.scopes else None
        lacks_passkey = found is not None and found.lacks_passkey and staff_need_passkeys(connection)
        if found is None or missing is not None or lacks_passkey:
            async with database.transaction() as session:
                await note_refusal(session, secret, missing=missing, at=now())
            raise PasskeyWanted if lacks_passkey and missing is None else TokenWanted(missing)
        visitor = replace(
            stranger(connection), person=found.person, token_id=found.token_id, scopes=found.scopes
        )
        connection.scope["state"]["visitor"] = visitor

    return guard


# ---------------------------------------------------------------- there and back
# Where somebody wanted to go travels in a cookie that we signed for this browser: the address of the sign-in page
# could be written by anybody.
def remember_wanted(request: Request[Any, Any, Any], response: Response[Any]) -> None:
    """Let `response` carry the address of this request, if it is one of a page that can be opened again."""
    path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    is_page = request.method == "GET" and not is_htmx(request)
    if is_page and is_ours(path) and len(path) <= LONGEST_WANTED:
        jar: CookieJar = request.app.state.jar
        response.set_cookie(jar.make_signed(cookies.WANTED, path, stranger(request).browser, WANTED_FOR))


def wanted_page(request: Request[Any, Any, Any]) -> str | None:
    """The path that this browser was sent away from to sign in, within the last quarter of an hour."""
    jar: CookieJar = request.app.state.jar
    return jar.read_signed(request, cookies.WANTED, stranger(request).browser)

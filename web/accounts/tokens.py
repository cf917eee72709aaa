"""One's own API tokens: making and revoking them."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from litestar import Controller, Response, get, post
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.letters import origin_words, tell_of_token
from models.accounts.states import Scope
from models.accounts.tables import ApiToken, Person
from models.accounts.tokens import LIVES, make_token, revoke_token, tokens_of
from models.base.clock import now
from models.base.errors import Invalid
from models.base.settings import Settings
from web.accounts.forms import NewToken
from web.forms import read
from web.guards import RECENT, recently_signed_in, signed_in
from web.pages import page, redirect
from web.params import Config, Submitted, Transaction, Who
from web.visitor import Visitor

LIST = "/account/tokens"
SCOPES: dict[Scope, str] = {
    Scope.ORDERS_READ: "See your orders",
    Scope.ORDERS_WRITE: "Decide about your orders",
    Scope.JOBS_READ: "See the jobs that you asked for",
    Scope.JOBS_WRITE: "Ask for jobs: letters, notifications, reports",
    Scope.ADMIN_READ: "See what admins see",
    Scope.ADMIN_WRITE: "Do what admins do",
}


class Tokens(Controller):
    """What this person's programs show instead of a session."""

    path = LIST
    guards = [signed_in]  # noqa: RUF012 - Litestar reads it as a class attribute

    @get()
    async def index(self, session: Transaction, visitor: Who) -> Response[None]:
        """The tokens that work."""
        rows = await tokens_of(session, _person(visitor).id, now())
        return page("accounts/tokens.html", visitor=visitor, rows=rows, scopes=SCOPES)

    @get("/new", guards=[recently_signed_in])
    async def ask(self, visitor: Who) -> Response[None]:
        """The form for another one."""
        return _making(visitor, {}, {})

    @post()
    async def make(
        self, session: Transaction, visitor: Who, settings: Config, form: Submitted
    ) -> Response[None]:
        """Make a token, and show its secret this once."""
        if not visitor.signed_in_within(RECENT):
            return redirect(f"{LIST}/new")
        try:
            new = read(NewToken, form)
            token, secret = await make_token(
                session, _person(visitor), name=new.name, scopes=new.scopes, life=new.life, at=now()
            )
        except Invalid as refusal:
            return _making(visitor, form, refusal.fields)
        await _tell(session, visitor, settings, token, "made")
        return page("accounts/token_made.html", visitor=visitor, token=token, secret=secret)

    @post("/{token_id:uuid}/revocation")
    async def revoke(
        self, session: Transaction, visitor: Who, settings: Config, token_id: FromPath[UUID]
    ) -> Response[None]:
        """End a token at once."""
        ended = await revoke_token(session, _person(visitor), token_id, at=now())
        if ended is None:
            return redirect(LIST, notice="That token was revoked already.")
        await _tell(session, visitor, settings, ended, "revoked")
        return redirect(LIST, notice="The token does not work any more.")


async def _tell(
    session: AsyncSession, visitor: Visitor, settings: Settings, token: ApiToken, change: str
) -> None:
    origin = origin_words(visitor.user_agent, visitor.network)
    url = settings.app.public_url
    await tell_of_token(session, _person(visitor), token, change, origin=origin, url=url, at=now())


def _person(visitor: Visitor) -> Person:
    assert visitor.person is not None, "the guard lets only signed-in people in"
    return visitor.person


def _making(
    visitor: Visitor, values: Mapping[str, Sequence[str]], problems: Mapping[str, str]
) -> Response[None]:
    role = _person(visitor).role
    return page(
        "accounts/token.html",
        visitor=visitor,
        status=422 if problems else 200,
        name=next(iter(values.get("name", ())), ""),
        chosen=set(values.get("scopes", ())),
        life=next(iter(values.get("life", ())), "90"),
        scopes=[(scope.value, words) for scope, words in SCOPES.items() if role.includes(scope.role)],
        lives=[(str(days), f"{days} days") for days in LIVES],
        problems=problems,
    )

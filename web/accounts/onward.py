"""From a proven address to a signed-in browser, and on to where the person wanted to go."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from litestar import Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.actions import SignedIn, sign_in
from models.accounts.rules import LINK_LIFE, lifetime
from models.accounts.states import Role
from models.accounts.tables import SignInRequest
from models.base.clock import now
from models.base.errors import Forbidden
from models.base.paths import is_ours
from web import cookies
from web.cookies import CookieJar
from web.errors import on_refusal
from web.pages import redirect
from web.visitor import Visitor

#: The token of a link that was followed, until its page is done with: so that it does not stay in the address.
LINK: Final = "galley_link"
#: Where people land who came for nothing in particular: where their work is.
HOMES: Final = {
    Role.CUSTOMER: "/orders",
    Role.ANALYST: "/admin/queues",
    Role.EDITOR: "/admin",
    Role.ADMIN: "/admin",
}
PASSKEY_STEP: Final = "/sign-in/passkey"

AnyRequest = Request[Any, Any, Any]


async def let_in(
    request: AnyRequest, session: AsyncSession, visitor: Visitor, proven: SignInRequest, method: str
) -> Response[Any]:
    """Sign in whoever has proven `proven`, in this browser, and go on with what they came for."""
    try:
        done = await sign_in(
            session,
            proven,
            method=method,
            user_agent=visitor.user_agent,
            ip=visitor.ip,
            at=now(),
            presented=visitor.session_token,
        )
    except Forbidden as refusal:
        # Answered here and not raised: that somebody was refused is to be written down.
        return on_refusal(request, refusal)
    return go_on(request, done)


def go_on(request: AnyRequest, done: SignedIn) -> Response[None]:
    """To the passkey step if one is wanted, else to what the person came for, with the new session's cookie."""
    jar: CookieJar = request.app.state.jar
    is_pending = done.session.is_pending
    response = redirect(PASSKEY_STEP if is_pending else path_of(done.intent, done.person.role))
    life = LINK_LIFE if is_pending else lifetime(done.person.role).whole
    response.set_cookie(jar.make(cookies.SESSION, done.token, life))
    response.set_cookie(jar.drop(LINK))
    response.set_cookie(jar.drop(cookies.WANTED))
    return response


def path_of(intent: Mapping[str, Any], role: Role) -> str:
    """Where an intent leads: to a path of ours, whatever is in it. What may be seen there is decided there."""
    match intent:
        case {"draft": str(draft)}:
            try:
                return f"/orders/drafts/{UUID(draft)}"
            except ValueError:
                return HOMES[role]
        case {"path": str(path)} if is_ours(path):
            return path
        case _:
            return HOMES[role]

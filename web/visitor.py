"""Who asks: a browser, perhaps a signed-in person, and where they come from."""

import ipaddress
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts import sessions, tokens
from models.accounts.states import Role, Scope
from models.accounts.tables import Person
from models.base.clock import now
from models.base.crypto import Keys, new_token
from models.base.settings import Settings
from models.base.settings.running import AppSettings
from models.notices.queries import unread_by
from web import cookies
from web.bearer import bearer_of
from web.cookies import Connection, CookieJar

#: The shape of what `new_token` makes; anything else in a cookie was not made by us.
TOKEN_LENGTH: Final = 43
USER_AGENT_KEPT: Final = 300
BROWSER_KEPT_FOR: Final = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who asks. `person` is a snapshot, detached from any database session: act on it by its id."""

    person: Person | None
    session_id: UUID | None
    authenticated_at: datetime | None
    #: The random name of this browser (256 bits); only its fingerprint is ever stored.
    browser: str = field(repr=False)
    #: What a form of this browser must carry.
    csrf: str = field(repr=False)
    #: The address that the request came from, as the nearest trusted proxy saw it.
    ip: str
    #: The address for limits: an IPv4 address, or the /64 network of an IPv6 one.
    network: str
    user_agent: str
    session_token: str | None = field(repr=False, default=None)
    is_new_browser: bool = False
    #: The API token that was shown, if it was one.
    token_id: UUID | None = None
    #: What it opens; None for a session, which opens whatever the person may.
    scopes: frozenset[Scope] | None = None
    #: Whether somebody who works here is to add a passkey before anything of theirs opens.
    lacks_passkey: bool = False
    #: How many notices in their inbox the person has not read.
    unread: int = 0

    @property
    def is_signed_in(self) -> bool:
        """Whether we know the person."""
        return self.person is not None

    @property
    def somebody(self) -> Person:
        """The person, where a guard lets only known people in."""
        assert self.person is not None, "a guard lets only known people in"
        return self.person

    def has_role(self, role: Role) -> bool:
        """Whether the person may do what `role` may."""
        return self.person is not None and self.person.role.includes(role)

    def signed_in_within(self, span: timedelta) -> bool:
        """Whether the person proved who they are not longer than `span` ago."""
        return self.authenticated_at is not None and now() - self.authenticated_at <= span


def stranger(connection: Connection) -> Visitor:
    """The visitor as far as the request alone tells: no person, and no look into the database.

    The same one for every call within a request, so that a new browser gets one name.
    """
    known: Visitor | None = connection.scope["state"].get("visitor")
    if known is not None:
        return known
    jar: CookieJar = connection.app.state.jar
    browser, token = (_token(jar.read(connection, name)) for name in (cookies.BROWSER, cookies.SESSION))
    if bearer_of(connection) is not None:
        browser = token = None
    ip = client_address(connection, connection.app.state.settings.app)
    name = browser or new_token()
    visitor = Visitor(
        person=None,
        session_id=None,
        authenticated_at=None,
        browser=name,
        csrf=csrf_token(connection.app.state.key_ring, token or name),
        ip=ip,
        network=network_of(ip),
        user_agent=connection.headers.get("user-agent", "")[:USER_AGENT_KEPT],
        session_token=token,
        is_new_browser=browser is None,
    )
    connection.scope["state"]["visitor"] = visitor
    return visitor


async def recognise(connection: Connection, session: AsyncSession) -> Visitor:
    """The visitor, with the person if the browser brought the token of a living session.

    Asks the database at most once per request, and not at all for a browser without a session cookie.
    """
    visitor = stranger(connection)
    if visitor.session_token is None or connection.scope["state"].get("is_recognised"):
        return visitor
    found = await sessions.find(session, visitor.session_token, now(), unread_by(Person.id))
    connection.scope["state"]["is_recognised"] = True
    if found is not None:
        visitor = replace(
            visitor,
            person=found.person,
            session_id=found.session_id,
            authenticated_at=found.authenticated_at,
            lacks_passkey=found.person.role.is_staff
            and not found.is_by_passkey
            and staff_need_passkeys(connection),
            unread=found.besides,
        )
        session.expunge(found.person)
        connection.scope["state"]["visitor"] = visitor
    return visitor


def staff_need_passkeys(connection: Connection) -> bool:
    """Whether staff are let in by their passkeys only, here."""
    settings: Settings = connection.app.state.settings
    return settings.accounts.want_passkeys(is_local=settings.app.is_local)


async def is_still_signed_in(visitor: Visitor, session: AsyncSession) -> bool:
    """Whether a visitor who was recognised a while ago would be recognised now; true for strangers."""
    if visitor.person is None:
        return True
    if visitor.token_id is not None:
        return await tokens.is_alive(session, visitor.token_id, now())
    # Not `find`: a page that is left open must not keep a session from going idle.
    return visitor.session_id is not None and await sessions.is_alive(session, visitor.session_id, now())


def csrf_token(keys: Keys, bound_to: str) -> str:
    """The token that proves a form to be ours: keyed, and good only together with the cookie it is bound to."""
    return urlsafe_b64encode(keys.mac("csrf", bound_to)).decode().rstrip("=")


def client_address(connection: Connection, app: AppSettings) -> str:
    """The address of the client: as the socket says, or as the outermost of our own proxies saw it.

    Only the last `trusted_proxies` entries of X-Forwarded-For are ours; what stands before them, anybody may
    have written.
    """
    direct = connection.client.host if connection.client else ""
    if not app.trusted_proxies:
        return direct
    seen = [part.strip() for part in connection.headers.get("x-forwarded-for", "").split(",")]
    address = seen[-app.trusted_proxies] if len(seen) >= app.trusted_proxies else ""
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        return direct


def network_of(address: str) -> str:
    """What to count by when counting requests of one origin: a home or a server has a whole IPv6 /64."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return str(ip.ipv4_mapped)
        return str(ipaddress.ip_network((ip, 64), strict=False))
    return str(ip)


def _token(value: str | None) -> str | None:
    return value if value is not None and len(value) == TOKEN_LENGTH else None

"""The product as a browser sees it, and the letters that it wrote."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx2
import orjson
import pytest
from litestar import get
from litestar.params import FromPath
from redis.asyncio import Redis
from sqlalchemy import func, select, update

from emails import write_letter
from infra.local.embedded import EmbeddedRedis
from infra.local.visitor import Browser
from models.accounts import actions
from models.accounts.actions import confirm_link
from models.accounts.tables import Session, SignInRequest
from models.base.clock import now
from models.base.crypto import Keys
from models.base.db import Database
from models.base.settings import Settings
from models.mail.tables import EmailMessage
from tests.web.site import SECRET, Site, lasting_site, settings_for
from web.guards import admin, editor, recently_signed_in, signed_in
from web.params import Who

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/26.0 Safari/605.1.15"


@get("/probe/{name:str}", guards=[signed_in])
async def probe(visitor: Who, name: FromPath[str]) -> str:
    """A page for people who have signed in."""
    assert visitor.person is not None
    return f"{name} of {visitor.person.email}"


@get("/desk", guards=[editor])
async def desk() -> str:
    """A page for editors."""
    return "desk"


@get("/office", guards=[admin])
async def office() -> str:
    """A page for admins."""
    return "office"


@get("/safe", guards=[recently_signed_in])
async def safe() -> str:
    """A page for people who proved who they are just now."""
    return "safe"


PROBES = (probe, desk, office, safe)


@pytest.fixture
def keys() -> Keys:
    """The keys of a test's installation."""
    return Keys(SECRET)


@pytest.fixture
def settings(database_url: str, redis_server: EmbeddedRedis) -> Settings:
    """Settings of a shop on one's own machine whose letters go to the outbox."""
    return settings_for(database_url, redis_server.url)


@pytest.fixture
async def shop(settings: Settings, database: Database, redis: Redis) -> Site:
    """The application, with pages that need a sign-in."""
    return await lasting_site(settings, database, redis, PROBES)


Browsers = Callable[..., Browser]


@pytest.fixture
async def browsers(shop: Site) -> AsyncIterator[Browsers]:
    """Makes browsers, each with its own cookies, and an address and headers if it is given some."""
    made: list[Browser] = []

    def one(ip: str = "198.51.100.1", **headers: str) -> Browser:
        transport = httpx2.ASGITransport(shop.app, client=(ip, 4711))  # type: ignore[arg-type]
        browser = Browser(shop.base_url, transport=transport, headers={"User-Agent": FIREFOX, **headers})
        made.append(browser)
        return browser

    yield one
    for browser in made:
        await browser.client.aclose()


@dataclass(frozen=True)
class Written:
    """What opens doors in a letter."""

    to: str
    link: str
    code: str

    @property
    def path(self) -> str:
        """The link without our own address."""
        return urlsplit(self.link).path

    @property
    def token(self) -> str:
        """What the link carries."""
        return self.link.rpartition("/")[2]

    @property
    def other_code(self) -> str:
        """A code that is not this letter's."""
        return f"{(int(self.code) + 1) % 10**6:06}"


async def letters(database: Database, keys: Keys) -> list[Written]:
    """Every sign-in letter that waits to be sent, the newest first."""
    async with database.transaction() as session:
        rows = (await session.scalars(select(EmailMessage).order_by(EmailMessage.id.desc()))).all()
    return [
        Written(row.to_address, **orjson.loads(keys.unseal(row.sealed_facts)))
        for row in rows
        if row.sealed_facts is not None
    ]


async def warnings(database: Database) -> list[tuple[str, str, dict[str, Any]]]:
    """Every letter about a changed account, the oldest first: to whom, of which kind, and its facts."""
    async with database.transaction() as session:
        rows = await session.scalars(
            select(EmailMessage).where(EmailMessage.sealed_facts.is_(None)).order_by(EmailMessage.id)
        )
        found = [(row.to_address, row.kind.removeprefix("accounts."), row.facts) for row in rows]
    for to, kind, facts in found:
        write_letter(f"accounts.{kind}", to, facts)  # the letter can be written from what it is told
    return [one for one in found if one[1] != "sign_in"]


async def sessions_made(database: Database) -> int:
    """How many sessions were ever begun."""
    async with database.transaction() as session:
        return (await session.execute(select(func.count()).select_from(Session))).scalar_one()


async def requests_made(database: Database) -> list[SignInRequest]:
    """Every request to sign in, the newest first."""
    async with database.transaction() as session:
        return list((await session.scalars(select(SignInRequest).order_by(SignInRequest.id.desc()))).all())


async def ask(browser: Browser, email: str) -> Any:
    """Open the sign-in page and ask for a letter."""
    screen = await browser.open("/sign-in?again=yes")
    return await browser.submit(screen.form("sign-in"), email=email)


async def sign_in(browser: Browser, database: Database, keys: Keys, email: str = "ada@example.com") -> Any:
    """Ask for a letter, follow its link and press its button."""
    await ask(browser, email)
    screen = await browser.open((await letters(database, keys))[0].path)
    return await browser.submit(screen.form("/sign-in/confirm"))


def session_of(browser: Browser) -> str | None:
    """The browser's session cookie."""
    cookie = browser.client.cookies.get("__Host-galley_session")
    return cookie or None


async def later(database: Database) -> None:
    """Eleven minutes go by."""
    async with database.transaction() as session:
        await session.execute(update(Session).values(authenticated_at=now() - timedelta(minutes=11)))


async def try_link(
    database: Database, token: str, *, browser: str = "adas browser", at: datetime | None = None
) -> bool:
    async with database.transaction() as session:
        found = await confirm_link(session, token=token, browser=browser, at=at or now())
        if found:
            await actions.sign_in(session, found, method="link", user_agent=FIREFOX, ip="", at=now())
        return found is not None

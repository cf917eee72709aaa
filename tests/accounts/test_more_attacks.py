"""More of what others have tried: against the forms, the limits, the cookies, and what the database would tell a thief."""

import asyncio
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
import structlog
from sqlalchemy import text, update

from models.accounts import tokens
from models.accounts.actions import make_admin
from models.accounts.audit import history_of
from models.accounts.queries import person_by_email
from models.accounts.states import Role, Scope
from models.accounts.tables import Person, Session
from models.base.clock import now
from models.base.crypto import Keys
from models.base.db import Database
from models.everything import metadata
from tests.accounts.authenticator import Authenticator
from tests.accounts.conftest import Browsers, ask, later, letters, session_of, sessions_made, sign_in
from tests.accounts.test_passkeys import add
from tests.web.site import Site
from web import accounts
from web.csrf import FIELD


# ---------------------------------------------------------------- scanners with cookies and scripts
async def test_a_scanner_with_a_cookie_jar_that_presses_every_button_gets_nothing(
    browsers: Browsers, database: Database, keys: Keys
) -> None:
    ada, scanner = browsers(), browsers(ip="203.0.113.5")
    await ask(ada, "ada@example.com")
    (letter,) = await letters(database, keys)
    await scanner.open("/sign-in")
    for _ in range(3):
        screen = await scanner.open(letter.path)
        for form in screen.forms:
            if form.action != "/sign-in":
                guess: dict[str, Any] = {"code": "000000"} if "code" in form.fields else {}
                await scanner.submit(form, **guess)
    assert session_of(scanner) is None
    assert await sessions_made(database) == 0
    screen = await ada.open(letter.path)
    assert (await ada.submit(screen.form("/sign-in/confirm"))).path == "/orders"


# ---------------------------------------------------------------- presses and tabs
async def test_a_double_click_on_the_address_form_writes_one_letter(
    browsers: Browsers, database: Database, keys: Keys
) -> None:
    ada = browsers()
    form = (await ada.open("/sign-in")).form("sign-in")
    answers = await asyncio.gather(
        *(ada.submit(form, email="ada@example.com", follow=False) for _ in range(4))
    )
    assert {one.status for one in answers} == {303}
    assert len(await letters(database, keys)) == 1


async def test_two_tabs_for_two_addresses_each_take_their_own_code(
    browsers: Browsers, database: Database, keys: Keys
) -> None:
    ada = browsers()
    first = await ask(ada, "ada@example.com")
    second = await ask(ada, "ada@work.example")
    work, home = await letters(database, keys)
    crossed = await ada.submit(first.form("code-form"), code=work.code)
    assert crossed.status == 422
    assert (await ada.submit(first.form("code-form"), code=home.code)).path == "/orders"
    assert "ada@example.com" in (await ada.open("/account")).text
    assert (await ada.submit(second.form("code-form"), code=work.code)).status == 403, (
        "its page is of another session"
    )


async def test_going_back_after_signing_in_shows_no_door_that_still_opens(
    browsers: Browsers, database: Database, keys: Keys
) -> None:
    ada = browsers()
    await ask(ada, "ada@example.com")
    (letter,) = await letters(database, keys)
    screen = await ada.open(letter.path)
    form = screen.form("/sign-in/confirm")
    await ada.submit(form)
    before = session_of(ada)
    for page in (letter.path, "/sign-in/confirm", "/sign-in/code", "/sign-in"):
        assert (await ada.open(page)).path == "/orders"
    assert (await ada.submit(form, follow=False)).status == 403
    assert session_of(ada) == before
    assert await sessions_made(database) == 1


# ---------------------------------------------------------------- forms of others
#: Of a thing that does not exist. The same in every test process, which must find the same tests.
NOTHING = "0192f1c4-7a3b-7cc2-9d41-5f0f6f2a9b11"
UNSAFE = [
    "/sign-in",
    "/sign-in/code",
    "/sign-in/confirm",
    "/sign-in/passkey",
    "/sign-in/passkey/options",
    "/sign-out",
    "/account/sessions/revocation",
    f"/account/sessions/{NOTHING}/revocation",
    "/account/passkeys",
    "/account/passkeys/options",
    f"/account/passkeys/{NOTHING}/removal",
    "/account/tokens",
    f"/account/tokens/{NOTHING}/revocation",
    "/account/data/export",
    "/account/data/deletion",
    f"/admin/people/{NOTHING}/sessions/revocation",
]


@pytest.mark.parametrize("path", UNSAFE)
async def test_no_form_is_taken_from_another_site_or_without_its_token(
    browsers: Browsers, database: Database, keys: Keys, path: str
) -> None:
    ada = browsers()
    screen = await sign_in(ada, database, keys)
    good = {FIELD: screen.form("/sign-out").fields[FIELD]}
    stranger = browsers()
    theirs = (await stranger.open("/sign-in")).form("sign-in").fields[FIELD]
    for fields, headers in (
        (good, {"Origin": "https://evil.example"}),
        (good, {"Origin": "null"}),
        (good, {"Sec-Fetch-Site": "cross-site"}),
        ({}, {}),
        ({FIELD: theirs}, {}),
    ):
        assert (await ada.send(path, "post", fields, headers=headers, follow=False)).status == 403
    assert (await ada.open("/probe/x")).status == 200


async def test_every_unsafe_address_of_accounts_is_in_the_list_above(shop: Site) -> None:
    listed = {path.rpartition("/")[2] for path in UNSAFE}
    found = {
        route.path
        for route in shop.app.routes
        for handler in getattr(route, "route_handlers", ())
        if "POST" in handler.http_methods and handler.fn.__module__.startswith(accounts.__name__)
    }
    assert {path.rpartition("/")[2] for path in found} <= listed
    assert len(found) == len(UNSAFE)


# ---------------------------------------------------------------- frames, hosts, clocks
async def test_no_page_of_accounts_is_shown_in_a_frame(
    browsers: Browsers, database: Database, keys: Keys
) -> None:
    ada = browsers()
    await sign_in(ada, database, keys)
    for path in (
        "/sign-in?again=yes",
        "/account",
        "/account/sessions",
        "/account/tokens/new",
        "/account/data",
    ):
        screen = await ada.open(path)
        assert screen.status == 200
        assert "frame-ancestors 'none'" in screen.response.headers["content-security-policy"]
        assert screen.response.headers["cache-control"] == "no-store"


async def test_a_clock_that_was_set_back_makes_no_session_younger(
    database: Database, browsers: Browsers, keys: Keys
) -> None:
    ada = browsers()
    await sign_in(ada, database, keys)
    async with database.transaction() as session:
        ahead = now() + timedelta(days=2)
        await session.execute(update(Session).values(authenticated_at=ahead, last_seen_at=ahead))
        await session.execute(update(Session).values(expires_at=now() - timedelta(seconds=1)))
    assert (await ada.open("/account")).path == "/sign-in"


# ---------------------------------------------------------------- a stolen copy of the database, logs, jobs
async def test_a_copy_of_the_database_and_the_log_opens_nothing(
    browsers: Browsers, database: Database, keys: Keys
) -> None:
    ada = browsers()
    with structlog.testing.capture_logs() as lines:
        await ask(ada, "ada@example.com")
        (letter,) = await letters(database, keys)
        screen = await ada.open(letter.path)
        await ada.submit(screen.form("/sign-in/confirm"))
        screen = await ada.open("/account/tokens/new")
        screen = await ada.submit(screen.form("token-form"), name="Mine", scopes="orders:read")
    token = screen.html.partition('value="glt_')[2].partition('"')[0]
    secrets = [letter.token, session_of(ada), token, ada.client.cookies.get("__Host-galley_browser")]
    assert all(secrets)
    async with database.transaction() as session:
        dump = str(
            [
                (await session.execute(text(f"select t::text from {name} t"))).scalars().all()
                for name in metadata.tables
            ]
        )
    # Six digits may stand in any number; a code would stand there as itself.
    for secret in (f'"{letter.code}"', f"{letter.code[:3]} {letter.code[3:]}", *secrets):
        assert str(secret) not in dump
        assert str(secret) not in str(lines)


# ---------------------------------------------------------------- staff
async def test_an_admin_ends_every_session_and_token_of_somebody_and_nobody_else_does(
    browsers: Browsers, database: Database, keys: Keys
) -> None:
    async with database.transaction() as session:
        session.add(Person(email="boss@example.com", role=Role.ADMIN))
    ada, mallory, boss = browsers(), browsers(ip="203.0.113.5"), browsers(ip="203.0.113.6")
    await sign_in(ada, database, keys)
    async with database.transaction() as session:
        person = await person_by_email(session, "ada@example.com")
        assert person is not None
        ask: dict[str, Any] = {"scopes": [Scope.ORDERS_READ], "life": timedelta(days=7), "at": now()}
        _, secret = await tokens.make_token(session, person, name="Cron", **ask)
    ending = f"/admin/people/{person.id}/sessions/revocation"
    screen = await sign_in(mallory, database, keys, "mallory@example.com")
    assert (await mallory.send(ending, "post", screen.form("/sign-out").fields)).status == 404

    screen = await sign_in(boss, database, keys, "boss@example.com")
    fields = screen.form("/sign-out").fields
    assert (await boss.send(f"/admin/people/{NOTHING}/sessions/revocation", "post", fields)).status == 404
    await later(database)
    answer = await boss.send(ending, "post", fields, follow=False)
    assert answer.response.headers["location"] == f"/admin/people/{person.id}/role"
    assert (await ada.open("/account")).path == "/account"
    screen = await sign_in(boss, database, keys, "boss@example.com")
    await boss.send(ending, "post", screen.form("/sign-out").fields, follow=False)
    assert (await ada.open("/account")).path == "/sign-in"
    async with database.transaction() as session:
        assert await tokens.find_token(session, secret, now()) is None
        written = (await history_of(session, f"person/{person.id}"))[0]
    assert (written.action, written.actor, written.detail) == (
        "person.shut_out",
        "admin",
        {"sessions": 1, "tokens": 1},
    )


async def test_an_admins_letter_opens_no_admin_page_once_they_have_a_passkey_even_by_the_command_line(
    browsers: Browsers, database: Database, keys: Keys
) -> None:
    async with database.transaction() as session:
        session.add(Person(email="boss@example.com", role=Role.ADMIN))
    boss, thief = browsers(), browsers(ip="203.0.113.5")
    await sign_in(boss, database, keys, "boss@example.com")
    await add(boss, Authenticator())
    async with database.transaction() as session:
        _, link = await make_admin(
            session, "boss@example.com", keys=keys, public_url="https://galley.test", at=now()
        )
    screen = await thief.open(urlsplit(link).path)
    screen = await thief.submit(screen.form("/sign-in/confirm"))
    assert screen.path == "/sign-in/passkey"
    assert (await thief.open("/office")).path == "/sign-in"


async def test_a_new_role_is_given_only_by_whoever_signed_in_just_now(
    browsers: Browsers, database: Database, keys: Keys
) -> None:
    async with database.transaction() as session:
        session.add(Person(email="boss@example.com", role=Role.ADMIN))
    boss, ada = browsers(), browsers()
    await sign_in(ada, database, keys)
    await sign_in(boss, database, keys, "boss@example.com")
    async with database.transaction() as session:
        found = await person_by_email(session, "ada@example.com")
        assert found is not None
    page = f"/admin/people/{found.id}/role"
    form = (await boss.open(page)).form("role-form")
    assert form.offers["role"] == ["customer", "analyst", "editor", "admin"]
    async with database.transaction() as session:
        await session.execute(update(Session).values(authenticated_at=now() - timedelta(minutes=11)))
    assert (await boss.submit(form, role="analyst")).path == "/sign-in"
    async with database.transaction() as session:
        assert (await session.get_one(Person, found.id)).role is Role.CUSTOMER


# ---------------------------------------------------------------- addresses that lead nowhere
async def test_an_address_that_leads_nowhere_still_knows_who_asks(
    browsers: Browsers, database: Database, keys: Keys
) -> None:
    ada, stranger = browsers(), browsers()
    await sign_in(ada, database, keys)
    for path in ("/no/such/page", "/nothing.php", "/account/nothing"):
        screen = await ada.open(path)
        assert (screen.status, screen.heading) == (404, "Page not found")
        assert "ada@example.com" in screen.text
        screen = await stranger.open(path)
        assert screen.status == 404
        assert screen.link("Sign in") == "/sign-in"
    answer = await stranger.client.get("/api/v1/nothing")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


async def test_a_deep_link_in_a_browser_that_was_never_here_leads_there_after_signing_in(
    browsers: Browsers, database: Database, keys: Keys
) -> None:
    phone = browsers()
    screen = await phone.open("/probe/from-a-letter?tab=text")
    screen = await phone.submit(screen.form("sign-in"), email="ada@example.com")
    screen = await phone.submit(screen.form("code-form"), code=(await letters(database, keys))[0].code)
    assert screen.response.url.query == b"tab=text"
    assert screen.response.text == "from-a-letter of ada@example.com"

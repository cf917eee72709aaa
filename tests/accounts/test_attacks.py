"""What others have tried against sign-in by letter, each against the real application."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import structlog
from sqlalchemy import select, update

from models.accounts.actions import set_role
from models.accounts.queries import person_by_email
from models.accounts.states import Role
from models.accounts.tables import Person, Session, SignInRequest
from models.base.clock import now
from models.base.crypto import Keys
from models.base.db import Database
from tests.accounts.conftest import Browsers, ask, letters, requests_made, session_of, sessions_made, sign_in
from web.accounts.onward import path_of
from web.csrf import FIELD


# ---------------------------------------------------------------- scanners and previews
@pytest.mark.slow
async def test_looking_at_a_link_a_hundred_times_uses_nothing_up(
    browsers: Browsers, database: Database, keys: Keys
) -> None:
    ada, scanner = browsers(), browsers(ip="203.0.113.5")
    await ask(ada, "ada@example.com")
    (letter,) = await letters(database, keys)
    (before,) = await requests_made(database)
    for method in ("GET", "HEAD", "OPTIONS") * 33:
        for who in (scanner, ada):
            answer = await who.client.request(method, letter.path, follow_redirects=True)
            assert answer.status_code < 500
    (after,) = await requests_made(database)
    assert (after.consumed_at, after.attempts, after.superseded_at) == (None, 0, None)
    assert after.expires_at == before.expires_at
    screen = await ada.open(letter.path)
    assert (await ada.submit(screen.form("/sign-in/confirm"))).path == "/orders"


async def test_a_scanner_that_sends_every_form_gets_nothing_and_breaks_nothing(
    browsers: Browsers, database: Database, keys: Keys
) -> None:
    ada, scanner = browsers(), browsers(ip="203.0.113.5")
    await ask(ada, "ada@example.com")
    (letter,) = await letters(database, keys)
    screen = await scanner.open(letter.path)
    for form in screen.forms:
        await scanner.submit(form)
    token = screen.form("code-form").fields[FIELD]
    answer = await scanner.send("/sign-in/confirm", "post", {FIELD: token})
    assert answer.status == 410
    assert await sessions_made(database) == 0
    assert session_of(scanner) is None
    assert (await requests_made(database))[-1].attempts == 0
    screen = await ada.open(letter.path)
    assert (await ada.submit(screen.form("/sign-in/confirm"))).path == "/orders"


async def test_a_scanner_without_cookies_gets_no_further_than_the_redirect(
    browsers: Browsers, database: Database, keys: Keys
) -> None:
    ada, scanner = browsers(), browsers(ip="203.0.113.5")
    await ask(ada, "ada@example.com")
    (letter,) = await letters(database, keys)
    answer = await scanner.client.get(letter.path)
    assert answer.headers["location"] == "/sign-in/confirm"
    scanner.client.cookies.clear()
    assert (await scanner.client.get("/sign-in/confirm")).status_code == 410
    scanner.client.cookies.clear()
    assert (await scanner.client.post("/sign-in/confirm")).status_code == 403
    assert await sessions_made(database) == 0


async def test_the_link_leaves_the_address_and_tells_nobody_where_it_was(
    browsers: Browsers, database: Database, keys: Keys
) -> None:
    ada = browsers()
    await ask(ada, "ada@example.com")
    (letter,) = await letters(database, keys)
    with structlog.testing.capture_logs() as lines:
        first = await ada.client.get(letter.path)
        second = await ada.client.get(first.headers["location"])
    for answer, referrer in ((first, "no-referrer"), (second, "same-origin")):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == referrer
        assert "noindex" in answer.headers["x-robots-tag"]
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert letter.token not in answer.text
    assert letter.token not in str(lines)
    cookie = next(one for one in first.headers.get_list("set-cookie") if "galley_link" in one).lower()
    assert cookie.startswith("__host-galley_link=")
    for attribute in ("httponly", "secure", "samesite=lax", "path=/", "max-age=600"):
        assert attribute in cookie


async def test_fifty_presses_of_the_button_make_one_session(
    browsers: Browsers, database: Database, keys: Keys
) -> None:
    ada = browsers()
    await ask(ada, "ada@example.com")
    screen = await ada.open((await letters(database, keys))[0].path)
    form = screen.form("/sign-in/confirm")
    await asyncio.gather(*(ada.submit(form, follow=False) for _ in range(50)))
    assert await sessions_made(database) == 1


# ---------------------------------------------------------------- somebody else's session
async def test_an_attackers_link_does_not_sign_the_victim_in_as_the_attacker(
    browsers: Browsers, database: Database, keys: Keys
) -> None:
    mallory, victim = browsers(ip="203.0.113.5"), browsers()
    await ask(mallory, "mallory@example.com")
    (letter,) = await letters(database, keys)
    await victim.open("/sign-in")
    screen = await victim.open(letter.path)
    assert screen.heading == "Enter the code from the letter"
    assert "m•••@example.com" in screen.text
    assert not any(form.action == "/sign-in/confirm" for form in screen.forms)
    token = screen.form("code-form").fields[FIELD]
    assert (await victim.send("/sign-in/confirm", "post", {FIELD: token})).status == 410
    assert session_of(victim) is None
    assert await sessions_made(database) == 0


async def test_an_attackers_link_leaves_somebody_who_is_signed_in_who_they_are(
    browsers: Browsers, database: Database, keys: Keys
) -> None:
    mallory, victim = browsers(ip="203.0.113.5"), browsers()
    await sign_in(victim, database, keys)
    before = session_of(victim)
    await ask(mallory, "mallory@example.com")
    letter = (await letters(database, keys))[0]
    await victim.open(letter.path)
    assert (await victim.open("/probe/x")).response.text == "x of ada@example.com"
    assert session_of(victim) == before


async def test_another_site_cannot_start_or_finish_a_sign_in(
    browsers: Browsers, database: Database, keys: Keys
) -> None:
    victim = browsers()
    screen = await victim.open("/sign-in")
    fields = screen.form("sign-in").fields | {"email": "mallory@example.com"}
    foreign: list[dict[str, str]] = [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ]
    for headers in foreign:
        for path in ("/sign-in", "/sign-in/code", "/sign-in/confirm", "/sign-out"):
            answer = await victim.send(path, "post", fields, headers=headers)
            assert answer.status == 403
    assert (await victim.send("/sign-in", "post", fields | {FIELD: "forged"})).status == 403
    assert await requests_made(database) == []


@pytest.mark.parametrize("planted", ["attacker-chosen-id", "A" * 43])
async def test_a_planted_session_cookie_is_replaced(
    browsers: Browsers, database: Database, keys: Keys, planted: str
) -> None:
    ada, mallory = browsers(), browsers()
    ada.client.cookies.set("__Host-galley_session", planted)
    await ada.open("/sign-in")
    await sign_in(ada, database, keys)
    fresh = ada.client.cookies.get("__Host-galley_session", domain="galley.test")
    assert fresh not in {planted, None}
    mallory.client.cookies.set("__Host-galley_session", planted)
    assert (await mallory.open("/account")).path == "/sign-in"


async def test_an_attackers_own_session_planted_on_the_victim_ends_when_the_victim_signs_in(
    browsers: Browsers, database: Database, keys: Keys
) -> None:
    mallory, victim = browsers(ip="203.0.113.5"), browsers()
    await sign_in(mallory, database, keys, "mallory@example.com")
    planted = session_of(mallory)
    assert planted is not None
    victim.client.cookies.set("__Host-galley_session", planted, domain="galley.test", path="/")
    await sign_in(victim, database, keys, "victim@example.com")
    assert session_of(victim) != planted
    assert (await victim.open("/probe/x")).response.text == "x of victim@example.com"
    assert (await mallory.open("/account")).path == "/sign-in"


async def test_a_cookie_that_a_subdomain_could_plant_is_not_read(
    browsers: Browsers, database: Database, keys: Keys
) -> None:
    ada, other = browsers(), browsers()
    await sign_in(ada, database, keys)
    token = session_of(ada)
    assert token is not None
    other.client.cookies.set("galley_session", token)
    assert (await other.open("/account")).path == "/sign-in"


async def test_the_session_is_new_at_every_sign_in_and_dead_after_signing_out(
    browsers: Browsers, database: Database, keys: Keys
) -> None:
    ada, thief = browsers(), browsers()
    await sign_in(ada, database, keys)
    first = session_of(ada)
    await sign_in(ada, database, keys)
    second = session_of(ada)
    assert first != second
    screen = await ada.open("/account")
    screen = await ada.submit(screen.form("/sign-out"), follow=False)
    assert session_of(ada) is None
    assert screen.response.headers["clear-site-data"] == '"storage"'
    for stolen in (first, second):
        assert stolen is not None
        thief.client.cookies.set("__Host-galley_session", stolen, domain="galley.test", path="/")
        assert (await thief.open("/account")).path == "/sign-in"
    async with database.transaction() as session:
        assert all(row.revoked_at for row in (await session.scalars(select(Session))).all())


async def test_nobody_ends_the_sessions_of_others(browsers: Browsers, database: Database, keys: Keys) -> None:
    ada, mallory = browsers(), browsers(ip="203.0.113.5")
    await sign_in(ada, database, keys)
    async with database.transaction() as session:
        (adas,) = (await session.scalars(select(Session))).all()
    await sign_in(mallory, database, keys, "mallory@example.com")
    fields = (await mallory.open("/account/sessions")).form("/account/sessions/revocation").fields
    for target in (adas.id, uuid4()):
        answer = await mallory.send(f"/account/sessions/{target}/revocation", "post", fields)
        assert answer.status == 404
    assert (await ada.open("/account")).path == "/account"


async def test_a_role_opens_its_pages_and_a_new_role_wants_a_new_sign_in(
    browsers: Browsers, database: Database, keys: Keys
) -> None:
    ada = browsers()
    await sign_in(ada, database, keys)
    assert (await ada.open("/desk")).status == 404
    async with database.transaction() as session:
        person = await person_by_email(session, "ada@example.com")
        assert person is not None
        await set_role(session, person.id, Role.EDITOR, by="command line", at=now())
    assert (await ada.open("/desk")).path == "/sign-in"
    await sign_in(ada, database, keys)
    assert (await ada.open("/desk")).response.text == "desk"
    assert (await ada.open("/office")).status == 404
    assert (await ada.open("/safe")).response.text == "safe"
    async with database.transaction() as session:
        await session.execute(update(Session).values(authenticated_at=now() - timedelta(minutes=11)))
    screen = await ada.open("/safe")
    assert screen.path == "/sign-in"
    assert screen.form("sign-in").fields["email"] == "ada@example.com"


async def test_a_closed_account_is_told_so_only_after_it_has_proven_itself(
    browsers: Browsers, database: Database, keys: Keys
) -> None:
    async with database.transaction() as session:
        session.add(Person(email="ada@example.com", disabled_at=now()))
    ada = browsers()
    assert (await ask(ada, "ada@example.com")).heading == "Look into your inbox"
    screen = await ada.open((await letters(database, keys))[0].path)
    screen = await ada.submit(screen.form("/sign-in/confirm"))
    assert screen.status == 403
    assert "This account is closed" in screen.text
    assert await sessions_made(database) == 0


# ---------------------------------------------------------------- where it leads
@pytest.mark.parametrize(
    ("intent", "path"),
    [
        ({}, "/orders"),
        ({"path": "/orders/5?tab=text"}, "/orders/5?tab=text"),
        ({"path": "//evil.example"}, "/orders"),
        ({"path": "/\\evil.example"}, "/orders"),
        ({"path": "/\n/evil.example"}, "/orders"),
        ({"path": "https://evil.example"}, "/orders"),
        ({"path": "javascript:alert(1)"}, "/orders"),
        ({"path": 7}, "/orders"),
        (
            {"draft": "0199a2f4-0000-7000-8000-000000000001"},
            "/orders/drafts/0199a2f4-0000-7000-8000-000000000001",
        ),
        ({"draft": "../../admin"}, "/orders"),
        ({"draft": None}, "/orders"),
    ],
)
def test_an_intent_leads_to_a_page_of_ours(intent: dict[str, Any], path: str) -> None:
    assert path_of(intent, Role.CUSTOMER) == path


@pytest.mark.parametrize(
    ("role", "path"),
    [(Role.ANALYST, "/admin/queues"), (Role.EDITOR, "/admin"), (Role.ADMIN, "/admin")],
)
def test_whoever_came_for_nothing_in_particular_lands_where_their_work_is(role: Role, path: str) -> None:
    assert path_of({}, role) == path


@pytest.mark.parametrize(
    "query", ["next=//evil.example", "next=/admin", "intent=x", "path=https://evil.example"]
)
async def test_the_address_of_the_sign_in_page_does_not_say_where_it_leads(
    browsers: Browsers, database: Database, keys: Keys, query: str
) -> None:
    ada = browsers()
    screen = await ada.open(f"/sign-in?{query}")
    await ada.submit(screen.form("sign-in"), email="ada@example.com")
    letter = (await letters(database, keys))[0]
    screen = await ada.open(f"{letter.path}?{query}")
    screen = await ada.send(
        f"/sign-in/confirm?{query}", "post", screen.form("/sign-in/confirm").fields, follow=False
    )
    assert screen.response.headers["location"] == "/orders"


async def test_a_forged_wish_is_not_followed(browsers: Browsers, database: Database, keys: Keys) -> None:
    ada, mallory = browsers(), browsers(ip="203.0.113.5")
    await mallory.open("/sign-in")
    await mallory.open("/probe/mallory")
    signed_for_another = mallory.client.cookies.get("__Host-galley_wanted")
    assert signed_for_another
    for wish in ("/probe/forged", signed_for_another):
        ada.client.cookies.set("__Host-galley_wanted", wish, domain="galley.test", path="/")
        screen = await sign_in(ada, database, keys)
        assert screen.path == "/orders"
        async with database.transaction() as session:
            await session.execute(update(SignInRequest).values(created_at=now() - timedelta(hours=1)))

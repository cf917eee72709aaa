"""API tokens: made once, shown once, opening what they were made for and nothing else."""

import asyncio
import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from sqlalchemy import select, text, update

from infra.local.visitor import Browser
from models.accounts import tokens
from models.accounts.audit import history_of
from models.accounts.states import Role, Scope
from models.accounts.tables import ApiToken, AuditEntry, Person
from models.base.clock import now
from models.base.crypto import Keys
from models.base.db import Database
from models.base.errors import Conflict, Forbidden, Invalid
from tests.accounts.conftest import Browsers, session_of, sign_in, warnings

ORDERS = "/api/v1/purchase"


def unknown_order() -> str:
    return f"{ORDERS}/status/{uuid4()}"


async def made(database: Database, *scopes: Scope, role: Role = Role.CUSTOMER) -> tuple[Person, str]:
    async with database.transaction() as session:
        person = Person(email=f"{role.value}@example.com", role=role)
        session.add(person)
        await session.flush()
        _, secret = await tokens.make_token(
            session, person, name="Cron", scopes=scopes, life=timedelta(days=7), at=now()
        )
    return person, secret


async def call(
    browser: Browser, secret: str, method: str = "GET", path: str = "", **more: Any
) -> httpx2.Response:
    headers = {"Authorization": f"Bearer {secret}", "Accept": "*/*"}
    return await browser.client.request(method, path or unknown_order(), headers=headers, **more)


async def test_ada_makes_a_token_sees_it_once_uses_it_and_revokes_it(
    browsers: Browsers, database: Database, keys: Keys
) -> None:
    ada, program = browsers(), browsers(ip="203.0.113.7")
    await sign_in(ada, database, keys)
    screen = await ada.open((await ada.open("/account")).link("API tokens"))
    screen = await ada.open(screen.link("Make a token"))
    form = screen.form("token-form")
    assert form.offers["scopes"] == ["orders:read", "orders:write", "jobs:read", "jobs:write"]
    screen = await ada.submit(form, name="Nightly report", scopes="orders:read", life="30")
    secret = re.findall(r'value="(glt_[\w-]{43})"', screen.html)[0]

    # From now on only its beginning is to be seen, here and in the database.
    screen = await ada.open("/account/tokens")
    assert secret[:10] in screen.text
    assert secret not in screen.html
    async with database.transaction() as session:
        rows = (
            (await session.execute(text("select accounts_tokens::text from accounts_tokens"))).scalars().all()
        )
        kept = (await session.scalars(select(ApiToken))).one()
    assert secret[10:] not in str(rows)
    assert kept.last_used_at is None

    # There is no such order; but the program was let in to hear that.
    answer = await call(program, secret)
    assert answer.status_code == 404
    assert "set-cookie" not in answer.headers
    screen = await ada.open("/account/tokens")
    assert "Never" not in screen.text

    screen = await ada.submit(screen.form(f"/account/tokens/{kept.id}/revocation"))
    assert "does not work any more" in screen.text
    assert (await call(program, secret)).status_code == 401
    async with database.transaction() as session:
        done = [one.action for one in await history_of(session, f"person/{kept.person_id}")]
    assert done[:2] == ["token.revoked", "token.made"]

    # Whoever made it, its owner hears of both.
    made_letter, revoked_letter = await warnings(database)
    assert made_letter[:2] == ("ada@example.com", "token_made")
    assert made_letter[2]["scopes"] == "orders:read"
    assert secret not in str(made_letter)
    assert revoked_letter[:2] == ("ada@example.com", "token_revoked")
    assert revoked_letter[2]["prefix"] == secret[:10]


async def refusals(database: Database) -> list[tuple[str, str | None, str | None]]:
    async with database.transaction() as session:
        refused = select(AuditEntry).where(AuditEntry.action == "token.refused").order_by(AuditEntry.id)
        rows = (await session.scalars(refused)).all()
    return [(one.actor, one.detail.get("why"), one.detail.get("scope")) for one in rows]


async def test_a_refused_token_is_written_down_once_an_hour_however_often_it_is_shown(
    browsers: Browsers, database: Database
) -> None:
    program = browsers()
    _, narrow = await made(database, Scope.ORDERS_READ)
    for _ in range(2):
        answers = [call(program, f"glt_{number:043}") for number in range(10)]
        answers += [
            call(program, narrow, "POST", f"{ORDERS}/regenerate-backlink", json={}) for _ in range(10)
        ]
        assert {one.status_code for one in await asyncio.gather(*answers)} == {401, 403}
        assert sorted(await refusals(database)) == [
            ("customer", "scope", "orders:write"),
            ("program", None, None),
        ]

    async with database.transaction() as session:
        row = (await session.scalars(select(ApiToken))).one()
        row.revoked_at = now()
    for minutes, expected in ((59, 2), (61, 3)):
        async with database.transaction() as session:
            at = now() + timedelta(minutes=minutes)
            await tokens.note_refusal(session, narrow, missing=None, at=at)
        assert len(await refusals(database)) == expected
    assert (await refusals(database))[-1] == ("customer", "revoked", None)


@pytest.mark.parametrize("why", ["unknown", "expired", "revoked", "closed"])
async def test_a_token_that_opens_nothing_is_a_401_that_says_so_to_machines(
    browsers: Browsers, database: Database, why: str
) -> None:
    _, secret = await made(database, Scope.ORDERS_READ)
    async with database.transaction() as session:
        if why == "expired":
            await session.execute(update(ApiToken).values(expires_at=now()))
        elif why == "revoked":
            await session.execute(update(ApiToken).values(revoked_at=now()))
        elif why == "closed":
            await session.execute(update(Person).values(disabled_at=now()))
    answer = await call(browsers(), "glt_" + "A" * 43 if why == "unknown" else secret)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    assert answer.json()["status"] == 401


async def test_a_token_without_the_scope_is_a_403_that_names_it(
    browsers: Browsers, database: Database
) -> None:
    _, secret = await made(database, Scope.ORDERS_READ)
    answer = await call(
        browsers(), secret, "POST", f"{ORDERS}/regenerate-backlink", json={"orderId": str(uuid4())}
    )
    assert answer.status_code == 403
    assert answer.headers["www-authenticate"] == 'Bearer error="insufficient_scope", scope="orders:write"'
    assert "orders:write" in answer.json()["detail"]


async def test_a_program_needs_no_form_token_and_a_browser_still_does(
    browsers: Browsers, database: Database, keys: Keys
) -> None:
    _, secret = await made(database, Scope.ORDERS_WRITE)
    body = {"orderId": str(uuid4())}
    path = f"{ORDERS}/regenerate-backlink"
    assert (await call(browsers(), secret, "POST", path, json=body)).status_code == 404
    ada = browsers()
    await sign_in(ada, database, keys)
    assert (await ada.client.post(path, json=body)).status_code == 403


async def test_a_session_counts_for_nothing_beside_a_token_and_a_token_for_nothing_outside_the_api(
    browsers: Browsers, database: Database, keys: Keys
) -> None:
    ada = browsers()
    await sign_in(ada, database, keys)
    assert session_of(ada)
    assert (await call(ada, "glt_wrong")).status_code == 401
    assert (await call(ada, "")).status_code == 401
    forged = await call(ada, "glt_wrong", "POST", "/sign-out")
    assert forged.status_code == 403, "a header took the form token's place"

    _, secret = await made(database, *Scope, role=Role.ADMIN)
    program = browsers(ip="203.0.113.7")
    for page in ("/account", "/admin/people", "/desk", "/orders"):
        answer = await program.client.get(page, headers={"Authorization": f"Bearer {secret}"})
        assert answer.status_code == 303
    assert (await program.client.get(unknown_order())).headers["www-authenticate"] == "Bearer"


async def test_a_token_opens_no_more_than_its_owners_role_does_today(database: Database) -> None:
    person, secret = await made(
        database, Scope.ORDERS_READ, Scope.JOBS_READ, Scope.ADMIN_READ, role=Role.ADMIN
    )
    for role, opened in (
        (Role.ADMIN, {Scope.ORDERS_READ, Scope.JOBS_READ, Scope.ADMIN_READ}),
        (Role.EDITOR, {Scope.ORDERS_READ, Scope.JOBS_READ}),
        (Role.CUSTOMER, {Scope.ORDERS_READ, Scope.JOBS_READ}),
    ):
        async with database.transaction() as session:
            await session.execute(update(Person).values(role=role))
            found = await tokens.find_token(session, secret, now())
        assert found is not None
        assert found.person.id == person.id
        assert set(found.scopes) == opened


async def test_nobody_gives_a_token_what_they_may_not_do_and_nobody_has_fifty(database: Database) -> None:
    person, _ = await made(database, Scope.ORDERS_READ)
    ask: dict[str, Any] = {"life": timedelta(days=7), "at": now()}
    with pytest.raises(Forbidden):
        async with database.transaction() as session:
            await tokens.make_token(session, person, name="x", scopes=[Scope.ADMIN_READ], **ask)
    with pytest.raises(Conflict):
        async with database.transaction() as session:
            for number in range(tokens.MOST):
                await tokens.make_token(session, person, name=f"{number}", scopes=[Scope.ORDERS_READ], **ask)


async def test_a_form_that_is_sent_twice_at_once_makes_one_token(database: Database) -> None:
    person, _ = await made(database, Scope.ORDERS_READ)

    async def make() -> None:
        async with database.transaction() as session:
            await tokens.make_token(
                session, person, name="Backup", scopes=[Scope.ORDERS_READ], life=timedelta(days=7), at=now()
            )

    outcomes = await asyncio.gather(make(), make(), return_exceptions=True)
    assert sorted(isinstance(one, Invalid) for one in outcomes) == [False, True]


async def test_the_last_use_is_written_once_a_minute(database: Database) -> None:
    _, secret = await made(database, Scope.ORDERS_READ)
    at = now()
    seen = []
    for seconds in (0, 30, 59, 61):
        async with database.transaction() as session:
            await tokens.find_token(session, secret, at + timedelta(seconds=seconds))
        async with database.transaction() as session:
            seen.append((await session.scalars(select(ApiToken.last_used_at))).one())
    assert seen == [at, at, at, at + timedelta(seconds=61)]


async def test_making_wants_a_recent_sign_in_and_every_field(
    browsers: Browsers, database: Database, keys: Keys
) -> None:
    ada, mallory = browsers(), browsers(ip="203.0.113.5")
    await sign_in(ada, database, keys)
    form = (await ada.open("/account/tokens/new")).form("token-form")
    wrong = await ada.send("/account/tokens", "post", form.fields | {"scopes": "everything", "life": "9999"})
    assert wrong.status == 422
    for words in ("Say what the token is for", "Choose from the list", "Choose how long"):
        assert words in wrong.text
    beyond = await ada.send("/account/tokens", "post", form.fields | {"name": "x", "scopes": "admin:write"})
    assert beyond.status == 403

    await ada.submit(form, name="Mine", scopes="orders:read")
    async with database.transaction() as session:
        mine = (await session.scalars(select(ApiToken))).one()
    await sign_in(mallory, database, keys, "mallory@example.com")
    fields = (await mallory.open("/account")).form("/sign-out").fields
    assert (await mallory.send(f"/account/tokens/{mine.id}/revocation", "post", fields)).status == 404

    async with database.transaction() as session:
        await session.execute(
            text("update accounts_sessions set authenticated_at = now() - interval '11 minutes'")
        )
    assert (await ada.submit(form, name="More", scopes="orders:read")).path == "/sign-in"
    async with database.transaction() as session:
        assert len((await session.scalars(select(ApiToken))).all()) == 1

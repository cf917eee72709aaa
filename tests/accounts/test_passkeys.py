"""Passkeys, from the first to the last, and everything that is not one."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from infra.local.visitor import Browser, Screen
from models.accounts import passkeys
from models.accounts.__main__ import _remove_passkeys
from models.accounts.audit import history_of
from models.accounts.queries import person_by_email
from models.accounts.states import Role
from models.accounts.tables import Passkey, PasskeyChallenge, Person
from models.base.clock import now
from models.base.crypto import Keys
from models.base.db import Database
from models.base.settings import Settings
from tests.accounts.authenticator import PRESENT, Authenticator
from tests.accounts.conftest import Browsers, later, session_of, sign_in, warnings
from web.csrf import FIELD, HEADER

EDITOR = "ed@example.com"


async def ed_signed_in(browsers: Browsers, database: Database, keys: Keys) -> Browser:
    async with database.transaction() as session:
        session.add(Person(email=EDITOR, role=Role.EDITOR))
    browser = browsers()
    await sign_in(browser, database, keys, EDITOR)
    return browser


async def options(browser: Browser, page: str, path: str) -> dict[str, Any]:
    """What the page's script fetches when its button is pressed."""
    form = next(one for one in (await browser.open(page)).forms if "credential" in one.fields)
    answer = await browser.client.post(path, headers={HEADER: form.fields[FIELD], "Origin": browser.origin})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def add(browser: Browser, device: Authenticator, name: str = "Laptop") -> Screen:
    asked = await options(browser, "/account/passkeys/new", "/account/passkeys/options")
    screen = await browser.open("/account/passkeys/new")
    return await browser.submit(screen.form("passkey-form"), name=name, credential=device.make(asked))


async def step(browser: Browser, answer: Callable[[dict[str, Any]], str]) -> Screen:
    """The step after the letter, with what `answer` makes of the options."""
    asked = await options(browser, "/sign-in/passkey", "/sign-in/passkey/options")
    screen = await browser.open("/sign-in/passkey")
    return await browser.submit(screen.form("credential"), credential=answer(asked))


async def test_ed_adds_a_passkey_and_from_then_on_a_letter_is_only_half_the_way(
    browsers: Browsers, database: Database, keys: Keys
) -> None:
    desk, device = await ed_signed_in(browsers, database, keys), Authenticator()
    screen = await add(desk, device)
    assert screen.path == "/account/passkeys"
    assert "Laptop is added" in screen.text
    assert "Not yet" in screen.text

    # Another browser: the letter leads to the step and no further, not even to what is Ed's alone.
    other = browsers(ip="203.0.113.9")
    assert (await other.open("/desk")).path == "/sign-in"
    screen = await sign_in(other, database, keys, EDITOR)
    assert (screen.path, screen.heading) == ("/sign-in/passkey", "Use your passkey")
    half = session_of(other)
    for page in ("/desk", "/account", "/probe/x", "/orders"):
        assert (await other.open(page)).path == "/sign-in"

    # The passkey is the other half; the cookie is a new one, and no page is opened by the first.
    screen = await step(other, device.sign)
    assert screen.status == 200
    assert session_of(other) != half
    assert (await other.open("/desk")).response.text == "desk"
    assert "Not yet" not in (await other.open("/account/passkeys")).text
    async with database.transaction() as session:
        ed = await person_by_email(session, EDITOR)
        assert ed is not None
        done = [one.action for one in await history_of(session, f"person/{ed.id}")]
    assert done[:4] == ["signed_in", "sign_in.passkey_wanted", "passkey.added", "signed_in"]


async def test_where_a_person_wanted_to_go_is_kept_through_the_passkey_step(
    browsers: Browsers, database: Database, keys: Keys
) -> None:
    device = Authenticator()
    await add(await ed_signed_in(browsers, database, keys), device)
    other = browsers(ip="203.0.113.9")
    await other.open("/probe/seven")
    await sign_in(other, database, keys, EDITOR)
    assert (await step(other, device.sign)).response.text == f"seven of {EDITOR}"


async def test_the_first_passkey_signs_out_every_browser_that_only_showed_a_letter(
    browsers: Browsers, database: Database, keys: Keys
) -> None:
    desk = await ed_signed_in(browsers, database, keys)
    thief = browsers(ip="203.0.113.9")
    await sign_in(thief, database, keys, EDITOR)
    assert (await thief.open("/desk")).response.text == "desk"
    await add(desk, Authenticator())
    assert (await thief.open("/desk")).path == "/sign-in"
    assert (await desk.open("/desk")).response.text == "desk"


LIES: list[tuple[str, dict[str, Any]]] = [
    ("another site's page", {"origin": "https://evil.example"}),
    ("another site's key", {"rp_id": "evil.example"}),
    ("nobody looked who holds the device", {"flags": PRESENT}),
    ("a copy of the device, which has counted less", {"count": -2}),
]


@pytest.mark.parametrize("lie", [lie for _, lie in LIES], ids=[words for words, _ in LIES])
async def test_what_is_not_this_persons_passkey_on_our_page_is_refused(
    browsers: Browsers, database: Database, keys: Keys, lie: dict[str, Any]
) -> None:
    device = Authenticator(count=7)
    await add(await ed_signed_in(browsers, database, keys), device)
    other = browsers(ip="203.0.113.9")
    await sign_in(other, database, keys, EDITOR)
    for name, value in lie.items():
        setattr(device, name, device.count + value if name == "count" else value)
    screen = await step(other, device.sign)
    assert screen.status == 422
    assert "not accepted" in screen.text
    assert (await other.open("/desk")).path == "/sign-in"
    async with database.transaction() as session:
        ed = await person_by_email(session, EDITOR)
        assert ed is not None
        newest = (await history_of(session, f"person/{ed.id}"))[0]
        assert newest.action == "passkey.refused"


async def test_another_persons_passkey_and_words_that_are_none_are_refused(
    browsers: Browsers, database: Database, keys: Keys
) -> None:
    await add(await ed_signed_in(browsers, database, keys), Authenticator())
    other = browsers(ip="203.0.113.9")
    await sign_in(other, database, keys, EDITOR)
    for answer in (Authenticator().sign, lambda _: "{}", lambda _: "[1", lambda _: '{"id":7}'):
        assert (await step(other, answer)).status == 422
    assert (await step(other, lambda _: "")).status == 422
    assert (await other.open("/desk")).path == "/sign-in"


async def test_a_challenge_is_good_once_for_one_session_one_purpose_and_five_minutes(
    browsers: Browsers, database: Database, keys: Keys
) -> None:
    device = Authenticator()
    await add(await ed_signed_in(browsers, database, keys), device)
    one, two = browsers(ip="203.0.113.9"), browsers(ip="203.0.113.10")
    await sign_in(one, database, keys, EDITOR)
    await sign_in(two, database, keys, EDITOR)
    form = (await two.open("/sign-in/passkey")).form("credential")

    # What was signed for one browser is worth nothing in another, nor a second time.
    asked = await options(one, "/sign-in/passkey", "/sign-in/passkey/options")
    signed = device.sign(asked)
    assert (await two.submit(form, credential=signed)).status == 422
    await options(two, "/sign-in/passkey", "/sign-in/passkey/options")
    assert (await two.submit(form, credential=signed)).status == 422
    screen = await one.open("/sign-in/passkey")
    assert (await one.submit(screen.form("credential"), credential=signed)).status == 200
    screen = await one.open("/sign-in/passkey")
    assert (await one.submit(screen.form("credential"), credential=signed)).status == 422

    # What is old, or was asked for adding, is not taken for using.
    stale = {"expires_at": now() - timedelta(seconds=1)}, {"purpose": passkeys.ADD}
    for change in stale:
        asked = await options(two, "/sign-in/passkey", "/sign-in/passkey/options")
        async with database.transaction() as session:
            await session.execute(update(PasskeyChallenge).values(change))
        assert (await two.submit(form, credential=device.sign(asked))).status == 422
    assert (await two.open("/desk")).path == "/sign-in"


async def test_adding_wants_a_recent_sign_in_a_name_and_a_verified_device(
    browsers: Browsers, database: Database, keys: Keys
) -> None:
    desk = await ed_signed_in(browsers, database, keys)
    screen = await desk.open("/account/passkeys/new")
    form = screen.form("passkey-form")
    nameless = await desk.submit(form, credential="{}")
    assert (nameless.status, "Name it" in nameless.text) == (422, True)
    unseen = await add(desk, Authenticator(flags=PRESENT))
    assert (unseen.status, "was not added" in unseen.text) == (422, True)
    scriptless = await desk.submit(form, name="Laptop")
    assert (scriptless.status, "Allow scripts" in scriptless.text) == (422, True)
    await later(database)
    assert (await desk.open("/account/passkeys/new")).path == "/sign-in"
    assert (await desk.submit(form, name="Laptop", credential="{}")).path == "/sign-in"
    async with database.transaction() as session:
        assert (await session.scalars(select(Passkey))).all() == []


async def test_a_customer_who_wants_a_passkey_needs_it_from_then_on_and_nobody_touches_anothers(
    browsers: Browsers, database: Database, keys: Keys
) -> None:
    ada, device = browsers(), Authenticator()
    await sign_in(ada, database, keys)
    screen = await ada.open((await ada.open("/account")).link("Passkeys"))
    assert "Whoever can read your mail can sign in as you" in screen.text
    await add(ada, device)
    phone = browsers(ip="203.0.113.9")
    await phone.open("/probe/draft")
    assert (await sign_in(phone, database, keys)).path == "/sign-in/passkey"
    assert (await step(phone, device.sign)).response.text == "draft of ada@example.com"

    async with database.transaction() as session:
        key = (await session.scalars(select(Passkey))).one()
    bob = browsers()
    screen = await sign_in(bob, database, keys, "bob@example.com")
    fields = {FIELD: screen.form("/sign-out").fields[FIELD]}
    assert (await bob.send(f"/account/passkeys/{key.id}/removal", "post", fields)).status == 404


async def test_a_token_that_does_what_admins_do_wants_the_passkey_again_and_ends_within_ninety_days(
    browsers: Browsers, database: Database, keys: Keys
) -> None:
    async with database.transaction() as session:
        session.add(Person(email="boss@example.com", role=Role.ADMIN))
    boss, device = browsers(), Authenticator()
    await sign_in(boss, database, keys, "boss@example.com")
    await add(boss, device)
    await later(database)
    assert (await boss.open("/account/tokens/new")).path == "/sign-in/passkey"
    form = (await step(boss, device.sign)).form("token-form")
    refused = await boss.submit(form, name="Desk", scopes="admin:write", life="365")
    assert (refused.status, "90 days at most" in refused.text) == (422, True)
    assert "glt_" in (await boss.submit(form, name="Desk", scopes="admin:write", life="90")).html


async def test_the_last_passkey_is_removed_only_after_the_passkey_was_shown_again(
    browsers: Browsers, database: Database, keys: Keys
) -> None:
    desk, first, second = await ed_signed_in(browsers, database, keys), Authenticator(), Authenticator()
    await add(desk, first)
    await add(desk, second, "Key ring")
    await later(database)
    screen = await desk.open("/account/passkeys")
    one, other = [href for href in screen.links.values() if href.endswith("/removal")]
    screen = await desk.open(other)
    screen = await desk.submit(screen.form(other))
    assert "The passkey is removed" in screen.text

    # The last one: the way leads to the passkey, and back.
    screen = await desk.open(one)
    assert screen.path == "/sign-in/passkey"
    screen = await step(desk, first.sign)
    assert "This is your last one" in screen.text
    screen = await desk.submit(screen.form(one))
    assert "No passkey yet" in screen.text
    told = await warnings(database)
    assert [(to, kind, facts.get("name")) for to, kind, facts in told] == [
        (EDITOR, "passkey_added", "Laptop"),
        (EDITOR, "passkey_added", "Key ring"),
        (EDITOR, "passkey_removed", "Key ring"),
        (EDITOR, "passkeys_gone", None),
    ]
    assert all(facts["changed_from"] == "Firefox on Linux, 198.51.100.1" for *_, facts in told)
    other_browser = browsers(ip="203.0.113.9")
    await sign_in(other_browser, database, keys, EDITOR)
    assert (await other_browser.open("/desk")).response.text == "desk"


async def test_somebody_at_the_server_removes_passkeys_that_are_lost(
    browsers: Browsers, database: Database, keys: Keys, settings: Settings
) -> None:
    desk = await ed_signed_in(browsers, database, keys)
    await add(desk, Authenticator())
    async with database.transaction() as session:
        ed = await person_by_email(session, EDITOR)
        assert ed is not None
    async with database.transaction() as session:
        for _ in range(2):  # the second time there is nothing to remove, and nothing to tell
            assert (await _remove_passkeys(session, settings, EDITOR))[0]
    assert [kind for _, kind, _ in await warnings(database)] == ["passkey_added", "passkeys_gone"]
    assert (await desk.open("/desk")).path == "/sign-in"
    await sign_in(desk, database, keys, EDITOR)
    assert (await desk.open("/desk")).response.text == "desk"
    async with database.transaction() as session:
        entries = {one.action: one.actor for one in await history_of(session, f"person/{ed.id}")}
    assert entries["passkeys.removed"] == "command line"


async def test_the_page_of_the_step_is_for_those_who_are_asked(
    browsers: Browsers, database: Database, keys: Keys
) -> None:
    stranger, ada = browsers(), browsers()
    assert (await stranger.open("/sign-in/passkey")).path == "/sign-in"
    await sign_in(ada, database, keys)
    screen = await ada.open("/sign-in/passkey")
    assert screen.path == "/orders"
    fields = {FIELD: screen.form("/sign-out").fields[FIELD]}
    assert (await ada.send("/sign-in/passkey/options", "post", fields)).status == 404

"""Signing in, as a person does it."""

from datetime import timedelta

from sqlalchemy import select, update

from models.accounts.tables import SignInRequest
from models.base.clock import now
from models.base.crypto import Keys
from models.base.db import Database
from models.base.settings import Settings
from models.mail.tables import EmailMessage
from tasks.testing import run_everything
from tasks.world import open_world
from tests.accounts.conftest import IPHONE, Browsers, ask, later, letters, session_of, sessions_made, sign_in


async def test_ada_signs_in_by_the_link_in_her_letter(
    browsers: Browsers, database: Database, keys: Keys, settings: Settings
) -> None:
    # She wants to see something of hers, and is asked who she is.
    ada = browsers()
    screen = await ada.open("/probe/seven")
    assert (screen.path, screen.heading) == ("/sign-in", "Sign in")

    # She gives her address and is told to look into her inbox.
    screen = await ada.submit(screen.form("sign-in"), email="Ada@Example.com")
    assert (screen.path, screen.heading) == ("/sign-in/code", "Look into your inbox")
    assert screen.link("/dev/mail") == "/dev/mail"
    (letter,) = await letters(database, keys)

    # A worker writes and sends the letter; its bytes are what the outbox page shows.
    async with open_world(settings, connections=5, name="worker") as world:
        await run_everything(world)
    async with database.transaction() as session:
        (sent,) = (await session.scalars(select(EmailMessage))).all()
    assert (sent.to_address, sent.state, sent.way) == ("ada@example.com", "sent", "outbox")
    assert sent.subject is None, "it holds the code, so it stands in the sealed bytes alone"
    assert sent.sealed_mime is not None
    mime = keys.unseal(sent.sealed_mime)
    assert f"Subject: {letter.code[:3]} {letter.code[3:]} is your Galley sign-in code".encode() in mime
    assert letter.link.encode() in mime
    assert sent.sealed_facts is None

    # She follows the link, which leaves the address at once, and presses one button.
    screen = await ada.open(letter.path)
    assert screen.path == "/sign-in/confirm"
    assert letter.token not in screen.html
    assert await sessions_made(database) == 0
    screen = await ada.submit(screen.form("/sign-in/confirm"), press="Continue as a•••@example.com")

    # She is where she wanted to be.
    assert screen.response.text == "seven of ada@example.com"


async def test_ada_reads_her_letter_on_the_phone_and_types_the_code_at_her_desk(
    browsers: Browsers, database: Database, keys: Keys
) -> None:
    desk, phone = browsers(), browsers(ip="203.0.113.9")
    here = await ask(desk, "ada@example.com")
    (letter,) = await letters(database, keys)

    # On the phone the link alone is not enough, and says why.
    there = await phone.open(letter.path)
    assert there.heading == "Enter the code from the letter"
    assert "You asked in another browser" in there.text
    assert "ada@example.com" not in there.html

    # At the desk the code is, typed as it is printed; a slip is told and forgiven.
    here = await desk.submit(here.form("code-form"), code=letter.other_code)
    assert here.status == 422
    assert "you have 4 more tries" in here.text
    here = await desk.submit(here.form("code-form"), code="12345")
    assert (here.status, here.path) == (422, "/sign-in/code")
    assert "Enter the six digits" in here.text
    here = await desk.submit(here.form("code-form"), code=f"{letter.code[:3]} {letter.code[3:]}")
    assert here.path == "/orders"

    # What the phone still shows is over.
    there = await phone.submit(there.form("code-form"), code=letter.code)
    assert there.status == 422
    assert "run out, or was used" in there.text
    assert session_of(phone) is None


async def test_ada_signs_in_on_the_phone_with_link_and_code(
    browsers: Browsers, database: Database, keys: Keys
) -> None:
    desk, phone = browsers(), browsers()
    await ask(desk, "ada@example.com")
    (letter,) = await letters(database, keys)
    there = await phone.open(letter.path)
    there = await phone.submit(there.form("code-form"), code=letter.code)
    assert there.path == "/orders"
    assert session_of(desk) is None


async def test_ada_sees_where_she_is_signed_in_and_ends_it(
    browsers: Browsers, database: Database, keys: Keys
) -> None:
    desk, phone = browsers(), browsers(**{"User-Agent": IPHONE})
    await sign_in(phone, database, keys)
    await sign_in(desk, database, keys)
    screen = await desk.open((await desk.open("/account")).link("Sessions"))
    assert "Firefox on Linux" in screen.text
    assert "Safari on iPhone" in screen.text
    assert screen.text.count("This browser") == 1

    # The latest sign-in stands first: this one. The other is the phone.
    _, phones, everywhere = [one for one in screen.forms if "/account/sessions" in one.action]
    screen = await desk.submit(phones)
    assert "That browser is signed out." in screen.text
    assert (await phone.open("/account")).path == "/sign-in"
    assert (await desk.open("/account")).path == "/account"

    # What others would notice wants to know again who it is.
    await later(database)
    assert (await desk.submit(everywhere)).path == "/sign-in"
    screen = await sign_in(desk, database, keys)
    assert screen.path == "/account/sessions"
    everywhere = screen.form("/account/sessions/revocation")

    kept = session_of(desk)
    screen = await desk.submit(everywhere)
    assert session_of(desk) is None
    assert kept is not None
    desk.client.cookies.set("__Host-galley_session", kept)
    assert (await desk.open("/account")).path == "/sign-in"


async def test_ada_asks_for_another_letter_and_the_newest_one_works(
    browsers: Browsers, database: Database, keys: Keys
) -> None:
    ada = browsers()
    screen = await ada.open("/probe/seven")
    screen = await ada.submit(screen.form("sign-in"), email="ada@example.com")
    screen = await ada.submit(screen.form("/sign-in"), press="Send another letter")
    assert "The letter is on its way" in screen.text
    assert len(await letters(database, keys)) == 1
    async with database.transaction() as session:
        await session.execute(update(SignInRequest).values(created_at=now() - timedelta(seconds=61)))
    screen = await ada.submit(screen.form("/sign-in"), press="Send another letter")
    assert "Only the newest one works" in screen.text
    newest, oldest = await letters(database, keys)
    assert (await ada.open(oldest.path)).status == 410
    screen = await ada.open(newest.path)
    screen = await ada.submit(screen.form("/sign-in/confirm"))
    assert screen.response.text == "seven of ada@example.com", (
        "the second letter forgot what the first was for"
    )


async def test_ada_mistypes_her_address_and_is_told_at_the_field(browsers: Browsers) -> None:
    ada = browsers()
    screen = await ask(ada, "ada@example")
    assert screen.status == 422
    assert screen.form("sign-in").fields["email"] == "ada@example"
    assert 'aria-invalid="true"' in screen.html
    assert screen.link("Enter an e-mail address like name@example.com.") == "#email"


async def test_ada_changes_to_another_address_at_once(
    browsers: Browsers, database: Database, keys: Keys
) -> None:
    ada = browsers()
    screen = await ask(ada, "ada@exmaple.com")
    screen = await ada.open(screen.link("Use another address"))
    screen = await ada.submit(screen.form("sign-in"), email="ada@example.com")
    assert "ada@example.com" in screen.text
    assert {letter.to for letter in await letters(database, keys)} == {"ada@exmaple.com", "ada@example.com"}

"""What a stranger learns by asking, and how often one may ask: attacks 11 to 13 on the real application."""

from typing import Any

import pytest
from sqlalchemy import event, text

from infra.local.visitor import Browser
from models.accounts.audit import history_of
from models.accounts.states import Role
from models.accounts.tables import Person
from models.base.clock import now
from models.base.crypto import Keys
from models.base.db import Database
from models.mail.tables import Suppression
from tests.accounts.conftest import Browsers, ask, letters, requests_made, sign_in
from tests.web.site import Site


# ---------------------------------------------------------------- who has an account
async def test_every_address_gets_the_same_answer_and_the_same_work(
    browsers: Browsers, database: Database, keys: Keys
) -> None:
    async with database.transaction() as session:
        session.add_all(
            [
                Person(email="known@example.com"),
                Person(email="admin@example.com", role=Role.ADMIN),
                Person(email="close@example.com", disabled_at=now()),
                Suppression(address="spam@example.com", reason="complaint"),
            ]
        )
    seen: dict[str, Any] = {}
    for number, who in enumerate(("known", "admin", "close", "spam", "never", "again")):
        browser = browsers(ip=f"198.51.100.{number}")
        screen = await browser.open("/sign-in")
        statements: list[str] = []
        with listening(database, statements):
            sent = await browser.submit(screen.form("sign-in"), email=f"{who}@example.com", follow=False)
        shown = await browser.open("/sign-in/code")
        seen[who] = (
            sent.status,
            sorted(sent.response.headers.keys()),
            sent.response.headers["location"],
            sent.response.content,
            shown.text.replace(who, ""),
            shown.status,
            statements,
        )
    first, *others = seen.values()
    assert all(one == first for one in others)
    assert len(await letters(database, keys)) == 6


class listening:  # noqa: N801 - reads as a statement: with listening(...)
    """Notes the statements that this database is sent while the block lasts."""

    def __init__(self, database: Database, statements: list[str]) -> None:
        self.engine = database.engine.sync_engine
        self.statements = statements

    def __enter__(self) -> None:
        event.listen(self.engine, "before_cursor_execute", self.note)

    def __exit__(self, *_: object) -> None:
        event.remove(self.engine, "before_cursor_execute", self.note)

    def note(self, _connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        self.statements.append(statement)


@pytest.mark.parametrize(
    "address",
    [
        "a@b.com,evil@example.com",
        "a@b.com\r\nBcc: evil@example.com",
        "a\x00@b.com",
        '"a@b"@c.com',
        "a" * 5000,
    ],
)
async def test_an_address_that_is_two_or_none_is_written_to_by_nobody(
    browsers: Browsers, database: Database, keys: Keys, address: str
) -> None:
    screen = await ask(browsers(), address)
    assert screen.status == 422
    assert await letters(database, keys) == []
    assert await requests_made(database) == []


# ---------------------------------------------------------------- too often
async def statuses(browser: Browser, *emails: str, **headers: str) -> list[int]:
    found = []
    for email in emails:
        screen = await browser.open("/sign-in?again=yes")
        fields = screen.form("sign-in").fields | {"email": email}
        answer = await browser.send("/sign-in", "post", fields, follow=False, headers=headers)
        found.append(answer.status)
    return found


async def test_the_eleventh_letter_of_a_network_is_refused_politely(
    browsers: Browsers, database: Database, keys: Keys
) -> None:
    shared = browsers()
    people = [f"p{n}@example.com" for n in range(11)]
    assert await statuses(shared, *people) == [303] * 10 + [429]
    screen = await ask(shared, "p12@example.com")
    assert screen.status == 429
    assert 0 < int(screen.response.headers["retry-after"]) <= 600
    assert "Wait 10 minutes, then try again." in screen.text
    assert screen.form("sign-in").fields["email"] == "p12@example.com"
    assert len(await letters(database, keys)) == 10
    # Two were refused. Whoever asks all day fills no log that is never emptied.
    async with database.transaction() as session:
        written = await history_of(session, "sign-in/limits")
    assert [(one.action, one.actor, one.detail) for one in written] == [("sign_in.too_many", "visitor", {})]


async def test_a_whole_ipv6_network_counts_as_one(browsers: Browsers) -> None:
    found = [
        (await statuses(browsers(ip=f"2001:db8:1:1::{n:x}"), f"p{n}@example.com"))[0] for n in range(1, 12)
    ]
    assert found == [303] * 10 + [429]
    assert await statuses(browsers(ip="2001:db8:1:2::1"), "q@example.com") == [303]


async def test_a_made_up_forwarded_address_does_not_help(browsers: Browsers) -> None:
    spoofer = browsers()
    found = [
        (await statuses(spoofer, f"p{n}@example.com", **{"X-Forwarded-For": f"203.0.113.{n}"}))[0]
        for n in range(11)
    ]
    assert found == [303] * 10 + [429]


async def test_one_inbox_is_not_filled_by_many_networks(
    browsers: Browsers, database: Database, keys: Keys
) -> None:
    found = [(await statuses(browsers(ip=f"203.0.113.{n}"), "victim@example.com"))[0] for n in range(6)]
    assert found == [303, 303, 303, 429, 429, 429]
    assert len(await letters(database, keys)) == 3


async def test_somebody_who_was_here_before_is_not_locked_out_by_strangers(
    browsers: Browsers, database: Database, keys: Keys
) -> None:
    ada = browsers()
    await sign_in(ada, database, keys)
    for n in range(5):
        await statuses(browsers(ip=f"203.0.113.{n}"), "ada@example.com")
    assert (await statuses(browsers(ip="203.0.113.99"), "ada@example.com")) == [429]
    assert (await sign_in(ada, database, keys)).path == "/orders"


async def test_a_label_after_a_plus_fills_the_same_inbox_and_makes_another_person(
    browsers: Browsers, database: Database, keys: Keys
) -> None:
    labelled = [
        (await statuses(browsers(ip=f"203.0.113.{n}"), f"victim+{n}@example.com"))[0] for n in range(5)
    ]
    assert labelled == [303, 303, 303, 429, 429]
    assert [one.to for one in await letters(database, keys)][-1] == "victim+0@example.com"


async def test_the_link_is_built_from_our_own_address_whatever_the_host_header_says(
    browsers: Browsers, database: Database, keys: Keys
) -> None:
    ada = browsers()
    screen = await ada.open("/sign-in")
    fields = screen.form("sign-in").fields | {"email": "ada@example.com"}
    for headers in ({"X-Forwarded-Host": "evil.example"}, {"Forwarded": "host=evil.example"}):
        await ada.send("/sign-in", "post", fields, headers=headers)
    await ada.client.post(
        "/sign-in", data=fields, headers={"Host": "evil.example", "Origin": "https://galley.test"}
    )
    assert {letter.link.rpartition("/l/")[0] for letter in await letters(database, keys)} == {
        "https://galley.test/sign-in"
    }


async def test_the_letters_job_carries_an_id_and_nothing_else(
    browsers: Browsers, database: Database, keys: Keys, shop: Site
) -> None:
    await ask(browsers(), "ada@example.com")
    async with database.transaction() as session:
        (args,) = (await session.execute(text("select args from jobs"))).scalars()
    assert set(args) == {"email_id"}

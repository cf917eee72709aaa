"""Who is not written to: addresses that take nothing, and readers who do not want it."""

from datetime import timedelta

import orjson
import pytest

from emails import LETTERS
from models.base.clock import now
from models.base.crypto import Keys
from models.base.db import Database, new_id
from models.base.errors import Conflict, NotFound
from models.mail.actions import send_again, write_letter
from models.mail.categories import ABOUT, Category, can_be_refused, category_of
from models.mail.preferences import (
    mute,
    muted,
    offered,
    read_unsubscribe,
    unmute,
    unsubscribe_url,
)
from models.mail.states import LetterState as S
from models.mail.states import SuppressionReason
from models.mail.suppressions import lift_suppression, suppress, suppressions
from tests.mail.conftest import Deliver, letter_of
from tests.mail.test_sending import REFUNDED, Mailbox, business, sign_in

ADA = "ada@example.com"
PUBLISHED = {name: fact for name, fact in REFUNDED.items() if name not in {"amount_cents", "currency"}} | {
    "public_url": "https://shop.example/articles/kitchen/grinders"
}


async def published(database: Database, to: str = ADA) -> object:
    async with database.transaction() as session:
        return await write_letter(session, "orders.published", to, PUBLISHED, key=f"published:{to}")


async def stop(database: Database, reason: SuppressionReason, hours: int = 0) -> None:
    async with database.transaction() as session:
        since = now() - timedelta(hours=hours)
        await suppress(session, ADA, reason, detail="550 nobody", letter_id=None, at=since)


#: Why the address is suppressed, for how many hours, the letter, and what becomes of it.
WITHHELD = [
    (SuppressionReason.BOUNCE, 23, "sign-in", S.WITHHELD),
    (SuppressionReason.BOUNCE, 25, "sign-in", S.SENT),
    (SuppressionReason.BOUNCE, 25, "receipt", S.WITHHELD),
    (SuppressionReason.COMPLAINT, 0, "sign-in", S.SENT),
    (SuppressionReason.COMPLAINT, 25, "receipt", S.WITHHELD),
]


@pytest.mark.parametrize(("reason", "hours", "kind", "there"), WITHHELD)
async def test_a_suppressed_address_gets_nothing_but_the_sign_in_it_asks_for(
    database: Database,
    deliver: Deliver,
    inbox: Mailbox,
    keys: Keys,
    reason: SuppressionReason,
    hours: int,
    kind: str,
    there: S,
) -> None:
    await stop(database, reason, hours)
    email_id = await (sign_in(database, keys) if kind == "sign-in" else business(database))
    await deliver()
    letter = await letter_of(database, email_id)
    assert letter.state is there
    assert len(inbox[0].letters) == (there is S.SENT)
    if there is S.WITHHELD:
        assert "the address is suppressed" in str(letter.error)
        assert letter.sealed_facts is None


async def test_nothing_is_sent_to_somebody_who_has_left(
    database: Database, deliver: Deliver, inbox: Mailbox
) -> None:
    email_id = await published(database, f"left-{new_id().hex}@deleted.invalid")
    await deliver()
    letter = await letter_of(database, email_id)  # type: ignore[arg-type]
    assert (letter.state, letter.error, inbox[0].letters) == (S.WITHHELD, "its reader has left", [])


async def test_once_lifted_the_address_is_written_to_again(
    database: Database, deliver: Deliver, inbox: Mailbox
) -> None:
    await stop(database, SuppressionReason.BOUNCE)
    email_id = await business(database)
    assert email_id is not None
    await deliver()
    async with database.transaction() as session:
        lifted = await lift_suppression(session, "ADA@example.com")
        assert lifted is not None
        assert lifted.detail == "550 nobody"
        assert await lift_suppression(session, ADA) is None
        await send_again(session, email_id)
    await deliver()
    assert (await letter_of(database, email_id)).state is S.SENT
    assert len(inbox[0].letters) == 1


async def test_a_letter_that_arrived_or_has_expired_is_not_sent_again(
    database: Database, deliver: Deliver, keys: Keys
) -> None:
    sent = await business(database)
    await deliver()
    await stop(database, SuppressionReason.BOUNCE)
    expired = await sign_in(database, keys)
    await deliver()
    assert sent is not None
    assert expired is not None
    for email_id, reason in ((sent, "is sent"), (expired, "expired")):
        async with database.transaction() as session:
            with pytest.raises(Conflict, match=reason):
                await send_again(session, email_id)


async def test_a_reader_who_refused_such_letters_gets_the_others(
    database: Database, deliver: Deliver, inbox: Mailbox
) -> None:
    async with database.transaction() as session:
        await mute(session, ADA, list(Category))
        assert await muted(session, ADA) == {one for one in Category if can_be_refused(one)}
    refused = await published(database)
    await deliver()
    letter = await letter_of(database, refused)  # type: ignore[arg-type]
    assert letter.state is S.WITHHELD
    assert letter.error == "its reader does not want such letters: progress of your orders"
    await business(database)
    await deliver()
    assert len(inbox[0].letters) == 1
    async with database.transaction() as session:
        await unmute(session, ADA, [Category.PROGRESS])
        assert Category.PROGRESS not in await muted(session, ADA)


async def test_what_can_be_refused_says_so_in_its_headers_and_sign_in_and_receipts_do_not(
    database: Database, deliver: Deliver, inbox: Mailbox, keys: Keys
) -> None:
    await published(database)
    await deliver()
    await business(database)
    await deliver()
    await sign_in(database, keys)
    await deliver()
    progress, receipt, code = inbox[0].letters
    (line,) = [line for line in progress.split(b"\r\n") if line.startswith(b"List-Unsubscribe:")]
    url = line.partition(b"<")[2].rstrip(b">").decode()
    assert url.startswith("https://shop.example/unsubscribe/")
    assert read_unsubscribe(keys, url.rpartition("/")[2]) == (ADA, Category.PROGRESS)
    assert b"List-Unsubscribe-Post: List-Unsubscribe=One-Click" in progress
    assert b"nsubscribe" not in receipt
    assert b"nsubscribe" not in code


@pytest.mark.parametrize("kind", sorted(LETTERS))
def test_every_letter_is_of_a_category_that_somebody_chose(kind: str) -> None:
    assert category_of(kind) is not Category.ACCOUNT or kind.startswith("accounts.")


@pytest.mark.parametrize("kind", sorted(LETTERS))
def test_only_sign_in_account_and_money_cannot_be_refused(kind: str) -> None:
    essential = {Category.ACCOUNT, Category.RECEIPTS}
    assert can_be_refused(category_of(kind)) == (category_of(kind) not in essential)


def test_a_letter_that_nobody_has_sorted_is_always_sent() -> None:
    assert not can_be_refused(category_of("orders.of_next_year"))


def test_customers_are_not_asked_about_the_editors_letters() -> None:
    assert not any(ABOUT[one].is_for_staff for one in offered(is_staff=False))
    assert {Category.REVIEWS, Category.ALARMS} < set(offered(is_staff=True))


def test_a_link_survives_a_new_key_and_no_other_seal_opens_it(keys: Keys) -> None:
    token = unsubscribe_url(keys, "", ADA, Category.REMINDERS).rpartition("/")[2]
    assert ADA not in token
    assert read_unsubscribe(
        Keys("another secret key of the tests", "a secret key of a test, long enough"), token
    )
    other = keys.seal(orjson.dumps({"code": "482913"})).decode().rstrip("=")
    wrong_purpose = keys.seal(b"sign-in\x1freminders\x1fada@example.com").decode().rstrip("=")
    for broken in (token[:-3], token.swapcase(), other, wrong_purpose, "", "é", "x" * 5000):
        with pytest.raises(NotFound):
            read_unsubscribe(keys, broken)


async def test_suppressed_addresses_are_read_page_by_page_and_by_their_beginning(database: Database) -> None:
    at = now()
    async with database.transaction() as session:
        for number in range(7):
            await suppress(
                session,
                f"{'ab'[number % 2]}{number}@example.com",
                SuppressionReason.BOUNCE,
                detail=None,
                letter_id=None,
                at=at,
            )
        first = await suppressions(session, size=4)
        second = await suppressions(session, cursor=first.next_cursor, size=4)
        found = await suppressions(session, search=" A", size=10)
        assert [one.address[:2] for one in (*first.items, *second.items)] == [
            "b5",
            "b3",
            "b1",
            "a6",
            "a4",
            "a2",
            "a0",
        ]
        assert second.next_cursor is None
        assert {one.address[0] for one in found.items} == {"a"}
        assert (await suppressions(session, search="%")).items == []

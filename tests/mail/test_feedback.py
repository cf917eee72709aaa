"""What the provider tells moves letters, and stops the letters that nobody takes."""

from datetime import timedelta
from uuid import UUID

import orjson
import pytest
from sqlalchemy import select, update

from models.base.clock import now
from models.base.db import Database, new_id
from models.mail.actions import begin_sending, settle_letters, was_sent, write_letter
from models.mail.inbox import handle_event, write_down
from models.mail.sns import read_message
from models.mail.states import EventState
from models.mail.states import LetterState as S
from models.mail.suppressions import suppression_of
from models.mail.tables import EmailEvent, EmailMessage
from tests.mail.conftest import letter_of
from tests.mail.signer import Sns

SNS = Sns(url="https://sns.eu-central-1.amazonaws.com")
ADA = "ada@example.com"

BOUNCE = {
    "bounceType": "Permanent",
    "bounceSubType": "NoEmail",
    "bouncedRecipients": [{"emailAddress": ADA, "diagnosticCode": "smtp; 550 5.1.1 nobody of that name"}],
}
FULL = {"bounceType": "Transient", "bounceSubType": "MailboxFull", "bouncedRecipients": []}
SPAM = {"complaintFeedbackType": "abuse", "complainedRecipients": [{"emailAddress": ADA}]}
DELAY = {"delayType": "MailboxFull", "expirationTime": "2026-11-22T14:00:00Z", "delayedRecipients": []}


async def letter(database: Database, state: S = S.SENT, **values: object) -> UUID:
    async with database.transaction() as session:
        email_id = await write_letter(
            session, "orders.published", ADA, {}, key=str(new_id()), about="order/1"
        )
        assert email_id is not None
        changed = update(EmailMessage).where(EmailMessage.id == email_id)
        await session.execute(changed.values(state=state, claimed_at=now(), **values))
    return email_id


async def tell(database: Database, payload: bytes) -> EventState | None:
    """Let the provider say this: written down, then handled. None if it had said it before."""
    message = read_message(payload)
    async with database.transaction() as session:
        if not await write_down(session, message):
            return None
    async with database.transaction() as session:
        return await handle_event(session, message.id, now())


#: What is told of a letter in a state, and where the letter is then.
TOLD = [
    (S.SENT, "Delivery", {}, S.DELIVERED),
    (S.UNKNOWN, "Send", {}, S.SENT),
    (S.UNKNOWN, "Delivery", {}, S.DELIVERED),
    (S.UNKNOWN, "Bounce", BOUNCE, S.BOUNCED),
    (S.SENDING, "Delivery", {}, S.DELIVERED),
    (S.QUEUED, "Delivery", {}, S.DELIVERED),
    (S.FAILED, "Delivery", {}, S.DELIVERED),
    (S.DELIVERED, "Send", {}, S.DELIVERED),
    (S.SENT, "Bounce", BOUNCE, S.BOUNCED),
    (S.SENT, "Bounce", FULL, S.BOUNCED),
    (S.DELIVERED, "Bounce", BOUNCE, S.BOUNCED),
    (S.DELIVERED, "Bounce", FULL, S.DELIVERED),
    (S.BOUNCED, "Delivery", {}, S.BOUNCED),
    (S.DELIVERED, "Complaint", SPAM, S.COMPLAINED),
    (S.DELIVERED, "Complaint", SPAM | {"complaintFeedbackType": "not-spam"}, S.DELIVERED),
    (S.SENT, "Reject", {"reason": "Bad content"}, S.FAILED),
    (S.SENT, "DeliveryDelay", DELAY, S.SENT),
    (S.SENT, "Open", {}, S.SENT),
]


@pytest.mark.parametrize(("here", "kind", "told", "there"), TOLD)
async def test_a_letter_goes_where_the_provider_says(
    database: Database, here: S, kind: str, told: dict[str, object], there: S
) -> None:
    email_id = await letter(database, here)
    assert await tell(database, SNS.event(email_id, kind, **told)) is EventState.PROCESSED
    assert (await letter_of(database, email_id)).state is there


#: What is told, and whether the address is written to afterwards.
SUPPRESSING = [
    ("Bounce", BOUNCE, "bounce"),
    ("Bounce", FULL, None),
    ("Bounce", FULL | {"bounceType": "Undetermined"}, None),
    ("Complaint", SPAM, "complaint"),
    ("Complaint", SPAM | {"complaintFeedbackType": "not-spam"}, None),
    ("Reject", {"reason": "Bad content"}, None),
    ("Delivery", {}, None),
]


@pytest.mark.parametrize(("kind", "told", "reason"), SUPPRESSING)
async def test_what_bounces_for_good_and_what_is_called_spam_is_not_written_to(
    database: Database, kind: str, told: dict[str, object], reason: str | None
) -> None:
    email_id = await letter(database)
    await tell(database, SNS.event(email_id, kind, **told))
    async with database.transaction() as session:
        suppressed = await suppression_of(session, "Ada@Example.com")
    assert (suppressed.reason.value if suppressed else None) == reason
    if suppressed:
        assert suppressed.letter_id == email_id


async def test_the_letter_says_why_it_came_back(database: Database) -> None:
    email_id = await letter(database)
    await tell(database, SNS.event(email_id, "Bounce", **BOUNCE))
    one = await letter_of(database, email_id)
    assert one.error == "permanent: NoEmail: smtp; 550 5.1.1 nobody of that name"
    assert one.told_at is not None


async def test_a_delay_is_noted_and_a_delivery_ends_it(database: Database) -> None:
    email_id = await letter(database)
    await tell(database, SNS.event(email_id, "DeliveryDelay", **DELAY))
    assert "delayed: MailboxFull" in str((await letter_of(database, email_id)).error)
    await tell(database, SNS.event(email_id, "Delivery"))
    assert (await letter_of(database, email_id)).error is None


async def test_the_same_message_twice_is_one(database: Database) -> None:
    email_id = await letter(database)
    payload = SNS.event(email_id, "Delivery")
    assert await tell(database, payload) is EventState.PROCESSED
    assert await tell(database, payload) is None
    async with database.transaction() as session:
        assert len((await session.scalars(select(EmailEvent))).all()) == 1


async def test_handling_an_event_twice_is_handling_it_once(database: Database) -> None:
    email_id = await letter(database)
    payload = SNS.event(email_id, "Bounce", **BOUNCE)
    await tell(database, payload)
    async with database.transaction() as session:
        await session.execute(update(EmailMessage).values(state=S.SENT))
        assert await handle_event(session, read_message(payload).id, now()) is EventState.PROCESSED
    assert (await letter_of(database, email_id)).state is S.SENT


async def test_an_event_that_overtakes_the_answer_is_not_undone_by_it(database: Database) -> None:
    email_id = await letter(database, S.QUEUED)
    async with database.transaction() as session:
        assert await begin_sending(session, email_id, subject="…", sealed_mime=b"", way="ses", at=now())
    await tell(database, SNS.event(email_id, "Delivery"))
    async with database.transaction() as session:
        await was_sent(session, email_id, "ses-1", now())
    one = await letter_of(database, email_id)
    assert (one.state, one.provider_id) == (S.DELIVERED, "ses-1")
    assert one.sent_at is not None


async def test_a_letter_of_which_an_event_tells_is_not_sent_a_second_time(database: Database) -> None:
    email_id = await letter(database, S.UNKNOWN, lost=1)
    await tell(database, SNS.event(email_id, "Send"))
    async with database.transaction() as session:
        assert await settle_letters(session, now() + timedelta(hours=1)) == 0


async def test_without_our_tag_the_letter_is_found_by_the_providers_id(database: Database) -> None:
    email_id = await letter(database, S.SENT, provider_id="ses-1")
    assert await tell(database, SNS.event(None, "Delivery")) is EventState.PROCESSED
    assert (await letter_of(database, email_id)).state is S.DELIVERED


async def test_an_event_of_another_product_changes_nothing(database: Database) -> None:
    email_id = await letter(database)
    assert await tell(database, SNS.event(new_id(), "Bounce", **BOUNCE)) is EventState.IGNORED
    assert (await letter_of(database, email_id)).state is S.SENT
    async with database.transaction() as session:
        assert await suppression_of(session, ADA) is None


@pytest.mark.parametrize(
    "text",
    [
        "Successfully validated SNS topic for Amazon SES event publishing.",
        "[]",
        orjson.dumps({"eventType": "Delivery"}).decode(),
        orjson.dumps(
            {"eventType": "Bounce", "mail": {"timestamp": "2026-11-22T04:00:00Z"}, "bounce": {}}
        ).decode(),
        orjson.dumps({"hello": "world"}).decode(),
    ],
)
async def test_what_is_no_event_is_kept_and_ignored(database: Database, text: str) -> None:
    assert await tell(database, SNS.message(text)) is EventState.IGNORED

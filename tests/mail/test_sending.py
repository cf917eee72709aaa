"""A letter on its way: written with what it tells, sent once, and honest when nobody knows."""

import asyncio
from datetime import timedelta
from uuid import UUID

import orjson
import pytest
from redis.asyncio import Redis
from sqlalchemy import func, select, update

from emails.post import NotAccepted
from models.base.clock import now
from models.base.crypto import Keys
from models.base.db import Database
from models.base.errors import Temporary
from models.jobs.states import JobState
from models.jobs.tables import JobRow
from models.mail.actions import begin_sending, drop_letters, next_step, settle_letters, write_letter
from models.mail.jobs import SendLetter
from models.mail.states import LetterState as S
from models.mail.tables import EmailMessage
from tasks.runs import Snooze
from tasks.world import World
from tests.mail.conftest import Deliver, letter_of, put_back
from tests.mail.inbox import Inbox

Mailbox = tuple[Inbox, int]

REFUNDED = {
    "order_url": "https://shop.example/orders/1",
    "order_number": "G-1",
    "article_title": "On grinders",
    "site_name": "Slow Kitchen",
    "anchor_text": None,
    "target_url": None,
    "amount_cents": 4900,
    "currency": "eur",
}
SIGN_IN = {
    "purpose": "sign in",
    "asked_from": "Firefox on Linux, 203.0.113.7",
    "asked_at": "today",
    "minutes": 10,
}
LINK = "https://shop.example/sign-in/l/opens-a-door"


async def business(database: Database, key: str = "refunded:1") -> UUID | None:
    async with database.transaction() as session:
        return await write_letter(
            session, "orders.refunded", "ada@example.com", REFUNDED, key=key, about="order/1"
        )


async def sign_in(database: Database, keys: Keys, life: timedelta = timedelta(minutes=10)) -> UUID | None:
    async with database.transaction() as session:
        sealed = keys.seal(orjson.dumps({"link": LINK, "code": "482913"}))
        return await write_letter(
            session,
            "accounts.sign_in",
            "ada@example.com",
            SIGN_IN,
            key="sign-in:1",
            sealed=sealed,
            expires_at=now() + life,
        )


async def jobs(database: Database, *states: JobState) -> int:
    async with database.transaction() as session:
        query = select(func.count()).select_from(JobRow).where(JobRow.state.in_(states))
        return (await session.execute(query)).scalar_one()


async def settled(database: Database) -> int:
    async with database.transaction() as session:
        return await settle_letters(session, now())


async def test_a_letter_exists_only_if_what_it_tells_did_happen(database: Database) -> None:
    async def refund_that_fails() -> None:
        async with database.transaction() as session:
            await write_letter(session, "orders.refunded", "ada@example.com", REFUNDED, key="refunded:1")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await refund_that_fails()
    async with database.transaction() as session:
        assert await session.scalar(select(func.count()).select_from(EmailMessage)) == 0
        assert await session.scalar(select(func.count()).select_from(JobRow)) == 0


async def test_asking_twice_writes_one_letter_and_one_job(database: Database) -> None:
    first, *others = await asyncio.gather(*(business(database) for _ in range(5)))
    assert len([one for one in (first, *others) if one]) == 1
    assert await jobs(database, JobState.WAITING) == 1


async def test_writing_tells_the_pages_that_show_it(database: Database, redis: Redis) -> None:
    ears = redis.pubsub()
    await ears.subscribe("live")
    while await ears.get_message(timeout=5) is None:  # it is heard from the moment that this is confirmed
        pass
    await business(database)
    heard: set[str] = set()
    async with asyncio.timeout(5):
        while heard < {"mail", "order/1"}:
            message = await ears.get_message(ignore_subscribe_messages=True, timeout=1)
            if message:
                heard.add(orjson.loads(message["data"])["topic"])
    await ears.aclose()  # type: ignore[no-untyped-call]  # redis-py's


async def test_a_letter_is_sent_once_and_its_bytes_are_kept_sealed(
    database: Database, deliver: Deliver, inbox: Mailbox, keys: Keys
) -> None:
    email_id = await business(database)
    await deliver()
    letter = await letter_of(database, email_id)
    assert (letter.state, letter.way, letter.provider_id, letter.attempts) == (S.SENT, "smtp", "4711", 1)
    assert letter.sent_at is not None
    assert letter.subject
    (arrived,) = inbox[0].letters
    assert letter.sealed_mime is not None
    assert keys.unseal(letter.sealed_mime).strip() == arrived.strip()
    assert f"Message-ID: <{email_id}@shop.example>".encode() in arrived
    assert await jobs(database, JobState.COMPLETED) == 1


async def test_a_second_delivery_of_the_job_sends_nothing(
    database: Database, deliver: Deliver, inbox: Mailbox
) -> None:
    email_id = await business(database)
    await deliver()
    async with database.transaction() as session:
        from models.jobs import enqueue
        from models.mail.jobs import SendLetter

        assert email_id is not None
        await enqueue(session, SendLetter(email_id=email_id))
    assert await deliver() == {"state": "sent"}
    assert len(inbox[0].letters) == 1


async def test_a_sign_in_letter_carries_its_link_and_then_forgets_it(
    database: Database, deliver: Deliver, inbox: Mailbox, keys: Keys
) -> None:
    email_id = await sign_in(database, keys)
    waiting = await letter_of(database, email_id)
    assert "482913" not in str(waiting.facts)
    assert waiting.sealed_facts is not None
    async with database.transaction() as session:
        (job,) = (await session.scalars(select(JobRow))).all()
        assert job.args == {"email_id": str(email_id)}
    await deliver()
    assert LINK.encode() in inbox[0].letters[0]
    sent = await letter_of(database, email_id)
    assert (sent.state, sent.sealed_facts) == (S.SENT, None)


async def test_a_letter_that_was_not_taken_is_tried_again(
    database: Database, deliver: Deliver, inbox: Mailbox
) -> None:
    inbox[0].answers = ["not now", "take"]
    email_id = await business(database)
    with pytest.raises(Temporary, match="disk is full"):
        await deliver()
    letter = await letter_of(database, email_id)
    assert (letter.state, letter.attempts) == (S.QUEUED, 1)
    assert letter.error is not None
    await hand_back(database)
    await deliver()
    letter = await letter_of(database, email_id)
    assert (letter.state, letter.attempts, letter.error) == (S.SENT, 2, None)


async def test_a_letter_that_is_never_taken_fails_with_the_last_attempt(
    database: Database, deliver: Deliver, inbox: Mailbox
) -> None:
    inbox[0].answers = ["not now"]
    email_id = await business(database)
    await come_to_the_last_attempt(database)
    await deliver()
    letter = await letter_of(database, email_id)
    assert letter.state is S.FAILED
    assert letter.error is not None
    assert "given up after 40 attempts" in letter.error


async def test_throttling_at_the_last_attempt_gives_nothing_up_for_days(
    database: Database, deliver: Deliver, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def throttle(*_: object, **__: object) -> None:
        raise NotAccepted("Maximum sending rate exceeded.", timedelta(seconds=5), is_crowded=True)

    monkeypatch.setattr(type(world.post), "send", throttle)
    email_id = await business(database)
    await come_to_the_last_attempt(database)
    with pytest.raises(Snooze):
        await deliver()
    assert (await letter_of(database, email_id)).state is S.QUEUED
    async with database.transaction() as session:
        await session.execute(update(EmailMessage).values(created_at=now() - timedelta(days=4)))
    await hand_back(database)
    await come_to_the_last_attempt(database)
    await deliver()
    assert (await letter_of(database, email_id)).state is S.FAILED


def test_a_mail_server_that_is_down_over_night_costs_no_letter() -> None:
    unlucky = (SendLetter.backoff.wait(attempt, luck=0) for attempt in range(1, SendLetter.attempts))
    assert sum(unlucky, timedelta()) > timedelta(hours=12)


async def test_a_refused_letter_fails_at_once(database: Database, deliver: Deliver, inbox: Mailbox) -> None:
    inbox[0].answers = ["never"]
    email_id = await business(database)
    await deliver()
    letter = await letter_of(database, email_id)
    assert (letter.state, letter.attempts) == (S.FAILED, 1)
    assert await jobs(database, JobState.WAITING, JobState.SCHEDULED) == 0


async def test_a_letter_that_cannot_be_written_never_looks_as_if_it_were_on_its_way(
    database: Database, deliver: Deliver
) -> None:
    async with database.transaction() as session:
        email_id = await write_letter(
            session, "orders.refunded", "ada@example.com", {"amount_cents": 1}, key="bad"
        )
    with pytest.raises(TypeError, match="is missing"):
        await deliver()
    await hand_back(database)
    assert (await letter_of(database, email_id)).state is S.QUEUED
    await come_to_the_last_attempt(database)
    with pytest.raises(TypeError, match="is missing"):
        await deliver()
    assert (await letter_of(database, email_id)).state is S.FAILED


async def test_a_lost_answer_sends_a_business_letter_once_more_and_not_twice(
    database: Database, deliver: Deliver, inbox: Mailbox
) -> None:
    inbox[0].answers = ["vanish", "vanish", "vanish"]
    email_id = await business(database)
    await deliver()
    letter = await letter_of(database, email_id)
    assert (letter.state, letter.lost) == (S.UNKNOWN, 1)
    assert await settled(database) == 0, "an event may yet tell what became of it"
    await put_back(database, email_id, timedelta(minutes=16))
    assert await settled(database) == 1
    assert await settled(database) == 0, "somebody is asked already"
    await deliver()
    letter = await letter_of(database, email_id)
    assert (letter.state, letter.lost, letter.attempts) == (S.UNKNOWN, 2, 2)
    await put_back(database, email_id, timedelta(days=1))
    assert await settled(database) == 0
    assert len(inbox[0].letters) == 2
    first, second = inbox[0].letters
    message_id = f"Message-ID: <{email_id}@shop.example>".encode()
    assert message_id in first
    assert message_id in second


async def test_a_lost_answer_never_sends_a_sign_in_letter_again(
    database: Database, deliver: Deliver, inbox: Mailbox, keys: Keys
) -> None:
    inbox[0].answers = ["vanish"]
    email_id = await sign_in(database, keys)
    await deliver()
    letter = await letter_of(database, email_id)
    assert (letter.state, letter.sealed_facts) == (S.UNKNOWN, None)
    await put_back(database, email_id, timedelta(minutes=16))
    assert await settled(database) == 0
    async with database.transaction() as session:
        assert (await next_step(session, letter.id, now())).state is S.UNKNOWN
    assert len(inbox[0].letters) == 1


@pytest.mark.parametrize("is_sign_in", [True, False])
async def test_a_sender_that_died_between_asking_and_hearing_leaves_unknown(
    database: Database, deliver: Deliver, inbox: Mailbox, keys: Keys, is_sign_in: bool
) -> None:
    email_id = await sign_in(database, keys) if is_sign_in else await business(database)
    assert email_id is not None
    async with database.transaction() as session:
        assert await begin_sending(session, email_id, subject="…", sealed_mime=b"", way="smtp", at=now())
    with pytest.raises(Snooze):  # perhaps it is only slow
        await deliver()
    await hand_back(database)
    await put_back(database, email_id, timedelta(minutes=3))
    assert await deliver() == {"state": "unknown"}
    assert inbox[0].letters == []
    await put_back(database, email_id, timedelta(minutes=16))
    assert await settled(database) == (0 if is_sign_in else 1)


async def test_a_letter_whose_sender_died_with_its_job_is_looked_at_again(
    database: Database, deliver: Deliver, inbox: Mailbox
) -> None:
    email_id = await business(database)
    assert email_id is not None
    async with database.transaction() as session:
        assert await begin_sending(session, email_id, subject="…", sealed_mime=b"", way="smtp", at=now())
        await session.execute(update(JobRow).values(state=JobState.DEAD, finished_at=now()))
    await put_back(database, email_id, timedelta(minutes=5))
    assert await settled(database) == 1
    assert await deliver() == {"state": "unknown"}
    await put_back(database, email_id, timedelta(minutes=16))
    assert await settled(database) == 1
    await deliver()
    assert len(inbox[0].letters) == 1
    assert (await letter_of(database, email_id)).state is S.SENT


async def test_a_code_that_ran_out_is_not_sent(
    database: Database, deliver: Deliver, inbox: Mailbox, keys: Keys
) -> None:
    email_id = await sign_in(database, keys, life=timedelta(seconds=-1))
    assert await deliver() == {"state": "obsolete"}
    letter = await letter_of(database, email_id)
    assert (letter.state, letter.sealed_facts) == (S.OBSOLETE, None)
    assert inbox[0].letters == []


async def test_what_is_no_longer_true_is_taken_back(
    database: Database, deliver: Deliver, inbox: Mailbox
) -> None:
    email_id = await business(database)
    async with database.transaction() as session:
        assert await drop_letters(session, "order/1", ["orders.refunded"]) == 1
        assert await drop_letters(session, "order/1", ["orders.refunded"]) == 0
    assert await deliver() == {"state": "obsolete"}
    assert (await letter_of(database, email_id)).state is S.OBSOLETE
    assert inbox[0].letters == []


async def test_only_one_sender_gets_the_claim(database: Database) -> None:
    email_id = await business(database)
    assert email_id is not None

    async def claim() -> bool:
        async with database.transaction() as session:
            return await begin_sending(session, email_id, subject="…", sealed_mime=b"", way="smtp", at=now())

    assert sorted(await asyncio.gather(*(claim() for _ in range(5)))) == [False] * 4 + [True]


async def hand_back(database: Database) -> None:
    """Let the running job wait again: what the worker does with one that failed, or that nobody holds."""
    async with database.transaction() as session:
        job = (await session.scalars(select(JobRow).order_by(JobRow.id).limit(1))).one()
        job.state, job.worker_id, job.finished_at = JobState.WAITING, None, None


async def come_to_the_last_attempt(database: Database) -> None:
    async with database.transaction() as session:
        await session.execute(update(JobRow).values(attempt=JobRow.max_attempts - 1))


async def test_test_mode_stands_in_the_subject_of_what_was_sent(
    database: Database, deliver: Deliver, inbox: Mailbox, world: World
) -> None:
    async with database.transaction() as session:
        await write_letter(session, "orders.refunded", "ada@example.com", REFUNDED, key="1", is_test=True)
    await deliver()
    assert b"Subject: [test] " in inbox[0].letters[0]

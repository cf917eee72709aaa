"""What is left of notices, letters that were asked for, and webhooks, once their time is over or their reader has gone."""

from datetime import timedelta

from sqlalchemy import func, select, update

from models.accounts.leaving import leave
from models.accounts.tables import Person
from models.base.clock import now
from models.base.db import Database
from models.jobs import enqueue
from models.jobs.tables import AttemptRow, JobRow, LogRow
from models.notices.actions import notify
from models.notices.jobs import Email, Notification
from models.notices.retention import NOTICES_KEPT, forget_old
from models.notices.tables import Delivery, Endpoint, Notice
from tests.notices.conftest import Exchange

ADA = "ada@example.com"
QUARTER = timedelta(days=90)


async def asked_and_died(database: Database) -> Person:
    """Ada, a letter and a notification to her that nobody could send, and another system that heard of the latter."""
    async with database.transaction() as session:
        ada = Person(email=ADA)
        endpoint = Endpoint(url="https://a.example", words="", events=[], sealed_secret=b"")
        session.add_all([ada, endpoint])
        await session.flush()
        await notify(session, ada.id, "Hello Ada")
        told = {"type": "notification.created", "data": {"to": ADA, "title": "Hello Ada"}}
        session.add(
            Delivery(endpoint_id=endpoint.id, event="notification.created", payload=told, state="failed")
        )
        await enqueue(session, Email(to=ADA, subject="Hello Ada", body="Your secret"))
        await enqueue(session, Notification(to=ADA, title="Hello Ada", body="Your secret"))
        words = f"550 <{ADA}> is not known"
        ended = {"state": "dead", "finished_at": now(), "error": words, "result": {"reason": words}}
        await session.execute(update(JobRow).values(ended))
        for job_id in await session.scalars(select(JobRow.id)):
            session.add(AttemptRow(job_id=job_id, attempt=1, outcome="dead", error=words, traceback=words))
    return ada


async def jobs(database: Database) -> list[JobRow]:
    async with database.transaction() as session:
        return list(await session.scalars(select(JobRow).order_by(JobRow.kind)))


async def attempts(database: Database) -> set[str | None]:
    """What is told of why the jobs' attempts failed."""
    async with database.transaction() as session:
        return {
            words
            for row in await session.execute(select(AttemptRow.error, AttemptRow.traceback))
            for words in row
        }


async def test_dead_jobs_lose_address_and_text_when_letters_lose_theirs(database: Database) -> None:
    await asked_and_died(database)
    for later, is_kept in ((QUARTER - timedelta(hours=1), True), (QUARTER + timedelta(hours=1), False)):
        async with database.transaction() as session:
            await forget_old(session, now() + later, QUARTER)
        for one in await jobs(database):
            assert (ADA in f"{one.args} {one.error} {one.result}") is is_kept
            assert ("secret" in str(one.args)) is is_kept
    email, notification = await jobs(database)
    assert Email.read(email.args).to == Notification.read(notification.args).to == "forgotten@deleted.invalid"
    assert email.error == "550 <forgotten@deleted.invalid> is not known"
    assert await attempts(database) == {email.error}


async def test_notices_and_deliveries_are_forgotten_in_their_time(database: Database) -> None:
    await asked_and_died(database)
    async with database.transaction() as session:
        await forget_old(session, now() + NOTICES_KEPT + timedelta(hours=1), QUARTER)
        for table in (Notice, Delivery):
            assert await session.scalar(select(func.count()).select_from(table)) == 0


async def test_whoever_leaves_is_in_no_job_and_no_delivery(database: Database) -> None:
    ada = await asked_and_died(database)
    async with database.transaction() as session:
        await enqueue(session, Email(to="bob@example.com", subject="Hello Bob", body="Another"))
        await leave(session, ada, now())
        assert await session.scalar(select(func.count()).select_from(Delivery)) == 0
    bobs, adas, notification = sorted(await jobs(database), key=lambda one: str(one.args["to"]))
    assert bobs.args["body"] == "Another"
    for one in (adas, notification):
        assert one.args["to"].endswith("@deleted.invalid")
        assert ADA not in f"{one.error} {one.result}"
        assert "secret" not in str(one.args)
    assert ADA not in str(await attempts(database))


async def test_what_a_webhook_answered_is_forgotten_with_whom_it_was_about(exchange: Exchange) -> None:
    await exchange.endpoint()
    exchange.receiver.answers = [("200 OK", f"Thank you for {ADA}"), ("200 OK", "Thank you for Bob")]
    async with exchange.world.database.transaction() as session:
        ada = Person(email=ADA)
        session.add_all([ada, Person(email="bob@example.com")])
    for address in (ADA, "bob@example.com"):
        async with exchange.world.database.transaction() as session:
            await enqueue(session, Notification(to=address, title="Hello"))
        await exchange.work()

    async def answers() -> list[str]:
        async with exchange.world.database.transaction() as session:
            lines = await session.scalars(select(LogRow.line).order_by(LogRow.id))
            return [one.rpartition(": ")[2] for one in lines]

    assert await answers() == [f"Thank you for {ADA}", "Thank you for Bob"]
    async with exchange.world.database.transaction() as session:
        await leave(session, ada, now())
    assert await answers() == ["Thank you for Bob"]


async def test_what_came_of_a_notification_names_nobody(exchange: Exchange) -> None:
    async with exchange.world.database.transaction() as session:
        job_id = await enqueue(session, Notification(to=exchange.admin.email, title="Hello"))
    await exchange.work()
    async with exchange.world.database.transaction() as session:
        row = await session.get_one(JobRow, job_id)
        assert row.result == {"notice": str(await session.scalar(select(Notice.id)))}

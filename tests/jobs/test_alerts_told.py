"""How an alert reaches people and systems."""

from sqlalchemy import select, text

from models.accounts.states import Role
from models.accounts.tables import Person
from models.base.db import new_id
from models.jobs import enqueue
from models.jobs.alerts import subject_of
from models.jobs.board_tables import AlertRow
from models.jobs.jobs import TellOfAlert
from models.jobs.queues import pause
from models.jobs.states import AlertKind
from models.jobs.tables import WorkerRow
from models.mail.states import LetterState
from models.mail.tables import EmailMessage
from tasks.alarm import tell
from tasks.world import World
from tests.notices.conftest import Exchange, exchange, receiver

__all__ = ["exchange", "receiver"]


async def test_an_alert_is_told_by_letter_and_by_signed_webhook(exchange: Exchange):
    _, secret = await exchange.endpoint("alert.raised")
    words = "More than 100 jobs wait in the queue orders."
    alert = AlertRow(id=new_id(), kind=AlertKind.BACKLOG, subject="orders", words=words)
    async with exchange.world.database.transaction() as session:
        session.add(alert)
        await enqueue(session, TellOfAlert(alert_id=alert.id, is_over=False))
    await exchange.work()
    told = exchange.receiver.verified(0, secret)
    assert told["type"] == "alert.raised"
    assert told["data"] == {"id": str(alert.id), "kind": "backlog", "subject": "orders", "words": words}
    async with exchange.world.database.transaction() as session:
        letter = (await session.scalars(select(EmailMessage))).one()
    assert (letter.kind, letter.facts["words"]) == ("jobs.alert", words)


async def test_people_hear_of_it_although_no_worker_lives_or_the_queues_are_paused(world: World):
    """That is what it may be about; whoever watches over the workers tells them itself, and once."""
    async with world.database.transaction() as session:
        session.add(Person(email="ada@example.com", role=Role.ADMIN))
        session.add(WorkerRow(id=new_id(), host="ada", pid=7, queues={"default": 1, "mail": 1}))
        for number in range(2):
            words = f"Trouble {number}"
            alert = AlertRow(id=new_id(), kind=AlertKind.DEAD_WORKER, subject=words, words=words)
            session.add(alert)
            await enqueue(
                session, TellOfAlert(alert_id=alert.id, is_over=False), subject=subject_of(alert.id)
            )

    async def told() -> list[tuple[str, LetterState]]:
        async with world.database.transaction() as session:
            return [(one.to_address, one.state) for one in await session.scalars(select(EmailMessage))]

    assert (await tell(world), await told()) == (0, [])  # there is a worker for it
    async with world.database.transaction() as session:
        await pause(session, "default")
    assert (await tell(world), {state for _, state in await told()}) == (2, {LetterState.QUEUED})
    async with world.database.transaction() as session:
        await session.execute(text("update job_workers set beat_at = now() - interval '1 hour'"))
    assert await tell(world) == 2
    assert await told() == [("ada@example.com", LetterState.SENT)] * 2
    assert await tell(world) == 0
    async with world.database.transaction() as session:
        assert [one.host for one in await session.scalars(select(WorkerRow))] == ["ada"]

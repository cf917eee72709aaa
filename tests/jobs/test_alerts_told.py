"""How an alert reaches people and systems."""

import asyncio

from sqlalchemy import select, text

from models.accounts.states import Role
from models.accounts.tables import Person
from models.base.db import new_id
from models.jobs import enqueue
from models.jobs.alerts import subject_of
from models.jobs.board_tables import AlertRow
from models.jobs.jobs import TellOfAlert
from models.jobs.limits import set_defaults
from models.jobs.queues import pause
from models.jobs.states import AlertKind
from models.jobs.tables import WorkerRow
from models.mail.states import LetterState
from models.mail.tables import EmailMessage
from models.notices.actions import announce
from models.notices.states import DeliveryState
from models.notices.tables import Delivery
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
    assert letter.facts["board_url"] == f"{exchange.world.settings.app.public_url}/admin/queues/orders"


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


async def test_people_hear_of_it_although_the_only_worker_is_blocked_by_the_job_that_it_is_about(
    world: World,
):
    """It beats, and does nothing else."""
    ada = new_id()
    async with world.database.transaction() as session:
        session.add(Person(email="ada@example.com", role=Role.ADMIN))
        session.add(WorkerRow(id=ada, host="ada", pid=7, queues={"default": 1, "mail": 1}))
        job_id = await enqueue(session, TellOfAlert(alert_id=new_id(), is_over=False))
        await session.execute(text("update jobs set state = 'active', worker_id = :ada"), {"ada": ada})
        alert = AlertRow(id=new_id(), kind=AlertKind.SLOW, subject=f"jobs/{job_id}", words="It blocks.")
        session.add(alert)
        await enqueue(session, TellOfAlert(alert_id=alert.id, is_over=False), subject=subject_of(alert.id))
    assert await tell(world) == 2
    async with world.database.transaction() as session:
        assert [one.facts["words"] for one in await session.scalars(select(EmailMessage))] == ["It blocks."]


async def test_systems_hear_of_it_as_well_without_workers_and_of_nothing_else(exchange: Exchange):
    """Five alerts, and two dispatchers who look at once: each is told once, at most two at a time as for every host."""
    world = exchange.world
    _, secret = await exchange.endpoint()
    alerts = [
        AlertRow(id=new_id(), kind=AlertKind.DEAD_WORKER, subject=f"ada {number}", words="Trouble")
        for number in range(5)
    ]
    async with world.database.transaction() as session:
        await set_defaults(session)
        session.add_all(alerts)
        for alert in alerts:
            await enqueue(
                session, TellOfAlert(alert_id=alert.id, is_over=False), subject=subject_of(alert.id)
            )
        await announce(session, "order.paid", {"id": "7"})
    exchange.receiver.answers = [("429 Too Many Requests", "")]
    await asyncio.gather(tell(world), tell(world))
    # Who asks to be left alone is left alone, and it costs no attempt.
    assert len(exchange.receiver.requests) < len(alerts)
    async with world.database.transaction() as session:
        await session.execute(text("update job_gates set closed_until = now() - interval '11 minutes'"))
        await session.execute(text("update jobs set state = 'waiting' where state = 'scheduled'"))
    while await tell(world):
        pass
    told = [exchange.receiver.verified(number, secret) for number in range(len(exchange.receiver.requests))]
    assert {one["type"] for one in told} == {"alert.raised"}
    assert {one["data"]["id"] for one in told} == {str(one.id) for one in alerts}
    async with world.database.transaction() as session:
        states = {(one.event, one.state) for one in await session.scalars(select(Delivery))}
        tries = [one.attempts for one in await session.scalars(select(Delivery)) if one.event != "order.paid"]
        running = await session.scalar(text("select count(*) from jobs where state = 'active'"))
    assert states == {("alert.raised", DeliveryState.DELIVERED), ("order.paid", DeliveryState.WAITING)}
    assert (sum(tries), running) == (len(told), 0)

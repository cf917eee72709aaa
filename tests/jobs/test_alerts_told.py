"""How an alert reaches people and systems."""

from sqlalchemy import select

from models.base.db import new_id
from models.jobs import enqueue
from models.jobs.board_tables import AlertRow
from models.jobs.jobs import TellOfAlert
from models.jobs.states import AlertKind
from models.mail.tables import EmailMessage
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

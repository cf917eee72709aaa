"""Who may have something sent to whom, and what is written down of it."""

from sqlalchemy import select

from models.accounts.states import Role
from models.accounts.tables import AuditEntry, Person
from models.base.db import Database
from models.notices.asking import allowed_email, allowed_notification
from models.notices.jobs import Email, Notification


async def test_what_an_editor_has_sent_to_others_is_written_down_without_their_addresses(
    database: Database,
) -> None:
    async with database.transaction() as session:
        ada, ed = Person(email="ada@example.com"), Person(email="ed@example.com", role=Role.EDITOR)
        session.add_all([ada, ed])
        await session.flush()
        for address in (ed.email, ada.email, "nobody@example.com"):
            await allowed_email(session, ed, Email(to=address, subject="Hi", body="."))
        for address in ("", ada.email):
            await allowed_notification(session, ed, Notification(to=address, title="Hi"))
    async with database.transaction() as session:
        written = (await session.scalars(select(AuditEntry).order_by(AuditEntry.id))).all()
    assert [(one.actor_id, one.action, one.subject, one.detail) for one in written] == [
        (ed.id, "letter.asked", f"person/{ada.id}", {}),
        (ed.id, "letter.asked", "person/unknown", {}),
        (ed.id, "notification.asked", f"person/{ada.id}", {}),
    ]

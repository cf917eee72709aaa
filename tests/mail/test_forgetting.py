"""Somebody leaves: no letter names them any more, whomever it was written to."""

from uuid import UUID

from sqlalchemy import select, text, update

from models.base.clock import now
from models.base.db import Database
from models.jobs.tables import AttemptRow, JobRow, SnoozeRow
from models.mail.actions import write_letter
from models.mail.forgetting import forget_address
from models.mail.states import LetterState as S
from models.mail.tables import EmailMessage
from tests.mail.conftest import Deliver, letter_of
from tests.mail.test_sending import REFUNDED, Mailbox

ADA, NADA, EDITOR = "ada@example.com", "nada@example.com", "editor@example.com"
NOBODY = "left-1@deleted.invalid"


async def order_of(database: Database, customer: str) -> UUID | None:
    """A letter to a customer, and one to the editor that names them, about the same order."""
    about = f"order/of-{customer.partition('@')[0]}"
    told = {"admin_url": "https://shop.example/admin", "order_number": "G-1", "count": 1}
    told |= {"customer_email": customer}
    async with database.transaction() as session:
        key = f"message:{about}:{EDITOR}"
        await write_letter(session, "orders.admin_message", EDITOR, told, key=key, about=about)
        key = f"refunded:{about}"
        return await write_letter(session, "orders.refunded", customer, REFUNDED, key=key, about=about)


async def naming(database: Database, address: str) -> list[tuple[str, str | None]]:
    """Each letter that holds this address anywhere: to whom it is, and which customer it names."""
    columns = EmailMessage.to_address, EmailMessage.facts["customer_email"].as_string()
    held = text("strpos(email_messages::text, :address) > 0").bindparams(address=address)
    async with database.transaction() as session:
        rows = await session.execute(select(*columns).where(held).order_by(EmailMessage.id))
        return [(to, customer) for to, customer in rows]


async def test_a_customer_who_leaves_is_in_no_letter_to_an_editor_and_it_is_sent_all_the_same(
    database: Database, deliver: Deliver, inbox: Mailbox
) -> None:
    await order_of(database, ADA)
    await order_of(database, NADA)
    async with database.transaction() as session:
        await forget_address(session, ADA, NOBODY)
    assert await naming(database, ADA) == [(EDITOR, NADA), (NADA, None)], (
        "somebody else's, who is called alike"
    )
    for _ in range(4):
        await deliver()
    assert [NOBODY.encode() in one for one in inbox[0].letters] == [True, False, False]


async def test_an_editor_who_leaves_is_in_no_key_and_takes_no_letter_of_a_customer_along(
    database: Database,
) -> None:
    customers = await order_of(database, ADA)
    async with database.transaction() as session:
        await forget_address(session, EDITOR, NOBODY)
    assert await naming(database, EDITOR) == []
    kept = await letter_of(database, customers)
    assert (kept.state, kept.facts) == (S.QUEUED, REFUNDED)


async def test_what_the_mail_server_said_of_whoever_leaves_is_told_without_them(database: Database) -> None:
    await order_of(database, ADA)
    async with database.transaction() as session:
        words = f"450 <{ADA}>: try later"
        await session.execute(update(JobRow).values(error=words, result={"reason": words}))
        for job_id in await session.scalars(select(JobRow.id)):
            session.add(AttemptRow(job_id=job_id, attempt=1, outcome="failed", error=words))
            times = {"first_at": now(), "at": now(), "until": now()}
            session.add(SnoozeRow(job_id=job_id, attempt=1, why=words, **times))
        await session.flush()
        await forget_address(session, ADA, NOBODY)
        told = [
            *await session.scalars(select(JobRow.error)),
            *await session.scalars(select(AttemptRow.error)),
            *await session.scalars(select(SnoozeRow.why)),
            *[one["reason"] for one in await session.scalars(select(JobRow.result)) if one],
        ]
    # There is one for her letter, and one for the editor's, whose server has nothing to say of her.
    assert sorted(map(str, told)) == sorted([*[words, f"450 <{NOBODY}>: try later"] * 3, words])

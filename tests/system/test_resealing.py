"""After a change of SECRET_KEY everything that was sealed before is opened by the new one alone."""

from datetime import timedelta

from sqlalchemy import LargeBinary, select

from models.base.clock import now
from models.base.crypto import Keys
from models.base.db import Database, new_id
from models.everything import metadata
from models.jobs.tables import JobRow
from models.mail.tables import EmailMessage
from models.notices.tables import Endpoint
from models.resealing import SEALED, Outcome, reseal

OLD, NEW, LOST = ("the first secret of a shop", "the second secret of a shop", "one that nobody has kept")


def a_letter(key: str, sealed: bytes) -> EmailMessage:
    return EmailMessage(
        id=new_id(), kind="a.letter", key=key, to_address="ada@example.com", facts={}, sealed_mime=sealed
    )


async def fill(database: Database) -> None:
    """One row of each table that has sealed columns, each column filled under the old secret with its own name."""
    old, at = Keys(OLD), now()
    endpoint = Endpoint(
        id=new_id(),
        url="https://erp.example.com/hook",
        words="",
        events=[],
        sealed_secret=old.seal(b"sealed_secret"),
        sealed_old_secret=old.seal(b"sealed_old_secret"),
        old_secret_until=at + timedelta(hours=1),
    )
    job = JobRow(
        id=new_id(), kind="a.job", queue="default", args={}, priority=0, rank_at=at, run_at=at, max_attempts=1
    )
    job.secret = old.seal(b"secret")
    letter = a_letter("first", old.seal(b"sealed_mime"))
    letter.sealed_facts = old.seal(b"sealed_facts")
    async with database.transaction() as session:
        session.add_all([endpoint, job, letter])


async def test_the_new_secret_alone_opens_what_was_sealed_before_it(database: Database):
    await fill(database)
    both, new = Keys(NEW, OLD), Keys(NEW)

    for column in SEALED:
        assert await reseal(database, both, column) == Outcome(resealed=1)
        assert await reseal(database, both, column) == Outcome(), "a second time there is nothing to do"
        async with database.transaction() as session:
            (sealed,) = (await session.scalars(select(column).where(column.is_not(None)))).all()
        assert new.unseal(sealed) == column.key.encode()


async def test_what_nobody_can_open_is_counted_and_left_and_the_rest_goes_on(database: Database):
    lost = Keys(LOST).seal(b"x")
    async with database.transaction() as session:
        session.add_all([a_letter("lost", lost), a_letter("late", Keys(OLD).seal(b"mime"))])

    outcome = await reseal(database, Keys(NEW, OLD), EmailMessage.sealed_mime)

    assert outcome == Outcome(resealed=1, lost=1)
    async with database.transaction() as session:
        kept = select(EmailMessage.sealed_mime).where(EmailMessage.key == "lost")
        assert await session.scalar(kept) == lost


def test_no_sealed_column_is_forgotten():
    named = {
        f"{table.name}.{column.name}"
        for table in metadata.tables.values()
        for column in table.columns
        if isinstance(column.type, LargeBinary) and ("seal" in column.name or "secret" in column.name)
    }

    assert {f"{one.class_.__tablename__}.{one.key}" for one in SEALED} == named

"""The drill on a small database. A comparison that could not fail would prove nothing, so it is made to."""

import asyncio
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import update

from infra.drill.__main__ import drill, workplace
from infra.drill.contents import contents
from infra.drill.servers import Source
from infra.local.folder import CannotStart, DataFolder
from infra.local.postgres import Postgres
from models.accounts.audit import audit
from models.base.clock import now
from models.base.db import Database
from models.migrations import migrate
from models.orders.states import OrderStatus
from models.orders.tables import Order, Version
from models.payments.invoices import issue_invoice
from tests.orders.builders import make_article, make_draft, make_paid, make_people

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
async def running() -> AsyncIterator[Path]:
    """The data folder of a server as `make up` runs it, with an empty product."""
    folder = Path(tempfile.mkdtemp(prefix="galley-drill-"))
    postgres = Postgres(DataFolder(folder))
    postgres.prepare()
    # It is not killed here, so nothing hangs on when its disk is written.
    process = postgres.start("-c", "fsync=off")
    try:
        async with asyncio.timeout(60):
            while not await postgres.is_ready():
                await asyncio.sleep(0.02)
        await postgres.make_database()
        await asyncio.to_thread(migrate, postgres.url)
        yield folder
    finally:
        process.send_signal(signal.SIGQUIT)
        process.wait()
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
async def sold(running: Path) -> AsyncIterator[Database]:
    """The product with a delivered order, its invoice and a line in the audit log."""
    database = Database(Source(running).url, pool_size=1)
    async with database.transaction() as session:
        people, article = await make_people(session), await make_article(session)
        draft = await make_draft(session, article, people.owner)
        checkout = await make_paid(session, draft)
        await issue_invoice(session, checkout)
        session.add(
            Order(
                draft_id=draft.id,
                checkout_id=checkout.id,
                person_id=people.owner.id,
                article_id=article.id,
                target_url=draft.target_url,
                anchor_text=draft.anchor_text,
                notes="",
                amount_cents=checkout.amount_cents,
                currency=checkout.currency,
                is_test=True,
                status=OrderStatus.COMPLETED,
                published_version_id=article.published_version_id,
                promised_at=now(),
                completed_at=now(),
            )
        )
        await audit(session, people.editor, "order.approved", "order/1")
    yield database
    await database.close()


async def test_what_is_restored_is_what_there_was(sold: Database, running: Path) -> None:
    source = Source(running)
    with workplace(source) as folder:
        assert await drill(source, folder) == []

    async with sold.transaction() as session:
        there = await contents(session)
    assert (len(there.texts), len(there.papers)) == (1, 1)
    assert there.audit_log[0] == 3, "one deed, and two lines of the drill"


async def test_a_changed_letter_of_a_published_text_is_a_difference(sold: Database) -> None:
    async with sold.transaction() as session:
        before = await contents(session)
        await session.execute(update(Version).values(markdown=Version.markdown + "."))
        after = await contents(session)

    told = before.differences(after)
    assert [one.split(":")[0].split()[0:2] for one in told] == [["table", "orders_versions"], ["text", "of"]]


def test_without_a_running_product_the_drill_says_how_to_start_it(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="make up"):
        Source(tmp_path)

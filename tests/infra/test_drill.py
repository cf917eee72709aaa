"""The drill on a small database. A comparison that could not fail would prove nothing, so it is made to."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import update

from infra.drill.__main__ import drill, workplace
from infra.drill.contents import contents
from infra.drill.servers import Source
from infra.local.folder import CannotStart
from infra.local.postgres import DATABASE
from models.accounts.audit import audit
from models.base.clock import now
from models.base.db import Database
from models.orders.states import OrderStatus
from models.orders.tables import Order, Version
from models.payments.invoices import issue_invoice
from tests.orders.builders import make_article, make_draft, make_paid, make_people
from tests.reliability.servers import TEMPLATE, Servers, servers

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
async def running() -> AsyncIterator[Servers]:
    """A server as `make up` runs it, with an empty product."""
    async with servers() as both:
        await both.run(f'create database "{DATABASE}" template "{TEMPLATE}"')
        yield both


@pytest.fixture(scope="module")
async def sold(running: Servers) -> AsyncIterator[Database]:
    """The product with a delivered order, its invoice and a line in the audit log."""
    database = Database(running.url_of(DATABASE), pool_size=1)
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


async def test_what_is_restored_is_what_there_was(sold: Database, running: Servers) -> None:
    source = Source(running.folder)
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

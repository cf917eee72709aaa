"""The editors' desk: the real application without a socket, people who are signed in, and orders to decide about."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import text, update

from infra.local.visitor import Browser
from models.accounts import sessions
from models.accounts.states import Role
from models.accounts.tables import Person
from models.base.clock import now
from models.base.db import Database, new_id
from models.orders.catalogue.content import add_version
from models.orders.reviewing import submit
from models.orders.states import OrderStatus
from models.orders.tables import Draft, Order, Version
from models.orders.writing.making import create_order, hand_in, take_up
from tasks.testing import run_everything
from tasks.world import World
from tests.orders.builders import Shop, draught_of, make_draft, make_paid, make_shop, the_order
from tests.web.site import Site, lasting_site


@dataclass(frozen=True)
class Desk:
    """A shop with one paid order, and the site on which editors decide about it."""

    world: World
    site: Site
    shop: Shop
    admin: Person

    @property
    def database(self) -> Database:
        return self.world.database

    async def browser(self, person: Person, *, signed_in: timedelta = timedelta(0)) -> Browser:
        """A browser in which this person signed in so long ago."""
        browser = self.site.browser()
        async with self.database.transaction() as session:
            row, token = await sessions.start(session, person, method="code", user_agent="", ip="", at=now())
            row.authenticated_at = now() - signed_in
        browser.client.cookies.set(self.site.app.state.jar.name("galley_session"), token)
        return browser

    async def order(self) -> Order:
        """The shop's order, as it is now."""
        return await the_order(self.database, self.shop.draft.id)

    async def written(self) -> Order:
        """The order, once its first version is ready."""
        await run_everything(self.world)
        return await self.order()

    async def held(self) -> Order:
        """The order, once the writer was not sure of its place: an editor looks before its customer does."""
        async with self.database.transaction() as session:
            order = await create_order(
                session, self.world.settings, self.shop.draft.id, self.shop.checkout.id
            )
            assert order is not None
            brief = await take_up(session, order.id, 1)
            draught = draught_of(brief, needs_editor=True)
            assert draught is not None
            await hand_in(session, self.world.settings, brief, draught)
        return await self.order()

    async def submitted(self) -> Order:
        """The order, once its customer has handed in the first version."""
        order = await self.written()
        assert order.version_id is not None
        async with self.database.transaction() as session:
            await submit(session, self.world.settings, order.id, order.version_id, self.shop.people.owner)
        return await self.order()

    async def move_article(self) -> Version:
        """Publish another text of the article, as another customer's link would."""
        async with self.database.transaction() as session:
            base = await session.get_one(Version, self.shop.article.published_version_id)
            version = await add_version(
                session,
                self.shop.article.id,
                markdown=base.markdown + "\nA last word about kettles.\n",
                base_version_id=base.id,
                origin="edit",
                is_qc_passed=True,
            )
            await session.execute(
                text("update orders_articles set published_version_id = :v where id = :a"),
                {"v": version.id, "a": self.shop.article.id},
            )
        return version

    async def fill_queue(self, count: int) -> list[UUID]:
        """That many orders that wait for an editor, the oldest first, an hour apart but for twins at each fifth."""
        ids = []
        async with self.database.transaction() as session:
            article, owner = self.shop.article, self.shop.people.owner
            for number in range(count):
                draft = Draft(
                    browser_hash=b"b",
                    person_id=owner.id,
                    article_id=article.id,
                    email=owner.email,
                    target_url=f"https://shop{number}.example.org/",
                    anchor_text=f"anchor {number}",
                )
                session.add(draft)
                await session.flush()
                checkout = await make_paid(session, draft)
                order_id = new_id()
                order = Order(
                    id=order_id,
                    draft_id=draft.id,
                    checkout_id=checkout.id,
                    person_id=owner.id,
                    article_id=article.id,
                    target_url=draft.target_url,
                    anchor_text=draft.anchor_text,
                    notes="",
                    amount_cents=4900,
                    currency="usd",
                    is_test=True,
                    promised_at=now(),
                )
                session.add(order)
                await session.flush()
                version = Version(
                    article_id=article.id,
                    number=100 + number,
                    markdown="x",
                    base_version_id=article.published_version_id,
                    origin="integration",
                    order_id=order_id,
                    generation=1,
                    edit={"writer": "basic", "score": 0.25},
                    is_qc_passed=True,
                    needs_editor=number % 3 == 0,
                )
                session.add(version)
                await session.flush()
                waits = timedelta(hours=count - number + (1 if number % 5 == 1 else 0))
                await session.execute(
                    update(Order)
                    .where(Order.id == order_id)
                    .values(
                        status=OrderStatus.ADMIN_REVIEW,
                        submitted_version_id=version.id,
                        version_id=version.id,
                        submitted_at=now() - waits,
                    )
                )
                ids.append(order_id)
            await session.execute(text("delete from jobs"))
        return ids

    async def another_order(self, target: str = "https://other.example.net/page") -> Order:
        """A second paid order of the same customer for the same article, written by a worker."""
        async with self.database.transaction() as session:
            draft = await make_draft(session, self.shop.article, self.shop.people.owner, target, "filter jug")
            await make_paid(session, draft)
        await run_everything(self.world)
        return await the_order(self.database, draft.id)


@asynccontextmanager
async def open_desk(world: World) -> AsyncIterator[Desk]:
    """The desk, with an admin beside the shop's own people."""
    shop = await make_shop(world.database)
    async with world.database.transaction() as session:
        admin = Person(email="admin@example.com", role=Role.ADMIN)
        session.add(admin)
        await session.flush()
    yield Desk(world, await lasting_site(world.settings, world.database, world.redis), shop, admin)

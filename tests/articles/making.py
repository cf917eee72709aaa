"""Rows that a story about a whole article begins with."""

from dataclasses import dataclass

from sqlalchemy import select

from models.base.crypto import fingerprint
from models.base.db import Database
from models.orders.states import Product
from models.orders.tables import Draft, Site
from models.payments.tables import Checkout
from tests.orders.builders import People, make_article, make_paid, make_people

TOPIC = "How to descale a kettle at home"
KEYWORD = "descale a kettle"


@dataclass(frozen=True)
class ArticleShop:
    """A site that sells articles, with one paid order whose job has not run yet."""

    people: People
    site: Site
    draft: Draft
    checkout: Checkout


async def make_article_shop(database: Database, topic: str = TOPIC, keyword: str = KEYWORD) -> ArticleShop:
    async with database.transaction() as session:
        people = await make_people(session)
        await make_article(session)
        other = await make_article(session, "kettles")
        other.title, other.keyword, other.topic = "Kettles on a slow Sunday", "slow Sunday", "kettles"
        site = (await session.scalars(select(Site))).one()
        site.article_price_cents = 24900
        draft = Draft(
            product=Product.ARTICLE,
            browser_hash=fingerprint("browser"),
            person_id=people.owner.id,
            site_id=site.id,
            topic=topic,
            keyword=keyword,
            notes="For people who hate vinegar.",
            email=people.owner.email,
            target_url="",
            anchor_text="",
            checked_url="",
        )
        session.add(draft)
        await session.flush()
        checkout = await make_paid(session, draft)
    return ArticleShop(people, site, draft, checkout)

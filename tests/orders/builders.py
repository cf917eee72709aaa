"""Plain functions that make the rows that a story begins with, and the people in it."""

from dataclasses import asdict, dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.states import Role
from models.accounts.tables import Person
from models.base.clock import now
from models.base.crypto import fingerprint
from models.base.db import Database, new_id
from models.jobs import enqueue
from models.jobs.message import unpack
from models.orders.catalogue.content import add_version
from models.orders.jobs import CreateOrder, FollowPayment
from models.orders.states import ArticleStatus, OrderStatus
from models.orders.tables import Article, Draft, Generation, Order, Site, Transition, Version
from models.orders.writing.briefs import Brief, Draught
from models.payments.states import CheckoutState, PaymentState
from models.payments.tables import Checkout, Refund
from tasks.writing import basic

TARGET = "https://roastery.example.org/guides/burr-grinders"
ANCHOR = "burr grinders"

MARKDOWN = """\
Coffee is mostly water, and the rest is patience. Most people who brew at home begin with the beans.

## Grinding

A grinder decides more about the cup than the kettle does. Even particles give their flavour at the same time, so the
cup tastes of one thing. Blade grinders make dust and boulders in one go, and no recipe can mend that.

Set the grinder before you set anything else. Change one thing at a time and write down what you did.

## Water

Soft water makes coffee taste thin, and hard water makes it taste of chalk. A filter jug is enough for most taps.

Heat matters less than people think. Water just off the boil works for nearly every filter method.
"""


@dataclass(frozen=True)
class People:
    """Three people: one who owns the orders, one who edits, one who has nothing to do with them."""

    owner: Person
    editor: Person
    stranger: Person


async def make_people(session: AsyncSession) -> People:
    owner, editor, stranger = (
        Person(email=f"{name}@example.com", role=role)
        for name, role in (("owner", Role.CUSTOMER), ("editor", Role.EDITOR), ("stranger", Role.CUSTOMER))
    )
    session.add_all([owner, editor, stranger])
    await session.flush()
    return People(owner, editor, stranger)


async def make_article(session: AsyncSession, slug: str = "grinding", markdown: str = MARKDOWN) -> Article:
    site = (await session.scalars(select(Site))).one_or_none() or Site(
        slug="second-pour",
        name="The Second Pour",
        domain="secondpour.example",
        niche="Coffee",
        language="en",
        tagline="Better coffee at home.",
        about="A magazine.",
        disclosure="Some links were paid for.",
        rel="sponsored",
        price_cents=9900,
        currency="usd",
    )
    session.add(site)
    await session.flush()
    article = Article(
        site_id=site.id,
        slug=slug,
        title="What a grinder does",
        topic="coffee grinding",
        keyword="grinder",
        author="Ada Brook",
        summary="Why the grinder matters.",
        status=ArticleStatus.PUBLISHED,
        price_cents=4900,
        currency="usd",
        published_at=now(),
    )
    session.add(article)
    await session.flush()
    version = await add_version(session, article.id, markdown=markdown, origin="import", is_qc_passed=True)
    article.published_version_id = version.id
    await session.flush()
    return article


async def make_draft(
    session: AsyncSession, article: Article, person: Person, target: str = TARGET, anchor: str = ANCHOR
) -> Draft:
    draft = Draft(
        browser_hash=fingerprint("browser"),
        person_id=person.id,
        article_id=article.id,
        email=person.email,
        target_url=target,
        anchor_text=anchor,
        checked_url=target,
    )
    session.add(draft)
    await session.flush()
    return draft


async def make_paid(session: AsyncSession, draft: Draft, attempt: int = 1) -> Checkout:
    """A paid checkout of the draft, with the job asked for that payments asks for in that moment."""
    checkout_id = new_id()
    checkout = Checkout(
        id=checkout_id,
        subject=f"draft/{draft.id}",
        attempt=attempt,
        person_id=draft.person_id,
        email=draft.email,
        description="A placement",
        amount_cents=4900,
        currency="usd",
        state=CheckoutState.PAID,
        payment_state=PaymentState.PAID,
        captured_cents=4900,
        when_paid=CreateOrder(draft_id=draft.id, checkout_id=checkout_id).packed(),
        when_moved=FollowPayment(checkout_id=checkout_id).packed(),
        return_path="/",
        cancel_path="/",
        session_id=f"cs_test_{checkout_id.hex}",
        payment_intent_id=f"pi_{checkout_id.hex}",
        charge_id=f"ch_{checkout_id.hex}",
        is_live=False,
        expires_at=now() + timedelta(minutes=35),
        paid_at=now(),
    )
    session.add(checkout)
    await session.flush()
    await enqueue(session, unpack(checkout.when_paid))
    return checkout


def draught_of(brief: Brief, *, needs_editor: bool = False) -> Draught | None:
    """What the basic writer would hand in, if it finds a place."""
    proposal = basic.propose(
        brief.markdown,
        url=brief.target_url,
        anchor=brief.anchor_text,
        topic=brief.topic,
        number=len(brief.earlier),
        reasons=(),
        previous=(),
        language=brief.language,
    )
    if proposal is None:
        return None
    edit = asdict(proposal.edit) | {"writer": "basic", "method": proposal.method, "score": proposal.score}
    return Draught(proposal.markdown, edit, {"passed": True, "checks": []}, 1, needs_editor)


@dataclass(frozen=True)
class Shop:
    """A shop with one article and one paid order whose job has not run yet."""

    people: People
    article: Article
    draft: Draft
    checkout: Checkout


async def make_shop(database: Database) -> Shop:
    async with database.transaction() as session:
        people = await make_people(session)
        article = await make_article(session)
        draft = await make_draft(session, article, people.owner)
        checkout = await make_paid(session, draft)
    return Shop(people, article, draft, checkout)


async def the_order(database: Database, draft_id: UUID) -> Order:
    async with database.transaction() as session:
        return (await session.scalars(select(Order).where(Order.draft_id == draft_id))).one()


async def versions_of(database: Database, order_id: UUID) -> list[Version]:
    async with database.transaction() as session:
        return list(
            (
                await session.scalars(
                    select(Version).where(Version.order_id == order_id).order_by(Version.number)
                )
            ).all()
        )


async def generations_of(database: Database, order_id: UUID) -> list[Generation]:
    async with database.transaction() as session:
        rows = await session.scalars(
            select(Generation).where(Generation.order_id == order_id).order_by(Generation.number)
        )
        return list(rows.all())


async def refunds_of(database: Database) -> list[Refund]:
    async with database.transaction() as session:
        return list((await session.scalars(select(Refund).order_by(Refund.created_at))).all())


async def history_of(
    database: Database, order_id: UUID
) -> list[tuple[OrderStatus | None, OrderStatus, str, str]]:
    async with database.transaction() as session:
        rows = await session.scalars(
            select(Transition).where(Transition.order_id == order_id).order_by(Transition.id)
        )
        return [(row.from_status, row.to_status, row.action, row.actor) for row in rows]


async def letters_of(database: Database) -> list[tuple[str, str]]:
    async with database.transaction() as session:
        rows = await session.execute(text("select kind, to_address from email_messages order by id"))
        return [(row.kind.removeprefix("orders."), row.to_address) for row in rows]


async def published_text(database: Database, article_id: UUID) -> str:
    async with database.transaction() as session:
        query = (
            select(Version.markdown)
            .join(Article, Article.published_version_id == Version.id)
            .where(Article.id == article_id)
        )
        return (await session.scalars(query)).one()

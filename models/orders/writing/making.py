"""From a payment to a text that its customer can look at: what the workers decide about an order."""

from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.clock import moment_words, now
from models.base.db import changed, new_id
from models.base.errors import Conflict, NotFound
from models.base.settings import Settings
from models.jobs import enqueue
from models.orders.failing import fail_order
from models.orders.jobs import FailGeneration, FollowPayment, IntegrateBacklink, WriteArticle
from models.orders.letters import (
    Facts,
    facts_of,
    invoice_url,
    review_url,
    tell_customer,
    tell_staff,
)
from models.orders.moves import HELD, STRIPE, SYSTEM, WRITER, held, move_order, write_history
from models.orders.states import ArticleStatus, FailReason, GenerationState, OrderStatus, Product
from models.orders.tables import Article, Draft, Generation, Order, Transition, Version
from models.orders.writing.briefs import Brief, Draught, add_draught, brief_of, placement
from models.orders.writing.new_articles import NewArticle, add_draft_article
from models.orders.writing.promises import promise
from models.payments.moves import hold
from models.payments.refunds import ask_refund
from models.payments.tables import Checkout

#: What a customer is told when every attempt has failed.
NOT_MADE: Final = {
    Product.BACKLINK: "We could not place the link in a way that we would stand for.",
    Product.ARTICLE: "We could not write an article on this topic that we would stand for.",
}
#: And when they have a version from before.
NO_OTHER: Final = "No further version could be made that we would stand for. Your earlier ones stand."


class Stale(Exception):
    """The generation is no longer wanted: another one runs, it was cancelled, or it has ended. Not a failure."""


async def create_order(
    session: AsyncSession, settings: Settings, draft_id: UUID, checkout_id: UUID
) -> Order | None:
    """Make the order of a draft that was paid for by this checkout, once.

    A second payment for the same draft is given back and None is returned. An article that is no longer
    published gives a failed order, which shows the customer what happened to the money.
    """
    draft = (await session.scalars(select(Draft).where(Draft.id == draft_id).with_for_update())).one()
    is_article = draft.product is Product.ARTICLE
    # Held, so that whatever becomes of the money is before the order, and seen here, or after it, and followed.
    checkout = await hold(session, checkout_id)
    person_id = draft.person_id or checkout.person_id
    if person_id is None:
        raise NotFound("The customer of this payment no longer exists.")
    existing = (await session.scalars(select(Order).where(Order.draft_id == draft_id))).one_or_none()
    if existing is not None:
        if existing.checkout_id != checkout_id:
            await _give_back_second(session, settings, existing, checkout)
        return None
    made = await session.execute(
        insert(Order)
        .values(
            id=new_id(),
            product=draft.product,
            draft_id=draft_id,
            checkout_id=checkout_id,
            person_id=person_id,
            article_id=await _article_of(session, draft),
            target_url=draft.target_url,
            anchor_text=draft.anchor_text,
            notes=draft.notes,
            amount_cents=checkout.amount_cents,
            currency=checkout.currency,
            is_test=not checkout.is_live,
            **promise(settings, now()),
        )
        .returning(Order)
    )
    order = made.scalar_one()
    draft.ordered_at = now()
    changed(session, f"draft/{draft_id}")
    changed(session, f"checkout/{checkout_id}")
    await write_history(session, order.id, None, OrderStatus.PROCESSING, "paid", STRIPE)
    if checkout.payment_state is not order.payment_state:
        await enqueue(session, FollowPayment(checkout_id=checkout_id), subject=checkout.subject)
    facts = await facts_of(session, order.id)
    if not is_article and facts.article.status is not ArticleStatus.PUBLISHED:
        await fail_order(
            session,
            settings,
            order,
            FailReason.ARTICLE_GONE,
            "The article was taken offline before work began.",
            SYSTEM,
        )
        return order
    await begin(session, order, "first")
    await tell_customer(
        session,
        settings,
        facts,
        "request_received",
        "1",
        amount_cents=order.amount_cents,
        currency=order.currency,
        promise_words=f"usually within {settings.orders.promise_minutes} minutes",
        review_days=settings.orders.review_days,
        invoice_url=invoice_url(settings, order),
    )
    return order


async def _article_of(session: AsyncSession, draft: Draft) -> UUID:
    """The article that the order is about: one that stands, or a new one that has no text yet."""
    if draft.article_id is not None:
        return draft.article_id
    assert draft.site_id is not None, "a draft names an article or a site"
    new = NewArticle(draft.site_id, draft.topic or "", draft.keyword or "")
    return (await add_draft_article(session, new)).id


async def _give_back_second(
    session: AsyncSession, settings: Settings, order: Order, checkout: Checkout
) -> None:
    refund = await ask_refund(session, checkout.id, "duplicate")
    if refund is not None:
        facts = await facts_of(session, order.id)
        amount = {"amount_cents": checkout.amount_cents, "currency": checkout.currency}
        await tell_customer(
            session, settings, facts, "payment_duplicate_refunded", str(checkout.id), **amount
        )


async def begin(session: AsyncSession, order: Order, cause: str, reason: str | None = None) -> Generation:
    """Ask the writer for the next generation of a held order. The index on active ones refuses a second."""
    order.generation = number = order.generation + 1
    generation = Generation(order_id=order.id, number=number, cause=cause, reason=reason)
    session.add(generation)
    await session.flush()
    message = WriteArticle if order.product is Product.ARTICLE else IntegrateBacklink
    generation.job_id = await enqueue(
        session,
        message(order_id=order.id, generation=number),
        unique=f"order/{order.id}/{number}",
        subject=f"order/{order.id}",
        when_dead=FailGeneration(order_id=order.id, generation=number),
        share=f"person/{order.person_id}",
    )
    await session.flush()
    return generation


async def take_up(session: AsyncSession, order_id: UUID, number: int) -> Brief:
    """Begin the writer's work, or begin it again after a crash: always from the text that is published now.

    Raises `Stale` if nobody waits for it any more, and `Conflict` if the article cannot take it.
    """
    order, generation = await wanted(session, order_id, number)
    article = await session.get_one(Article, order.article_id, populate_existing=True)
    if article.status is not ArticleStatus.PUBLISHED or article.published_version_id is None:
        raise Conflict("The article is no longer published.")
    base = await session.get_one(Version, article.published_version_id)
    facts = await facts_of(session, order_id)
    base_text = Version.__table__.alias("base")
    earlier = await session.execute(
        select(base_text.c.markdown, Version)
        .join(base_text, base_text.c.id == Version.base_version_id)
        .where(Version.order_id == order_id)
        .order_by(Version.generation)
    )
    made = {after.id: placement(before, after) for before, after in earlier}
    generation.started_at = generation.started_at or now()
    generation.base_version_id = base.id
    await session.flush()
    changed(session, f"order/{order_id}")
    return brief_of(
        facts,
        base,
        number,
        generation.cause,
        reasons=generation.reason.split(",") if generation.reason else (),
        earlier=[(one.before, one.after) for one in made.values()],
        chosen=made.get(order.submitted_version_id) if order.submitted_version_id else None,
    )


async def wanted(session: AsyncSession, order_id: UUID, number: int) -> tuple[Order, Generation]:
    """The order, held, and its generation of this number. Raises `Stale` if nobody waits for it any more."""
    order = await held(session, order_id)
    generation = (
        await session.scalars(
            select(Generation)
            .where(Generation.order_id == order_id, Generation.number == number)
            .with_for_update()
        )
    ).one()
    is_active = generation.state is GenerationState.ACTIVE
    if order.status is not OrderStatus.PROCESSING or order.generation != number or not is_active:
        raise Stale(
            f"generation {number} of order {order_id} is {generation.state}, the order {order.status}"
        )
    return order, generation


async def hand_in(
    session: AsyncSession, settings: Settings, brief: Brief, draught: Draught, at: datetime | None = None
) -> Version:
    """Take the writer's text, if it is still wanted: a version for the customer, or first for an editor."""
    at = at or now()
    order, generation = await wanted(session, brief.order_id, brief.generation)
    version = await add_draught(session, order, brief, draught, "integration")
    generation.state, generation.version_id, generation.finished_at = GenerationState.DONE, version.id, at
    due_at = at + timedelta(days=settings.orders.review_days)
    shown: dict[str, Any] = {"version_id": version.id, "ready_at": at, "review_due_at": due_at}
    facts = await facts_of(session, order.id)
    is_rebased = bool(draught.edit.get("is_same"))
    # An editor looks first at a doubtful placement, but only at the first: whoever asks for another one wants to
    # see it, and nothing is published without an editor anyway.
    is_held = draught.needs_editor and brief.cause == "first"
    if is_held or is_rebased:
        action = "rebased" if is_rebased else HELD
        queued = shown | {"submitted_version_id": version.id, "submitted_at": at}
        queued["held_at"] = at if is_held else None
        await move_order(session, order, OrderStatus.ADMIN_REVIEW, action, WRITER, **queued)
        await tell_of_review(session, settings, facts, str(version.number))
        return version
    chosen_anew: dict[str, Any] = {"submitted_version_id": None, "submitted_at": None}
    await move_order(session, order, OrderStatus.QUALITY_CHECK, "written", WRITER, **shown, **chosen_anew)
    await tell_ready(session, settings, facts, brief.generation, version, due_at)
    return version


async def tell_ready(
    session: AsyncSession,
    settings: Settings,
    facts: Facts,
    generation: int,
    version: Version,
    due_at: datetime,
) -> None:
    """The letter that a version waits for its customer, after the move that showed it to them."""
    if not await _is_first_shown(session, facts.order.id):
        told: dict[str, Any] = {"version_number": version.generation or 1}
        await tell_customer(session, settings, facts, "regeneration_ready", str(generation), **told)
        return
    name = "article_ready" if facts.order.product is Product.ARTICLE else "backlink_ready"
    told = {"review_deadline": moment_words(due_at), "invoice_url": invoice_url(settings, facts.order)}
    await tell_customer(session, settings, facts, name, "1", **told)


async def _is_first_shown(session: AsyncSession, order_id: UUID) -> bool:
    """Whether the customer was shown a version for the first time just now: one that was held may be a later one's base."""
    shown = select(func.count()).where(
        Transition.order_id == order_id, Transition.to_status == OrderStatus.QUALITY_CHECK
    )
    return await session.scalar(shown) == 1


async def tell_of_review(session: AsyncSession, settings: Settings, facts: Facts, key: str) -> None:
    """The letter to the editors that an order waits for them."""
    told: dict[str, Any] = {
        "review_url": review_url(settings, facts.order.id),
        "order_number": facts.number,
        "article_title": facts.article.title,
        "site_name": facts.site.name,
        "customer_email": facts.customer.email,
    }
    await tell_staff(session, settings, facts.order, "new_review", key, **told)


async def no_more(
    session: AsyncSession,
    settings: Settings,
    order_id: UUID,
    number: int,
    words: str,
    action: str = "no other place",
) -> None:
    """The writer has nothing else to offer, but the customer has earlier versions to choose from: back to them."""
    order, generation = await wanted(session, order_id, number)
    _fail(generation, words)
    await _back_to_earlier(session, settings, order, action, words)


async def _back_to_earlier(
    session: AsyncSession, settings: Settings, order: Order, action: str, words: str
) -> None:
    """Return the order to its customer with the versions that there were before, and write to them: they may be gone."""
    # Whoever waits has to have an end to it: without a deadline nothing would ever be submitted by itself.
    due_at = now() + timedelta(days=settings.orders.review_days)
    chosen_anew: dict[str, Any] = {
        "submitted_version_id": None,
        "submitted_at": None,
        "review_due_at": due_at,
    }
    await move_order(session, order, OrderStatus.QUALITY_CHECK, action, WRITER, words, **chosen_anew)
    facts = await facts_of(session, order.id)
    if await _is_first_shown(session, order.id):
        version = await session.get_one(Version, order.version_id)
        await tell_ready(session, settings, facts, order.generation, version, due_at)
        return
    told = {"reason": words, "review_deadline": moment_words(due_at)}
    await tell_customer(session, settings, facts, "no_other_version", str(order.generation), **told)


def _fail(generation: Generation, problem: str) -> None:
    generation.state, generation.problem, generation.finished_at = GenerationState.FAILED, problem, now()


async def fail_generation(
    session: AsyncSession, settings: Settings, order_id: UUID, number: int, words: str
) -> None:
    """A generation's last attempt has failed: fail the order, give the money back, tell everybody, in one transaction.

    An order that has a version from before keeps it, and goes back to its customer instead.
    """
    try:
        order, generation = await wanted(session, order_id, number)
    except Stale:
        return
    _fail(generation, words)
    article = await session.get_one(Article, order.article_id)
    gone = order.product is Product.BACKLINK and article.status is not ArticleStatus.PUBLISHED
    # Where the article is gone, no version can be published.
    if order.version_id is not None and not gone:
        await _back_to_earlier(session, settings, order, "no other version", NO_OTHER)
        await _alert(session, settings, order)
        return
    told = "The article was taken offline." if gone else NOT_MADE[order.product]
    reason = FailReason.ARTICLE_GONE if gone else FailReason.GENERATION
    await fail_order(session, settings, order, reason, told, WRITER)


async def _alert(session: AsyncSession, settings: Settings, order: Order) -> None:
    """Tell those who look after the orders that the writer has failed at one that lives on."""
    facts = await facts_of(session, order.id)
    told: dict[str, Any] = {
        "admin_url": review_url(settings, order.id),
        "title": f"Another version of order {facts.number} could not be made",
        "body": "Every attempt failed. Its customer has the earlier versions back and was told so. Its dead job says why.",
    }
    await tell_staff(session, settings, order, "alert", f"no_other_version:{order.generation}", **told)

"""What people decide about an order: its customer, and the editors."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import chain, count
from typing import Any
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.audit import audit
from models.accounts.tables import Person
from models.base.clock import now
from models.base.db import changed
from models.base.errors import Conflict, Invalid, NotFound
from models.base.settings import Settings
from models.orders.catalogue.publishing import locked_article, publish
from models.orders.failing import ask_back, fail_order
from models.orders.letters import facts_of, public_url, tell_customer
from models.orders.moves import Actor, customer, editor, held, move_order, must_be_movable
from models.orders.rules import Limits, when_regenerable
from models.orders.states import (
    REASONS_OF,
    ArticleStatus,
    FailReason,
    GenerationState,
    OrderStatus,
    Product,
    RegenerateReason,
)
from models.orders.tables import Generation, Order, Version
from models.orders.writing.making import begin, tell_of_review, tell_ready
from models.orders.writing.new_articles import publish_first
from models.orders.writing.promises import promise
from models.payments.ledger import refunds_of
from models.payments.refunds import refundable
from models.payments.states import RefundState
from models.payments.tables import Refund

MAX_REASON = 1000
_UNEXPLAINED = "Say why, in words that the customer will read."


async def regenerate(
    session: AsyncSession,
    settings: Settings,
    order_id: UUID,
    person: Person,
    reasons: Sequence[RegenerateReason] = (),
    at: datetime | None = None,
) -> Order:
    """Have another version written, from the published text. A second press finds the order at work: `Conflict`."""
    order = await held(session, order_id, person.id)
    await must_be_movable(session, order)
    if order.status is OrderStatus.PROCESSING:
        raise Conflict("A new version is being made already.")
    if order.status is not OrderStatus.QUALITY_CHECK:
        raise Conflict("This order does not wait for you any more, so no other version can be made.")
    if not set(reasons) <= set(REASONS_OF[order.product]):
        raise Invalid({"reason": "Choose one of the reasons."})
    at = at or now()
    free_at = await regenerable_at(session, settings, order_id, at)
    if free_at > at:
        seconds = int((free_at - at).total_seconds()) + 1
        wait = f"{seconds} seconds" if seconds <= 120 else f"{-(-seconds // 60)} minutes"  # noqa: PLR2004 - two minutes
        raise Conflict(f"Another version can be asked for in {wait}.")
    values = promise(settings, at) | {"review_due_at": None}
    await move_order(session, order, OrderStatus.PROCESSING, "regenerate", customer(person), **values)
    await begin(session, order, "regenerate", ",".join(reasons) or None)
    return order


async def regenerable_at(session: AsyncSession, settings: Settings, order_id: UUID, at: datetime) -> datetime:
    """From when on the customer may ask for another version."""
    limits = Limits(settings.orders.regeneration_wait, settings.orders.regenerations_per_day)
    asked = select(Generation.created_at).where(
        Generation.order_id == order_id, Generation.cause == "regenerate"
    )
    # The limits speak of the latest one and of as many as a day may have: no other is read.
    latest = asked.order_by(Generation.number.desc()).limit(max(1, limits.per_day))
    return when_regenerable((await session.scalars(latest)).all(), at, limits)


async def submit(
    session: AsyncSession,
    settings: Settings,
    order_id: UUID,
    version_id: UUID,
    person: Person,
    latest_seen: UUID | None = None,
    at: datetime | None = None,
) -> Order:
    """Hand one of the order's own versions to the editors.

    `latest_seen` is the version that the customer's page showed as the newest: if there is a newer one by now,
    the page was stale, and choosing from it is refused.
    """
    order = await held(session, order_id, person.id)
    await must_be_movable(session, order)
    if order.status is OrderStatus.PROCESSING:
        raise Conflict("A new version is being made. Wait for it, then choose.")
    if latest_seen is not None and latest_seen != order.version_id:
        raise Conflict("A newer version has been made since you opened this page. Look at it, then choose.")
    await _own_version(session, order, version_id)
    await hand_over(session, settings, order, version_id, customer(person), "submitted", at or now())
    return order


async def _own_version(session: AsyncSession, order: Order, version_id: UUID) -> Version:
    version = await session.get(Version, version_id)
    if version is None or version.order_id != order.id or not version.is_qc_passed:
        raise NotFound("This order has no such version.")
    return version


async def hand_over(
    session: AsyncSession,
    settings: Settings,
    order: Order,
    version_id: UUID,
    actor: Actor,
    action: str,
    at: datetime,
) -> None:
    """Move a held order to the editors with this version, and tell both sides."""
    values: dict[str, Any] = {"submitted_version_id": version_id, "submitted_at": at, "review_due_at": None}
    await move_order(session, order, OrderStatus.ADMIN_REVIEW, action, actor, **values)
    facts = await facts_of(session, order.id)
    await tell_customer(
        session, settings, facts, "submitted_for_review", f"{order.generation}:{version_id}:{at:%s}"
    )
    await tell_of_review(session, settings, facts, f"{version_id}:{at:%s}")


async def cancel(session: AsyncSession, settings: Settings, order_id: UUID, person: Person) -> Order:
    """Take the order back and give its money back, as long as no worker has begun."""
    order = await held(session, order_id, person.id)
    await must_be_movable(session, order)
    stopped = await session.execute(
        update(Generation)
        .where(
            Generation.order_id == order_id,
            Generation.number == 1,
            Generation.state == GenerationState.ACTIVE,
            Generation.started_at.is_(None),
        )
        .values(state=GenerationState.CANCELLED, finished_at=now())
        .returning(Generation.id)
    )
    if order.status is not OrderStatus.PROCESSING or stopped.one_or_none() is None:
        raise Conflict("Work on this order has begun, so it can no longer be cancelled.")
    words = "You cancelled this order before work began."
    await fail_order(
        session, settings, order, FailReason.CANCELLED, words, customer(person), letter="cancelled"
    )
    return order


async def approve(
    session: AsyncSession,
    settings: Settings,
    order_id: UUID,
    person: Person,
    at: datetime | None = None,
    seen: UUID | None = None,
) -> Order:
    """Publish the submitted version, if the article is still the text that it was made from.

    If that has moved, with another customer's link or an editor's change, the placement is made anew on the new
    text and comes back: two customers of one article both keep their links. Returns the order as it is then.
    `seen` is the version that the editor looked at: a decision about another one is refused.
    """
    order = await held(session, order_id)
    await must_be_movable(session, order)
    if order.status is not OrderStatus.ADMIN_REVIEW or order.submitted_version_id is None:
        raise Conflict("This order does not wait for a review any more.")
    _must_have_seen(order, seen)
    version = await session.get_one(Version, order.submitted_version_id)
    article = await locked_article(session, order.article_id)
    at = at or now()
    if order.product is Product.ARTICLE:
        await publish_first(session, article, version, at)
    elif article.status is not ArticleStatus.PUBLISHED:
        raise Conflict("The article is not published. Publish it again, or reject the order with a refund.")
    elif article.published_version_id != version.base_version_id:
        await move_order(
            session,
            order,
            OrderStatus.PROCESSING,
            "rebase",
            editor(person),
            "The article has changed meanwhile.",
            **promise(settings, at),
        )
        await begin(session, order, "rebase")
        await audit(session, person, "order.rebased", f"order/{order.id}")
        return order
    else:
        await publish(session, article, version, placements=1)
    done: dict[str, Any] = {"completed_at": at, "published_version_id": version.id}
    await move_order(session, order, OrderStatus.COMPLETED, "approved", editor(person), **done)
    await audit(session, person, "order.approved", f"order/{order.id}", version=str(version.id))
    facts = await facts_of(session, order.id)
    await tell_customer(
        session, settings, facts, "published", "1", public_url=public_url(settings, facts.site, article)
    )
    return order


def _must_have_seen(order: Order, seen: UUID | None) -> None:
    if seen is not None and seen != order.submitted_version_id:
        raise Conflict(
            "The order has changed since you opened this page. Look at it as it is now, then decide."
        )


async def send_back(
    session: AsyncSession,
    settings: Settings,
    order_id: UUID,
    person: Person,
    words: str,
    seen: UUID | None = None,
) -> Order:
    """Return a submitted version to its customer, with a reason; or show them one that was held for an editor.

    What was held has no reason to be sent back for, so a note is enough, or none.
    """
    order = await held(session, order_id)
    await must_be_movable(session, order)
    if order.status is not OrderStatus.ADMIN_REVIEW:
        raise Conflict("This order does not wait for a review any more.")
    _must_have_seen(order, seen)
    # Not from its history: more may have happened since the writer's last move.
    was_held = order.held_at is not None
    words = _reason(words, is_wanted=not was_held)
    due_at = now() + review_time(settings)
    values = {
        "editor_words": words or None,
        "submitted_version_id": None,
        "submitted_at": None,
        "review_due_at": due_at,
    }
    action = "shown by the editor" if was_held else "sent back"
    await move_order(
        session, order, OrderStatus.QUALITY_CHECK, action, editor(person), words or None, **values
    )
    await audit(session, person, f"order.{action.replace(' ', '_')}", f"order/{order.id}", reason=words)
    facts = await facts_of(session, order.id)
    if was_held:
        version = await session.get_one(Version, order.version_id)
        await tell_ready(session, settings, facts, order.generation, version, due_at)
    else:
        await tell_customer(session, settings, facts, "sent_back", f"{now():%s}", reason=words)
    return order


async def reject(
    session: AsyncSession,
    settings: Settings,
    order_id: UUID,
    person: Person,
    words: str,
    seen: UUID | None = None,
) -> Order:
    """End an order that will not be published, with a reason and a refund."""
    order = await held(session, order_id)
    if order.status not in {OrderStatus.ADMIN_REVIEW, OrderStatus.QUALITY_CHECK, OrderStatus.PROCESSING}:
        raise Conflict("This order has ended already.")
    _must_have_seen(order, seen)
    words = _reason(words)
    await fail_order(session, settings, order, FailReason.REJECTED, words, editor(person))
    await audit(session, person, "order.rejected", f"order/{order.id}", reason=words)
    return order


async def refund(session: AsyncSession, order_id: UUID, person: Person, words: str) -> Refund:
    """Give back what is left of an ended order's money. The order stays as it ended: a published link stays.

    Asked again while it is on its way, it is refused; a refund that failed is tried anew.
    """
    order = await held(session, order_id)
    if order.status not in {OrderStatus.COMPLETED, OrderStatus.FAILED}:
        raise Conflict("This order is still under way. To end it with a refund, reject it.")
    words = _reason(words, missing="Say why. The audit log keeps it; the customer does not see it.")
    can = await refundable(session, order.checkout_id)
    if can.obstacle is not None:
        raise Conflict(can.obstacle)
    asked = await ask_back(session, order, await _kind(session, order), person.id)
    if asked is None or asked.state is not RefundState.ASKED:
        raise Conflict("Nothing of this payment can be refunded now.")
    await audit(
        session,
        person,
        "order.refunded",
        f"order/{order.id}",
        reason=words,
        amount_cents=asked.amount_cents,
        currency=asked.currency,
    )
    changed(session, f"order/{order.id}")
    return asked


async def _kind(session: AsyncSession, order: Order) -> str:
    """The first kind that has not gone back: where another refund has failed after ours went, there is a rest."""
    kind = order.fail_reason.value if order.fail_reason is not None else "goodwill"
    gone = {
        one.kind for one in await refunds_of(session, order.checkout_id) if one.state is RefundState.SUCCEEDED
    }
    kinds = chain([kind], (f"{kind}_{number}" for number in count(2)))
    return next(one for one in kinds if one not in gone)


def _reason(words: str, *, is_wanted: bool = True, missing: str = _UNEXPLAINED) -> str:
    words = words.strip()
    if is_wanted and not words:
        raise Invalid({"reason": missing})
    if len(words) > MAX_REASON:
        raise Invalid({"reason": f"Shorten the reason to {MAX_REASON} characters."})
    return words


def review_time(settings: Settings) -> timedelta:
    """How long a customer has to decide about a version."""
    return timedelta(days=settings.orders.review_days)

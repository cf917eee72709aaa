"""Everything that the page of one order says, whoever asks for it: the page itself or its stream."""

from typing import Any, Final
from uuid import UUID

from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.tables import Person
from models.base.clock import now
from models.base.settings import Settings
from models.orders.queries import History, OrderView, history_of, versions_of
from models.orders.reviewing import regenerable_at
from models.orders.rules import day_words, order_number
from models.orders.states import REASON_WORDS, FailReason, OrderStatus
from models.orders.tables import Order
from web.orders.progress import run_of
from web.orders.result import result_of, rows_of
from web.orders.timeline import events_of, expected_words

FAILURES: Final = {
    FailReason.GENERATION: "We could not place your link in a way that we would stand for.",
    FailReason.REJECTED: "The editor did not accept the placement.",
    FailReason.CANCELLED: "You cancelled before work began.",
    FailReason.ARTICLE_GONE: "The article was taken offline before your link could be published.",
    FailReason.DISPUTE: "The payment was taken back by the bank.",
    FailReason.REFUNDED: "The payment was refunded.",
}


async def facts_of(
    session: AsyncSession,
    redis: Redis,
    settings: Settings,
    view: OrderView,
    person: Person,
    version: UUID | None = None,
) -> dict[str, Any]:
    """What the templates of an order name. Reads a fixed number of times, however long the history is."""
    order = view.order
    versions = await versions_of(session, view)
    history = await history_of(session, view)
    at = now()
    free_at = at
    if order.status is OrderStatus.QUALITY_CHECK:
        free_at = await regenerable_at(session, settings, order.id, at)
    is_working = order.status is OrderStatus.PROCESSING
    return {
        "order": order,
        "number": order_number(order.number),
        "article": view.article,
        "site": view.site,
        "is_over": view.is_over,
        "payment": view.payment_state.value,
        "is_held": view.is_held,
        "is_movable": view.is_movable,
        "can_cancel": view.can_be_cancelled,
        "run": await run_of(session, redis, view, person.email) if is_working else None,
        "result": await result_of(session, view, versions, version),
        "versions": rows_of(view, versions, _reasons(history)),
        "latest": order.version_id,
        "reasons": [
            ("", "No particular reason", None),
            *((one.value, words, None) for one, words in REASON_WORDS.items()),
        ],
        "regenerable_at": free_at if free_at > at else None,
        "due": day_words(order.review_due_at) if order.review_due_at else None,
        "failure": _failure(order, history),
        "receipt": _receipt(view, history, person.email),
        "events_shown": events_of(history, person.email),
        "rules": settings.orders,
        "problem": None,
    }


def _reasons(history: History) -> dict[int, str | None]:
    """What the customer said about a version, by the generation that it led to."""
    return {one.number: one.reason for one in history.generations}


def _failure(order: Order, history: History) -> str | None:
    if order.fail_reason is None:
        return None
    told = next((one.reason for one in reversed(history.transitions) if one.to_status is order.status), None)
    return told or FAILURES[order.fail_reason]


def _receipt(view: OrderView, history: History, email: str) -> dict[str, Any]:
    """What was paid, what has gone back, and when the rest of it can be expected."""
    order, checkout = view.order, view.checkout
    lines = [(f"Backlink in “{view.article.title}”", order.amount_cents)]
    if checkout.refunded_cents:
        lines.append(("Refunded", -checkout.refunded_cents))
    latest = history.refunds[-1] if history.refunds else None
    return {
        "lines": lines,
        "total_cents": order.amount_cents - checkout.refunded_cents,
        "currency": order.currency,
        "facts": [
            ("Order", order_number(order.number)),
            ("Paid on", day_words(checkout.paid_at) if checkout.paid_at else "not yet"),
            ("Billed to", email),
        ],
        "seller": "A test order: no money moved." if order.is_test else None,
        "url": checkout.receipt_url if (checkout.receipt_url or "").startswith("https://") else None,
        "refund_words": expected_words(latest.settled_at, latest.state) if latest else None,
    }

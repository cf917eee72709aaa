"""Everything that the page of one order says, whoever asks for it: the page itself or its stream."""

from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.tables import Person
from models.base.clock import day_words, moment_words, now
from models.base.settings import Settings
from models.orders.care.guarantee import is_watched
from models.orders.care.messages import can_be_written_about, messages_of
from models.orders.queries import History, OrderView, bought_with, history_of, versions_of
from models.orders.reviewing import regenerable_at
from models.orders.rules import order_number
from models.orders.states import REASON_WORDS, REASONS_OF, FailReason, LinkState, OrderStatus, Product
from models.orders.tables import Order
from web.orders.progress import run_of
from web.orders.result import result_of, rows_of
from web.orders.timeline import events_of, expected_words

FAILURES: Final = {
    FailReason.GENERATION: "We could not place your link in a way that we would stand for.",
    FailReason.REJECTED: "The editor did not accept the placement.",
    FailReason.CANCELLED: "You cancelled before work began.",
    FailReason.UNDECIDED: "The time to decide about it was over.",
    FailReason.ARTICLE_GONE: "The article was taken offline before your link could be published.",
    FailReason.DISPUTE: "The payment was taken back by the bank.",
    FailReason.REFUNDED: "The payment was refunded.",
}

#: A page that stands open does not see a wait end, so only a longer one takes the button for another version away.
#: Who presses too early is told the seconds.
SHORT_WAIT: Final = timedelta(minutes=2)

#: What the monitor knows of a published link or article, for its customer: words, tone and icon.
LINKS: Final = {
    LinkState.IN_PLACE: ("in place", "good", "check-circle"),
    LinkState.DOUBTED: ("not found; we look again within the hour", "warn", "clock"),
    LinkState.LOST: ("lost; it is being put back", "warn", "loop"),
    LinkState.STUCK: ("lost; an editor is looking after it", "warn", "pen"),
    LinkState.REPAIRED: ("repaired", "good", "check-circle"),
}


def is_live(view: OrderView) -> bool:
    """Whether the page of an order may still change while somebody looks at it."""
    return not view.is_over or view.order.status is OrderStatus.COMPLETED


def link_of(order: Order) -> dict[str, Any] | None:
    """When the published page was looked at, and what became of what was sold on it; None if it is not watched."""
    if not is_watched(order):
        return None
    words, tone, icon = LINKS[order.link_state] if order.link_state else ("", "neutral", "clock")
    return {"at": order.link_checked_at, "words": words, "tone": tone, "icon": icon}


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
        "is_article": order.product is Product.ARTICLE,
        "number": order_number(order.number),
        "article": view.article,
        "site": view.site,
        "is_over": view.is_over,
        # What is published goes on: its link is watched, and people write about it.
        "is_live": is_live(view),
        "is_late": view.is_late,
        "link": link_of(order),
        "messages": await messages_of(session, order.id),
        "can_write": can_be_written_about(order, at),
        "payment": view.payment_state.value,
        "is_held": view.is_held,
        "is_movable": view.is_movable,
        "can_cancel": view.can_be_cancelled,
        "run": await run_of(session, redis, settings, view, person.email) if is_working else None,
        "result": await result_of(session, view, versions, version),
        "versions": rows_of(view, versions, _reasons(history)),
        "latest": order.version_id,
        "reasons": [
            ("", "No particular reason", None),
            *((one.value, REASON_WORDS[one], None) for one in REASONS_OF[order.product]),
        ],
        "regenerable_at": free_at if free_at - at > SHORT_WAIT else None,
        "due": moment_words(order.review_due_at) if order.review_due_at else None,
        "failure": _failure(order, history),
        "receipt": _receipt(view, history, person.email),
        "together": [
            (one, order_number(number)) for one, number in await bought_with(session, view.checkout)
        ],
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
    what = "Article" if order.product is Product.ARTICLE else "Backlink in"
    lines = [(f"{what} “{view.article.title}”", order.amount_cents)]
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
        "payment": checkout.id,
        "url": checkout.receipt_url if (checkout.receipt_url or "").startswith("https://") else None,
        "refund_words": expected_words(latest.settled_at, latest.state) if latest else None,
    }

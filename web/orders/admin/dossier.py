"""The page of one order as editors see it, whichever request shows it: also the one that came too late."""

from datetime import datetime
from typing import Any, Final
from uuid import UUID

from litestar import Response
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.states import Role
from models.base.clock import moment_words, now
from models.orders.care.messages import can_be_written_about, mark_read
from models.orders.desk.queries import Dossier, dossier, next_for_review
from models.orders.desk.second_person import waiting_for
from models.orders.rules import MOVABLE, order_number
from models.orders.states import OrderStatus, Side
from models.orders.tables import Transition, Version
from models.payments.invoices import papers_of, printed_number
from models.payments.refunds import Refundable, refundable
from web.guards import RECENT
from web.orders.admin.overview import FAILURES
from web.orders.result import result_of
from web.orders.showing import link_of
from web.orders.timeline import MOVES
from web.pages import page
from web.visitor import Visitor

UNFINISHED: Final = frozenset({OrderStatus.PROCESSING, OrderStatus.QUALITY_CHECK, OrderStatus.ADMIN_REVIEW})


async def order_page(
    session: AsyncSession,
    visitor: Visitor,
    order_id: UUID,
    *,
    version: str | None = None,
    problem: str | None = None,
    status: int = 200,
) -> Response[None]:
    """Everything about one order, and what can be decided about it. `problem` says what was not done, and why."""
    await mark_read(session, order_id, Side.EDITOR)
    found = await dossier(session, order_id)
    can_refund = await refundable(session, found.view.order.checkout_id)
    waiting = await waiting_for(session, found.view.order.checkout_id)
    shown = await result_of(session, found.view, found.versions, _id(version))
    following, left = await next_for_review(session, found.view.order)
    return page(
        "orders/admin/order.html",
        visitor=visitor,
        status=status,
        **facts_of(found, can_refund, visitor),
        papers=await _papers(session, found),
        waiting=waiting,
        result=shown,
        following=following,
        left=left,
        problem=problem,
        latest=_latest(found, visitor) if problem else None,
    )


async def _papers(session: AsyncSession, found: Dossier) -> list[tuple[UUID, str]]:
    rows = await papers_of(session, [one.id for one in found.checkouts])
    return [(one.id, printed_number(one)) for one in rows]


def facts_of(found: Dossier, can_refund: Refundable, visitor: Visitor) -> dict[str, Any]:
    """What the templates of an order and of the decisions about it name."""
    order, submitted = found.view.order, found.submitted
    is_reviewed = order.status is OrderStatus.ADMIN_REVIEW and submitted is not None
    ended = order.status in {OrderStatus.COMPLETED, OrderStatus.FAILED}
    return {
        "found": found,
        "order": order,
        "number": order_number(order.number),
        "article": found.view.article,
        "site": found.view.site,
        "customer": found.customer,
        "submitted": submitted,
        "is_held": found.view.is_held,
        "is_moved": found.is_moved,
        "is_movable": order.payment_state in MOVABLE,
        "score": score_of(submitted) if submitted is not None else None,
        "can_review": is_reviewed and order.payment_state in MOVABLE,
        "can_reject": order.status in UNFINISHED,
        "can_refund": ended and visitor.has_role(Role.ADMIN) and can_refund.obstacle is None,
        "refundable_cents": can_refund.left_cents,
        "is_recent": visitor.signed_in_within(RECENT),
        "failure": FAILURES[order.fail_reason] if order.fail_reason else None,
        "events": [_event(move, email) for move, email in reversed(found.moves)],
        "link": link_of(order),
        "messages": found.messages,
        "together": [(one, order_number(number)) for one, number in found.together],
        "is_late": found.view.is_late,
        "can_write": can_be_written_about(order, now()),
        "version_rows": [_version(found, one) for one in found.versions],
    }


def score_of(version: Version) -> float | None:
    """How sure the basic writer was of the place, from 0 to 1."""
    score = (version.edit or {}).get("score")
    return float(score) if isinstance(score, int | float) else None


def _event(move: Transition, email: str | None) -> dict[str, Any]:
    _, tone, icon = MOVES.get(move.action, ("", "neutral", "circle"))
    return {
        "at": move.at,
        "title": move.action.replace("_", " ").capitalize(),
        "actor": f"{email} ({move.actor})" if email else move.actor.capitalize(),
        "text": move.reason,
        "tone": tone,
        "icon": icon,
    }


def _version(found: Dossier, version: Version) -> dict[str, Any]:
    order, edit = found.view.order, version.edit or {}
    marks = {
        order.published_version_id: ("Published", "good", "check-circle"),
        order.submitted_version_id: ("Submitted", "accent", "pen"),
    }
    asked = next((one for one in found.generations if one.number == version.generation), None)
    return {
        "row": version,
        "number": version.generation or version.number,
        "href": f"/admin/orders/{order.id}?version={version.id}#result",
        "mark": marks.get(version.id),
        "cause": asked.cause.replace("_", " ") if asked else version.origin,
        "reason": asked.reason.replace("_", " ") if asked and asked.reason else None,
        "writer": edit.get("writer"),
        "score": score_of(version),
    }


def _latest(found: Dossier, visitor: Visitor) -> str | None:
    """Who moved the order last, for somebody who came too late, or pressed twice."""
    if not found.moves:
        return None
    move, email = found.moves[-1]
    is_own = visitor.person is not None and move.actor_id == visitor.person.id
    who = "You" if is_own else email or f"The {move.actor}"
    return f"Last: {who}, “{move.action.replace('_', ' ')}”, {_ago(move.at)}."


def _ago(at: datetime) -> str:
    seconds = int((now() - at).total_seconds())
    if seconds < 60:  # noqa: PLR2004 - a minute
        return "a moment ago"
    return f"on {moment_words(at)}"


def _id(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None

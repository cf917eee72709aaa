"""The guarantee: every published link is looked at daily, and one that was lost is put back. So is the page of every
ordered article; what is wrong with that, an editor has to mend.

A look that fails is doubted until a second one, later, fails too: pages are away for a moment every now and then.
"""

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.audit import audit
from models.accounts.tables import Person
from models.base.clock import now
from models.base.db import changed
from models.base.errors import Conflict
from models.base.settings import Settings
from models.base.states import move
from models.jobs import enqueue
from models.jobs.enqueue import Wish, enqueue_all
from models.jobs.limits import host_key
from models.orders.care.tables import LinkCheck
from models.orders.jobs import CheckLink, RepairLink
from models.orders.letters import Facts, facts_of, public_url, review_url, tell_customer, tell_staff
from models.orders.moves import SYSTEM, held, write_history
from models.orders.states import LINK_MOVES, LinkState, OrderStatus, Product
from models.orders.tables import Article, Order, Site
from models.payments.states import PaymentState

#: Between two looks at a link; a part of the last hour is left to chance, so that crowds dissolve.
DAILY: Final = timedelta(hours=23)
SPREAD: Final = timedelta(hours=1)
#: From a look that did not find the link to the one that decides, and from a repair to the look that confirms it:
#: longer than any copy of a page is kept.
SECOND_LOOK: Final = timedelta(hours=1)
CONFIRMATION: Final = timedelta(minutes=15)
#: Between two looks at one host.
PAUSE: Final = timedelta(seconds=1)
#: As many as one host is asked for between two rounds of the schedule.
ROUND: Final = 600

#: A link whose money went back entirely is not owed to anybody, though it stays.
NOT_OWED: Final = (PaymentState.REFUNDED, PaymentState.DISPUTE_LOST)
MISSING: Final = frozenset({LinkState.LOST, LinkState.STUCK})

_WATCHED: Final = (
    Order.status == OrderStatus.COMPLETED,
    Order.payment_state.not_in(NOT_OWED),
)
#: What is written of a page that is not as it was sold, and once it is again: the action in the history, the letter.
_LOST: Final = {
    Product.BACKLINK: ("link lost", "link_lost"),
    Product.ARTICLE: ("article missing", "article_missing"),
}
_BACK: Final = {
    Product.BACKLINK: ("link back", "link_repaired"),
    Product.ARTICLE: ("article back", "article_back"),
}
_DUE: Final = func.coalesce(Order.link_due_at, Order.completed_at)


@dataclass(frozen=True, slots=True)
class Promised:
    """What the published page of an order has to show. Of an ordered article nothing but itself: no target, no anchor."""

    page_url: str
    target_url: str
    anchor_text: str
    rel: str


@dataclass(frozen=True, slots=True)
class Sight:
    """What a look at a page found. `problem` is None if everything is as it was sold, else words for an editor."""

    problem: str | None
    found: Mapping[str, Any] = field(default_factory=dict)


def is_owed(order: Order) -> bool:
    """Whether the order sold a link that has to stand."""
    return order.product is Product.BACKLINK and is_watched(order)


def is_watched(order: Order) -> bool:
    """Whether the order sold a link, or a whole article, whose page has to stand."""
    return order.status is OrderStatus.COMPLETED and order.payment_state not in NOT_OWED


# ---------------------------------------------------------------- looking
async def ask_link_checks(
    session: AsyncSession, settings: Settings, at: datetime, limit: int = ROUND
) -> list[UUID]:
    """Ask for a look at every page that is due, those of one host one after the other. Returns the jobs' ids.

    What is asked for stays due until it was looked at; the job's key keeps it at one.
    """
    query = (
        select(Order.id, Site, Article)
        .join(Article, Article.id == Order.article_id)
        .join(Site, Site.id == Article.site_id)
        .where(*_WATCHED, at >= _DUE)
        .order_by(_DUE)
        .limit(limit)
    )
    turns: Counter[str] = Counter()
    wishes = []
    for order_id, site, article in await session.execute(query):
        host = host_key(public_url(settings, site, article))
        wishes.append(
            Wish(
                CheckLink(order_id=order_id),
                unique=_key(order_id),
                run_at=at + PAUSE * turns[host],
                limit=host,
            )
        )
        turns[host] += 1
    return await enqueue_all(session, wishes)


def _key(order_id: UUID) -> str:
    return f"link-check/{order_id}"


async def check_now(session: AsyncSession, order_id: UUID, person: Person) -> None:
    """Have the order's page looked at now, because an editor wants to know. Raises `Conflict` if none is watched."""
    order = await held(session, order_id)
    if not is_watched(order):
        raise Conflict("This order has no published page that is watched.")
    await enqueue(session, CheckLink(order_id=order_id), unique=_key(order_id), priority=1)
    await audit(session, person, "order.link_check_asked", f"order/{order_id}")


async def promised_page(session: AsyncSession, settings: Settings, order_id: UUID) -> Promised | None:
    """What to look for, and where; None if nothing is owed for the order any more."""
    facts = await facts_of(session, order_id)
    order = facts.order
    if not is_watched(order):
        return None
    page = public_url(settings, facts.site, facts.article)
    return Promised(page, order.target_url, order.anchor_text, facts.site.rel)


async def note_check(
    session: AsyncSession, settings: Settings, order_id: UUID, sight: Sight, at: datetime | None = None
) -> LinkState | None:
    """Write down a look and do what follows from it. Returns the state then; None if nothing is owed."""
    at = at or now()
    order = await held(session, order_id)
    if not is_watched(order):
        return None
    is_ok = sight.problem is None
    session.add(
        LinkCheck(order_id=order_id, at=at, is_ok=is_ok, problem=sight.problem, found=dict(sight.found))
    )
    here = order.link_state
    there = _after(order, at, is_ok=is_ok)
    wait = SECOND_LOOK if there is LinkState.DOUBTED else DAILY + SPREAD * random.random()  # noqa: S311 - spreads, hides nothing
    due_at = order.link_due_at if here is there is LinkState.DOUBTED else at + wait
    values: dict[str, Any] = {"link_checked_at": at, "link_due_at": due_at, "link_problem": sight.problem}
    lost_at = order.link_lost_at or at
    if there in MISSING:
        values["link_lost_at"] = lost_at
        if is_owed(order):
            await enqueue(
                session,
                RepairLink(order_id=order_id),
                unique=f"link-repair/{order_id}",
                subject=f"order/{order_id}",
            )
    elif is_ok:
        values["link_lost_at"] = None
    await turn_link(session, order, there, **values)
    if here in MISSING and is_ok:
        action, _ = _BACK[order.product]
        await write_history(session, order_id, order.status, order.status, action, SYSTEM)
        await tell_of_return(session, settings, await facts_of(session, order_id), lost_at)
    elif there in MISSING and here not in MISSING:
        await _tell_of_loss(session, settings, order, sight.problem or "", lost_at)
    return there


def _after(order: Order, at: datetime, *, is_ok: bool) -> LinkState:
    """The state after a look. A second look that came too soon after the first decides nothing. There is nobody but an
    editor who could put a whole article back.
    """
    here = order.link_state
    if is_ok:
        return LinkState.IN_PLACE
    if here in MISSING:
        return here
    is_second = here is LinkState.DOUBTED and order.link_due_at is not None and order.link_due_at <= at
    if not is_second:
        return LinkState.DOUBTED
    return LinkState.LOST if is_owed(order) else LinkState.STUCK


async def turn_link(session: AsyncSession, order: Order, there: LinkState, **values: Any) -> None:
    """Move a held order's link along an arrow of its drawing, or leave it where it is; `values` are set with it."""
    here = order.link_state
    if here is not None and here is not there:
        move(LINK_MOVES, here, there)
    turned = await session.execute(
        update(Order)
        .where(Order.id == order.id, Order.link_state.is_not_distinct_from(here))
        .values(link_state=there, **values)
        .returning(Order)
        .execution_options(populate_existing=True)
    )
    if turned.one_or_none() is None:
        raise Conflict("Somebody else was quicker. Look at the order again.")
    changed(session, f"order/{order.id}")


# ---------------------------------------------------------------- telling
async def _tell_of_loss(
    session: AsyncSession, settings: Settings, order: Order, problem: str, lost_at: datetime
) -> None:
    action, letter = _LOST[order.product]
    await write_history(session, order.id, order.status, order.status, action, SYSTEM, problem)
    facts = await facts_of(session, order.id)
    await tell_customer(session, settings, facts, letter, f"{lost_at:%s}")
    what, next_step = (
        ("link", "It is being put back.") if is_owed(order) else ("article", "An editor has to mend it.")
    )
    title = f"The {what} of order {facts.number} is missing"
    await tell_editors(session, settings, facts, f"lost:{lost_at:%s}", title, f"{problem} {next_step}")


async def tell_of_return(
    session: AsyncSession, settings: Settings, facts: Facts, lost_at: datetime | None
) -> None:
    """The letter that what was lost stands again, once for each loss."""
    page = public_url(settings, facts.site, facts.article)
    _, letter = _BACK[facts.order.product]
    await tell_customer(session, settings, facts, letter, f"{lost_at or now():%s}", public_url=page)


async def tell_editors(
    session: AsyncSession, settings: Settings, facts: Facts, key: str, title: str, body: str
) -> None:
    """The letter that a link or an article needs to be known of, or needs somebody."""
    told: dict[str, Any] = {
        "admin_url": review_url(settings, facts.order.id),
        "title": title,
        "body": body,
    }
    await tell_staff(session, settings, facts.order, "alert", key, **told)

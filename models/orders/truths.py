"""What must hold of every order at any moment: each query returns what breaks it, and must return nothing.

Every captured payment is exactly one of: delivered, in progress with a live job, waiting for a named person,
refunded or being refunded. Payments tell their part of it in `models.payments.truths`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import or_, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from models.orders.desk.tables import AskedTruth
from models.orders.states import ArticleStatus
from models.orders.tables import Article, Order, Version
from models.orders.text.markdown import href_of
from models.payments import truths as payments
from models.payments.tables import Refund

#: How many rows of a broken truth are looked up: whoever has more has one problem, not a hundred.
MOST: Final = 100

#: Money that has gone back, is about to, or is in the hands of a bank and the admins.
_NOT_OURS_TO_EARN: Final = "('refunded', 'refund_pending', 'disputed', 'dispute_lost')"

_HAS_LIVE_JOB: Final = """
    exists (select from orders_generations g join jobs j on j.id = g.job_id
             where g.order_id = o.id and g.state = 'active' and j.state in ('scheduled', 'waiting', 'active'))
"""

UNDELIVERED: Final = "delivered, but the published article does not have the link"

#: Each returns (about, since). An order's customer is a person with a name; an editor has to exist to be one.
TRUTHS: Final[Mapping[str, str]] = {
    "paid, but neither delivered, in progress, waiting for a named person, nor on its way back": f"""
        select case when o.id is null then 'checkout/' || c.id else 'order/' || o.id end, c.paid_at
          from payments_checkouts c left join orders o on o.checkout_id = c.id
         where c.state = 'paid' and c.subject like 'draft/%' and c.paid_at < now() - interval '2 minutes'
           and c.payment_state not in {_NOT_OURS_TO_EARN}
           and case
                 when o.id is null then not exists (
                   select from jobs j where j.subject = c.subject and j.unique_key = 'checkout/' || c.id || '/paid'
                      and j.state in ('scheduled', 'waiting', 'active'))
                 when o.status = 'PROCESSING' then not {_HAS_LIVE_JOB}
                 when o.status = 'QUALITY_CHECK' then
                   o.review_due_at is null or o.review_due_at < now() - interval '1 hour'
                 when o.status = 'ADMIN_REVIEW' then o.submitted_version_id is null or not exists (
                   select from accounts_people p where p.role in ('editor', 'admin') and p.disabled_at is null)
                 else o.status <> 'COMPLETED'
               end
    """,  # noqa: S608 - our own words, not a request's
    "in progress, but nobody is asked to write": f"""
        select 'order/' || o.id, o.updated_at from orders o
         where o.status = 'PROCESSING' and not {_HAS_LIVE_JOB}
    """,  # noqa: S608 - our own words, not a request's
    UNDELIVERED: """
        select 'order/' || o.id, o.completed_at
          from orders o join orders_articles a on a.id = o.article_id
          left join orders_versions v on v.id = a.published_version_id
         where o.status = 'COMPLETED' and o.payment_state not in ('refunded', 'dispute_lost')
           and case
                 when a.status <> 'published' or v.id is null then true
                 -- Of a whole article that it is published is all that was owed: editors may go on writing in it.
                 when o.product = 'article' then false
                 -- Its own version was checked when it was written and never changes: no text has to be read.
                 when v.id = o.published_version_id and v.target_url = o.target_url then not v.is_qc_passed
                 else strpos(v.markdown, o.target_url) = 0
               end
    """,
    "published for two days, and nobody has looked at its page since": """
        select 'order/' || o.id, coalesce(o.link_checked_at, o.completed_at) from orders o
         where o.status = 'COMPLETED' and o.payment_state not in ('refunded', 'dispute_lost')
           -- A look sets the next one for a day later at most, so this says no more than the next line, by index.
           and coalesce(o.link_due_at, o.completed_at) < now() - interval '23 hours'
           and coalesce(o.link_checked_at, o.completed_at) < now() - interval '48 hours'
    """,
    "later than promised, and its customer was not told": """
        select 'order/' || o.id, o.promised_at from orders o
         where (o.status = 'PROCESSING' or o.status = 'ADMIN_REVIEW' and o.held_at is not null)
           and o.promise_broken_at is null and o.promised_at < now() - interval '10 minutes'
           and o.payment_state in ('paid', 'partially_refunded', 'dispute_won')
    """,
    "more than one generation of an order is active": """
        select 'order/' || order_id, min(created_at) from orders_generations
         where state = 'active' group by order_id having count(*) > 1
    """,
    "failed, but the money has not gone back and is not disputed": f"""
        select 'order/' || o.id, o.updated_at
          from orders o join payments_checkouts c on c.id = o.checkout_id
         where o.status = 'FAILED' and c.payment_state not in {_NOT_OURS_TO_EARN}
    """,  # noqa: S608 - our own words, not a request's
    "an order and its payment tell different things of the money": """
        select 'order/' || o.id, o.updated_at
          from orders o join payments_checkouts c on c.id = o.checkout_id
         where o.payment_state is distinct from c.payment_state
           and not exists (select from jobs j where j.subject = c.subject and j.kind = 'orders.follow_payment'
                              and j.state in ('scheduled', 'waiting', 'active'))
    """,
}


@dataclass(frozen=True, slots=True)
class Breach:
    """One row that breaks a truth: what it is about (`order/<id>`, `checkout/<id>`, `job/<id>` …), since when."""

    about: str
    since: datetime | None
    #: The order behind it and its number, where there is one.
    order: tuple[UUID, int] | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """A truth and what breaks it: nothing, or somebody has to look."""

    truth: str
    breaches: Sequence[Breach]

    @property
    def is_kept(self) -> bool:
        """Whether nothing breaks it."""
        return not self.breaches


async def verdicts(session: AsyncSession) -> list[Verdict]:
    """Ask every truth of orders and of payments; the broken ones come first.

    The more orders there are the longer it takes, so the schedule asks, and pages show what was answered last.
    """
    broken: dict[str, list[tuple[str, Any]]] = {}
    for truth, query in {**TRUTHS, **payments.TRUTHS}.items():
        rows = await session.execute(text(f"select * from ({query}) broken limit {MOST}"))  # noqa: S608 - our own words, not a request's
        broken[truth] = [(about, since) for about, since in rows]
    broken[UNDELIVERED] = await _without_link(session, broken[UNDELIVERED])
    return await _verdicts(session, broken)


async def keep_verdicts(session: AsyncSession, found: Sequence[Verdict], at: datetime) -> None:
    """Keep what the truths answered at that moment, for `last_verdicts`."""
    answers = [
        {
            "truth": one.truth,
            "asked_at": at,
            "breaches": [
                (breach.about, breach.since and breach.since.isoformat()) for breach in one.breaches
            ],
        }
        for one in found
    ]
    statement = insert(AskedTruth)
    new = {name: statement.excluded[name] for name in ("asked_at", "breaches")}
    await session.execute(statement.on_conflict_do_update(index_elements=["truth"], set_=new), answers)


async def last_verdicts(session: AsyncSession) -> tuple[datetime | None, list[Verdict]]:
    """When the truths were last asked, and what they answered. None and nothing until they have been."""
    rows = {row.truth: row for row in await session.scalars(select(AskedTruth))}
    broken = {
        truth: [(about, since and datetime.fromisoformat(since)) for about, since in rows[truth].breaches]
        for truth in (*TRUTHS, *payments.TRUTHS)
        if truth in rows
    }
    return min((rows[truth].asked_at for truth in broken), default=None), await _verdicts(session, broken)


async def _verdicts(
    session: AsyncSession, broken: Mapping[str, Sequence[tuple[str, datetime | None]]]
) -> list[Verdict]:
    known = await _orders_behind(session, {about for rows in broken.values() for about, _ in rows})
    found = [
        Verdict(truth, [Breach(about, since, known.get(about)) for about, since in rows])
        for truth, rows in broken.items()
    ]
    return sorted(found, key=lambda one: one.is_kept)


async def _without_link(session: AsyncSession, rows: Sequence[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """Those whose link is not there in the form either in which links are written: punycode, percent-encoded."""
    query = (
        select(Order.id, Order.target_url, Version.markdown)
        .join(Article, Article.id == Order.article_id)
        .join(Version, Version.id == Article.published_version_id)
        .where(Order.id.in_([UUID(name) for about, _ in rows for _, name in _parts(about)]))
        .where(Article.status == ArticleStatus.PUBLISHED)
    )
    found = {
        f"order/{order_id}"
        for order_id, url, markdown in (await session.execute(query) if rows else ())
        if href_of(url) in markdown
    }
    return [(about, since) for about, since in rows if about not in found]


async def _orders_behind(session: AsyncSession, abouts: set[str]) -> dict[str, tuple[UUID, int]]:
    """The orders that these names lead to, in one query."""
    named = [(kind, UUID(name), about) for about in abouts for kind, name in _parts(about)]
    if not named:
        return {}
    ids = {
        kind: [one for other, one, _ in named if other == kind]
        for kind in ("order", "checkout", "draft", "refund")
    }
    query = (
        select(Order.id, Order.number, Order.checkout_id, Order.draft_id, Refund.id)
        .outerjoin(Refund, Refund.checkout_id == Order.checkout_id)
        .where(
            or_(
                Order.id.in_(ids["order"]),
                Order.checkout_id.in_(ids["checkout"]),
                Order.draft_id.in_(ids["draft"]),
                Refund.id.in_(ids["refund"]),
            )
        )
    )
    known: dict[str, tuple[UUID, int]] = {}
    for order_id, number, checkout_id, draft_id, refund_id in await session.execute(query):
        names = {"order": order_id, "checkout": checkout_id, "draft": draft_id, "refund": refund_id}
        known |= {f"{kind}/{name}": (order_id, number) for kind, name in names.items() if name is not None}
    return known


def _parts(about: str) -> list[tuple[str, str]]:
    kind, _, name = about.partition("/")
    return [(kind, name)] if kind in {"order", "checkout", "draft", "refund"} else []

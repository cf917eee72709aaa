"""Several drafts of one person, paid for on one page. Each becomes an order of its own."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer, joinedload

from models.accounts.tables import Person
from models.base.errors import Invalid, Refusal
from models.base.paging import PAGE_SIZE, Page, decode_cursor, page_of
from models.base.settings import Settings
from models.orders.article_orders import payable_article, sells_articles
from models.orders.drafts import is_taken, payable
from models.orders.states import ArticleStatus, Product
from models.orders.tables import Article, Draft, Site
from models.payments.checkouts import Expected, expect_payment
from models.payments.tables import Checkout

#: How many are paid on one page: what a person can still look over.
MOST: Final = 20
#: Where they are chosen, and where their payment page leads back to.
PLACE: Final = "/orders/basket"


@dataclass(frozen=True, slots=True)
class Choice:
    """An unpaid draft as its owner chooses it. `obstacle` says why it cannot be paid, as far as that is seen at once."""

    draft: Draft
    site: Site
    title: str
    price_cents: int
    currency: str
    obstacle: str | None


async def choices(
    session: AsyncSession, person_id: UUID, settings: Settings, cursor: str | None = None
) -> Page[Choice]:
    """A page of a person's drafts that can be paid, the latest first."""
    query = _unpaid(person_id).limit(PAGE_SIZE + 1)
    if cursor:
        query = query.where(Draft.id < decode_cursor(cursor, UUID)[0])
    rows = [_choice(one, settings) for one in await session.scalars(query)]
    return page_of(rows, PAGE_SIZE, lambda one: [one.draft.id])


async def named(
    session: AsyncSession, person_id: UUID, draft_ids: Collection[UUID], settings: Settings
) -> list[Choice]:
    """Those of these drafts that are the person's and unpaid, the latest first."""
    return [_choice(one, settings) for one in await session.scalars(_named(person_id, draft_ids))]


async def chosen(
    session: AsyncSession, person_id: UUID, draft_ids: Collection[UUID], settings: Settings
) -> Sequence[Choice]:
    """These drafts, if they are the person's and unpaid, and can be paid on one page; else `Invalid`. They are locked
    until the transaction ends, since they are paid for as they stand.
    """
    query = _named(person_id, draft_ids).with_for_update(of=Draft)
    rows = [_choice(one, settings) for one in await session.scalars(query)]
    if len(rows) < len(set(draft_ids)):
        raise Invalid({"draft": "One of them is not here any more. Look at your choice, then pay."})
    must_fit(rows)
    return rows


def _named(person_id: UUID, draft_ids: Collection[UUID]) -> Select[Draft]:
    return _unpaid(person_id).where(Draft.id.in_(draft_ids))


def _unpaid(person_id: UUID) -> Select[Draft]:
    article = joinedload(Draft.article).options(joinedload(Article.site), defer(Article.search))
    mine = (Draft.person_id == person_id, Draft.ordered_at.is_(None), ~is_taken())
    query = select(Draft).options(joinedload(Draft.site), article).where(*mine)
    return query.order_by(Draft.id.desc()).execution_options(populate_existing=True)


def _choice(draft: Draft, settings: Settings) -> Choice:
    if draft.product is Product.ARTICLE:
        assert draft.site is not None, "an article's draft names its site"
        site, title, price = draft.site, draft.topic or "", draft.site.article_price_cents or 0
        is_for_sale, currency = sells_articles(site, settings), site.currency
    else:
        assert draft.article is not None, "a link's draft names its article"
        article, site = draft.article, draft.article.site
        title, price, currency = article.title, article.price_cents, article.currency
        is_for_sale = site.is_open and article.status is ArticleStatus.PUBLISHED
    obstacle = None
    if not is_for_sale:
        obstacle = "It is not for sale any more."
    elif draft.checked_url != draft.target_url:
        obstacle = "We are still looking at its page. Reload in a moment."
    else:
        obstacle = draft.target_problem
    return Choice(draft, site, title, price, currency, obstacle)


def must_fit(chosen: Sequence[Choice]) -> None:
    """Raise `Invalid` unless these can be paid on one page."""
    currencies = sorted({one.currency.upper() for one in chosen})
    if not chosen:
        raise Invalid({"draft": "Choose at least one."})
    if len(chosen) > MOST:
        raise Invalid({"draft": f"Choose at most {MOST}; the others can be paid afterwards."})
    if len(currencies) > 1:
        raise Invalid({"draft": f"Choose one currency only: {' and '.join(currencies)} are paid apart."})


async def ask_for_payment(
    session: AsyncSession, drafts: Sequence[Draft], person: Person, settings: Settings
) -> Checkout:
    """Freeze the prices of checked drafts, which are this person's and fit together, and expect their payment on one
    page; returns the attempt to be opened.

    Raises `Conflict`, `Invalid` or `NotFound` for one that cannot be paid, and for several `Invalid` with what is
    wrong with each, as `draft-<id>`.
    """
    if len(drafts) == 1:
        return await expect_payment(session, await _payable(session, drafts[0], person, settings))
    cancel_path = f"{PLACE}?{'&'.join(f'draft={one.id}' for one in drafts)}"
    things: list[Expected] = []
    problems: dict[str, str] = {}
    for draft in drafts:
        try:
            thing = await _payable(session, draft, person, settings)
        except Refusal as refusal:
            words = refusal.fields.values() if isinstance(refusal, Invalid) else [refusal.words]
            problems[f"draft-{draft.id}"] = " ".join(words)
        else:
            things.append(replace(thing, cancel_path=cancel_path))
    if problems:
        raise Invalid(problems)
    return await expect_payment(session, *things)


async def _payable(session: AsyncSession, draft: Draft, person: Person, settings: Settings) -> Expected:
    if draft.product is Product.ARTICLE:
        return payable_article(draft, person, settings)
    return await payable(session, draft, person, settings)

"""What somebody is about to order: kept on the server, through sign-in, until it is paid for."""

import hashlib
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, exists, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from models.accounts.address import normal_address
from models.accounts.tables import Person
from models.base.clock import now
from models.base.crypto import fingerprint
from models.base.db import changed
from models.base.errors import Conflict, Invalid, NotFound
from models.base.settings import Settings
from models.jobs import enqueue
from models.jobs.limits import host_key
from models.orders.catalogue.denied import denied_for
from models.orders.jobs import CheckTarget, CreateOrder, FollowPayment
from models.orders.quality.domains import registrable_domain
from models.orders.quality.obstacles import anchor_obstacles, order_obstacles, url_obstacles
from models.orders.rules import MAX_NOTES, target_problem
from models.orders.states import ArticleStatus
from models.orders.tables import Article, Draft, Version
from models.orders.text.markdown import is_outgoing, links
from models.payments.checkouts import Expected, must_be_closed
from models.payments.states import CheckoutState
from models.payments.tables import Checkout

#: As many characters as Stripe takes for the name of what is paid for.
MOST_NAME: Final = 250


@dataclass(frozen=True, slots=True)
class Wish:
    """What the order form asks for."""

    email: str
    target_url: str
    anchor_text: str
    notes: str = ""


async def open_article(session: AsyncSession, article_id: UUID | None) -> tuple[Article, Version]:
    """A published article of an open site, with the text that readers see. Raises `NotFound`."""
    row = (
        await session.execute(
            select(Article, Version)
            .join(Version, Version.id == Article.published_version_id)
            .options(joinedload(Article.site))
            .where(Article.id == article_id, Article.status == ArticleStatus.PUBLISHED)
        )
    ).one_or_none()
    if row is None or not row.Article.site.is_open:
        raise NotFound("This article is not for sale.")
    return row.Article, row.Version


async def problems_of(
    session: AsyncSession, wish: Wish, article: Article, version: Version, settings: Settings
) -> dict[str, str]:
    """Everything that is wrong with a wish, by field, before anything is asked of the network."""
    rules = settings.orders
    found: dict[str, str] = {}
    try:
        normal_address(wish.email)
    except Invalid as invalid:
        found |= invalid.fields
    private = rules.allowed_private_targets if settings.app.is_local else ()
    denied = await denied_for(session, settings, wish.target_url)
    if not wish.target_url:
        found["target_url"] = "Enter the address that the link should lead to."
    elif problem := target_problem(wish.target_url, denied, private):
        found["target_url"] = problem
    elif obstacles := url_obstacles(wish.target_url) or order_obstacles(
        version.markdown, url=wish.target_url, max_links=_link_limit(article, version)
    ):
        found["target_url"] = " ".join(obstacles)
    elif registrable_domain(wish.target_url) == registrable_domain(f"https://{article.site.domain}"):
        found["target_url"] = (
            "Enter an address on another site: this publication does not sell links to itself."
        )
    if not wish.anchor_text:
        found["anchor_text"] = "Enter the words that the link should stand on."
    elif obstacles := anchor_obstacles(wish.anchor_text):
        found["anchor_text"] = " ".join(obstacles)
    if len(wish.notes) > MAX_NOTES:
        found["notes"] = f"Shorten the notes to {MAX_NOTES} characters; they have {len(wish.notes)}."
    return found


def _link_limit(article: Article, version: Version) -> int:
    """How many outgoing links the text may have: those that the publication set itself, and those that it sells."""
    outgoing = sum(is_outgoing(link.href) for link in links(version.markdown))
    own = outgoing - article.placement_count
    return own + article.site.max_links_per_article


async def save_draft(
    session: AsyncSession,
    wish: Wish,
    *,
    article_id: UUID,
    browser: str,
    person: Person | None,
    settings: Settings,
    draft_id: UUID | None = None,
) -> Draft:
    """Keep a wish, new or changed, and ask for its target to be looked at. Raises `Invalid` with every problem."""
    article, version = await open_article(session, article_id)
    problems = await problems_of(session, wish, article, version, settings)
    if problems:
        raise Invalid(problems)
    draft = await draft_for(session, draft_id, wish.email, browser, person, article_id=article_id)
    draft.target_url, draft.anchor_text, draft.notes = wish.target_url, wish.anchor_text, wish.notes
    if not settings.orders.check_targets:
        draft.checked_url, draft.target_problem = draft.target_url, None
    await session.flush()
    if draft.checked_url != draft.target_url:
        # Looked at by a worker: a page must not wait for a stranger's server, nor reach into our network.
        draft.target_problem = None
        await enqueue(
            session,
            CheckTarget(draft_id=draft.id),
            # By digest: the key is shown to whoever looks after jobs, the address is not, and it may be long.
            unique=f"check-target/{draft.id}/{hashlib.sha256(draft.target_url.encode()).hexdigest()}",
            limit=host_key(draft.target_url),
        )
    await session.flush()
    return draft


async def draft_for(
    session: AsyncSession,
    draft_id: UUID | None,
    email: str,
    browser: str,
    person: Person | None,
    **ordered: Any,
) -> Draft:
    """The draft that a wish is written into: this one, unless it is or can be paid for as it is, or a new one of what
    is `ordered`.
    """
    if draft_id is None:
        draft = Draft(browser_hash=fingerprint(browser), target_url="", anchor_text="", **ordered)
        session.add(draft)
    else:
        draft = await draft_of(session, draft_id, browser=browser, person=person, is_held=True)
        must_be_unpaid(draft)
        await must_be_closed(session, f"draft/{draft.id}")
    draft.person_id = person.id if person else draft.person_id
    draft.email = person.email if person else normal_address(email)
    draft.updated_at = now()
    return draft


def must_be_unpaid(draft: Draft) -> None:
    """Refuse what would change, or sell again, what somebody has paid for. Raises `Conflict`."""
    if draft.ordered_at is not None:
        raise Conflict("This order has been paid for already.")


async def was_taken(session: AsyncSession, draft: Draft) -> bool:
    """Whether it is paid for, or waits for a bank: then it can neither be changed nor be paid again."""
    query = select(is_taken()).where(Draft.id == draft.id)
    return draft.ordered_at is not None or bool(await session.scalar(query))


def is_taken(*states: CheckoutState) -> ColumnElement[bool]:
    """The same for the drafts of a query, of those that have not become orders yet; or only that in these states."""
    states = states or (CheckoutState.PENDING, CheckoutState.PAID)
    return exists().where(Checkout.subject == func.concat("draft/", Draft.id), Checkout.state.in_(states))


async def draft_of(
    session: AsyncSession, draft_id: UUID, *, browser: str, person: Person | None, is_held: bool = False
) -> Draft:
    """The draft, if it is this person's; or nobody's yet, and this browser's or for this address. Raises `NotFound`.

    `is_held`: locked until the transaction ends, since it is to be changed or paid for as it stands.
    """
    query = (
        select(Draft)
        .options(joinedload(Draft.article).joinedload(Article.site), joinedload(Draft.site))
        .where(Draft.id == draft_id)
        .execution_options(populate_existing=True)
    )
    if is_held:
        query = query.with_for_update(of=Draft)
    draft = (await session.scalars(query)).one_or_none()
    is_mine = draft is not None and (
        draft.person_id == person.id
        if draft.person_id and person
        else draft.person_id is None
        # Or of whoever has proven the address on it: the letter may have been opened on another device.
        and (
            draft.browser_hash == fingerprint(browser) or (person is not None and person.email == draft.email)
        )
    )
    if draft is None or not is_mine:
        raise NotFound("There is no such draft.")
    return draft


async def claim_draft(
    session: AsyncSession, draft_id: UUID, *, browser: str, person: Person, is_held: bool = False
) -> Draft:
    """Give this browser's draft to the person who has just signed in in it. Their address is the order's from now on."""
    draft = await draft_of(session, draft_id, browser=browser, person=person, is_held=is_held)
    if draft.person_id is None:
        claimed = await session.execute(
            update(Draft)
            .where(Draft.id == draft_id, Draft.person_id.is_(None))
            .values(person_id=person.id, email=person.email, updated_at=func.now())
            .returning(Draft.id)
        )
        if claimed.one_or_none() is None:
            raise NotFound("There is no such draft.")
        await session.refresh(draft, ["person_id", "email"])
    return draft


async def note_target(session: AsyncSession, draft_id: UUID, url: str, problem: str | None) -> None:
    """Write down what came of looking at a draft's target, unless it has been changed meanwhile."""
    await session.execute(
        update(Draft)
        .where(Draft.id == draft_id, Draft.target_url == url)
        .values(checked_url=url, target_problem=problem)
    )
    changed(session, f"draft/{draft_id}")


async def payable(session: AsyncSession, draft: Draft, person: Person, settings: Settings) -> Expected:
    """What a checked draft costs now. Raises `Conflict`, `Invalid` or `NotFound` if it cannot be paid."""
    must_be_unpaid(draft)
    if draft.checked_url != draft.target_url:
        raise Conflict("The target is still being looked at. Try again in a moment.")
    article, version = await open_article(session, draft.article_id)
    wish = Wish(draft.email, draft.target_url, draft.anchor_text, draft.notes)
    problems = await problems_of(session, wish, article, version, settings)
    if draft.target_problem:
        problems["target_url"] = draft.target_problem
    if problems:
        raise Invalid(problems)
    description = line_name(draft, article)
    return expected(draft, person, settings, description, article.price_cents, article.currency)


def line_name(draft: Draft, article: Article) -> str:
    """What a placement is called on the payment page and on its invoice: two in one article have different names."""
    target = draft.target_url.partition("://")[2].rstrip("/")
    name = f"Backlink “{draft.anchor_text}” to {target} in “{article.title}”, {article.site.name}"
    return name if len(name) <= MOST_NAME else f"{name[: MOST_NAME - 1]}…"


def expected(
    draft: Draft, person: Person, settings: Settings, description: str, amount_cents: int, currency: str
) -> Expected:
    """The payment of a draft. Once it is paid there is an order, which is told whatever becomes of the money."""
    # Written with the checkout: who would forget the draft in this moment waits, and then finds it in use.
    draft.updated_at = now()
    return Expected(
        subject=f"draft/{draft.id}",
        person_id=person.id,
        email=person.email,
        description=description,
        amount_cents=amount_cents,
        currency=currency,
        when_paid=CreateOrder(draft_id=draft.id),
        when_moved=FollowPayment(),
        return_path=f"/orders/drafts/{draft.id}/order",
        cancel_path=f"/orders/drafts/{draft.id}",
        is_live=settings.stripe.is_live,
    )

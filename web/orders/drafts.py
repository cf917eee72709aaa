"""From an article to a payment: the order form, the draft with its checked target, and the wait for the money."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final
from uuid import UUID

import structlog
from litestar import Controller, Request, Response, get, post
from litestar.params import FromPath, FromQuery
from sqlalchemy.ext.asyncio import AsyncSession
from sse_starlette import EventSourceResponse

from models.base.db import Database
from models.base.errors import Conflict, Invalid, NotFound, Temporary
from models.base.settings import Settings
from models.orders.baskets import ask_for_payment
from models.orders.care.again import wish_like
from models.orders.catalogue.queries import Published, published_article
from models.orders.drafts import claim_draft, draft_of, open_article, problems_of, save_draft, was_taken
from models.orders.queries import payment_of
from models.orders.states import Product
from models.orders.tables import Draft
from models.payments.checkouts import close_checkout, payable_attempts
from models.payments.states import CheckoutState
from models.payments.stripe import Stripe
from models.payments.tables import Checkout
from web.forms import FormData
from web.guards import signed_in
from web.lists import address
from web.live import Moment, stream
from web.orders import onward, whole
from web.orders.catalogue import about, led_on
from web.orders.forms import empty, wish_of
from web.pages import page, redirect
from web.params import Config, Data, KeyRing, Submitted, Templates, Transaction, Who
from web.visitor import Visitor

log = structlog.get_logger(__name__)

AnyRequest = Request[Any, Any, Any]

#: How long a customer waits for Stripe to close the pages on which the draft could be paid as it was.
CLOSING_SECONDS: Final = 20.0
_NOT_CLOSED: Final = (
    "Nothing was changed: the payment page that you opened could not be closed, because the payment service does not"
    " answer. Try again in a minute."
)


class OrderForm(Controller):
    """What is asked before an order. Nobody needs to be signed in to fill it in."""

    path = "/catalogue/{site:str}/{article:str}/order"

    @get()
    async def ask(
        self,
        session: Transaction,
        visitor: Who,
        settings: Config,
        site: FromPath[str],
        article: FromPath[str],
        like: FromQuery[str | None] = None,
    ) -> Response[None]:
        """An empty form, with the address of whoever is signed in; or filled in as an earlier order of theirs was."""
        try:
            found = await published_article(session, site, article, is_for_sale=True)
        except NotFound as missing:
            return await led_on(session, site, article, missing, below=address("/order", like=like or ""))
        values = empty(visitor)
        if like and visitor.person is not None:
            # Whose order it is not, or an id that is none, fills nothing in.
            with suppress(NotFound, ValueError):
                wish = await wish_like(session, UUID(like), visitor.person.id)
                values |= {name: getattr(wish, name) for name in ("target_url", "anchor_text", "notes")}
        return _form(visitor, settings, found, values)

    @post()
    async def save(
        self,
        session: Transaction,
        visitor: Who,
        settings: Config,
        keys: KeyRing,
        form: Submitted,
        site: FromPath[str],
        article: FromPath[str],
    ) -> Response[None]:
        """Keep the wish; then on to the draft, or first to the letter that proves the address."""
        try:
            found = await published_article(session, site, article, is_for_sale=True)
        except NotFound as missing:
            # What was typed goes along.
            return await led_on(session, site, article, missing, below="/order", status=308)
        kept = await _keep(session, visitor, settings, form, found)
        return await onward.go_on(session, visitor, settings, keys, kept)


class Drafts(Controller):
    """Somebody's wish, until it is paid for."""

    path = "/orders/drafts/{draft_id:uuid}"
    guards = [signed_in]  # noqa: RUF012 - Litestar reads it as a class attribute

    @get()
    async def show(
        self, session: Transaction, visitor: Who, settings: Config, draft_id: FromPath[UUID]
    ) -> Response[None]:
        """The wish with its price, and whether its target can be reached."""
        draft = await _claimed(session, visitor, draft_id)
        if await was_taken(session, draft):
            return redirect(f"/orders/drafts/{draft_id}/order")
        return await _draft_page(session, visitor, settings, draft)

    @get("/events", opt={"referrer": "no-referrer"})
    async def events(
        self,
        request: AnyRequest,
        visitor: Who,
        settings: Config,
        pages: Templates,
        draft_id: FromPath[UUID],
    ) -> EventSourceResponse:
        """The same, as the look at the target goes on."""
        person = visitor.somebody

        async def look(session: AsyncSession) -> Moment:
            draft = await draft_of(session, draft_id, browser=visitor.browser, person=person)
            facts = await _facts(session, settings, draft)
            html = pages.render("orders/_draft.html", visitor=visitor, **facts)
            return Moment(html, is_last=not facts["is_being_checked"])

        return stream(request, [f"draft/{draft_id}"], look, visitor=visitor)

    @get("/edit")
    async def edit(
        self, session: Transaction, visitor: Who, settings: Config, draft_id: FromPath[UUID]
    ) -> Response[None]:
        """The order form, filled in."""
        draft = await _claimed(session, visitor, draft_id)
        if await was_taken(session, draft):
            return redirect(f"/orders/drafts/{draft_id}/order")
        if draft.product is Product.ARTICLE:
            return whole.edit_page(visitor, settings, draft)
        found = await _published(session, draft)
        values = {name: getattr(draft, name) for name in ("email", "target_url", "anchor_text", "notes")}
        return _form(visitor, settings, found, values, draft=draft)

    @post("/edit")
    async def change(
        self,
        session: Transaction,
        database: Data,
        visitor: Who,
        settings: Config,
        form: Submitted,
        draft_id: FromPath[UUID],
    ) -> Response[None]:
        """Keep the wish as it is now. A new target is looked at anew, and what was not yet paid on a page that showed
        the old wish cannot be paid there any more.
        """
        # Stripe is asked before the request's own transaction has begun to do anything.
        try:
            async with database.transaction() as looking:
                await _claimed(looking, visitor, draft_id)
                payable = await payable_attempts(looking, f"draft/{draft_id}")
            if payable:
                await _close_pages(database, settings, payable)
        except Conflict as refusal:
            return redirect(f"/orders/drafts/{draft_id}", refusal=refusal.words)
        draft = await _claimed(session, visitor, draft_id)
        if draft.product is Product.ARTICLE:
            kept = await whole.keep(session, visitor, settings, form, whole.site_of(draft), draft)
        else:
            kept = await _keep(session, visitor, settings, form, await _published(session, draft), draft)
        return kept if isinstance(kept, Response) else redirect(f"/orders/drafts/{draft_id}")

    @post("/payment")
    async def pay(
        self, session: Transaction, visitor: Who, settings: Config, draft_id: FromPath[UUID]
    ) -> Response[None]:
        """Freeze the price, and on to the page on which it is paid. Pressed twice, it is the same page."""
        try:
            # What was written before a refusal is taken back; the page below is read after that.
            async with session.begin_nested():
                draft = await _claimed(session, visitor, draft_id, is_held=True)
                checkout = await ask_for_payment(session, [draft], visitor.somebody, settings)
        except (Conflict, Invalid) as refusal:
            return await _not_paid(session, visitor, settings, draft_id, refusal)
        return redirect(f"/payments/{checkout.id}")


class Confirming(Controller):
    """Where the payment page leads back to: the order, as soon as there is one."""

    path = "/orders/drafts/{draft_id:uuid}/order"
    guards = [signed_in]  # noqa: RUF012 - Litestar reads it as a class attribute

    @get()
    async def show(self, session: Transaction, visitor: Who, draft_id: FromPath[UUID]) -> Response[None]:
        """On to the order, or what we know of the payment."""
        order_id, checkout = await payment_of(session, draft_id, visitor.somebody.id)
        if order_id is not None:
            return redirect(f"/orders/{order_id}")
        return page("orders/confirming.html", visitor=visitor, **_payment_facts(draft_id, None, checkout))

    @get("/events")
    async def events(
        self,
        request: AnyRequest,
        session: Transaction,
        visitor: Who,
        pages: Templates,
        draft_id: FromPath[UUID],
    ) -> EventSourceResponse:
        """The same, until the order is there: then htmx asks for the page again and is led to it."""
        person_id = visitor.somebody.id
        _, checkout = await payment_of(session, draft_id, person_id)
        topics = [f"draft/{draft_id}", *([f"checkout/{checkout.id}"] if checkout else [])]

        async def look(session: AsyncSession) -> Moment:
            order_id, checkout = await payment_of(session, draft_id, person_id)
            facts = _payment_facts(draft_id, order_id, checkout)
            html = pages.render("orders/_payment.html", visitor=visitor, **facts)
            return Moment(html, is_last=order_id is not None)

        return stream(request, topics, look, visitor=visitor)


# ---------------------------------------------------------------- who and what
async def _claimed(
    session: AsyncSession, visitor: Visitor, draft_id: UUID, *, is_held: bool = False
) -> Draft:
    person = visitor.somebody
    return await claim_draft(session, draft_id, browser=visitor.browser, person=person, is_held=is_held)


async def _close_pages(database: Database, settings: Settings, attempts: Sequence[UUID]) -> None:
    """Nobody pays any more for a draft as it was. Raises `Conflict` if somebody has, or if Stripe cannot be asked."""
    try:
        async with asyncio.timeout(CLOSING_SECONDS), Stripe(settings.stripe) as stripe:
            for one in attempts:
                await close_checkout(database, stripe, one, public_url=settings.app.public_url)
    except (Temporary, TimeoutError) as error:
        log.warning("orders.page_not_closed", attempts=[str(one) for one in attempts], error=str(error))
        raise Conflict(_NOT_CLOSED) from error


async def _published(session: AsyncSession, draft: Draft) -> Published:
    article, version = await open_article(session, draft.article_id)
    return Published(article, article.site, version)


# ---------------------------------------------------------------- the form
async def _keep(
    session: AsyncSession,
    visitor: Visitor,
    settings: Settings,
    form: FormData,
    found: Published,
    draft: Draft | None = None,
) -> Draft | Response[None]:
    wish, unread = wish_of(form, visitor)
    found.article.site = found.site
    problems = await problems_of(session, wish, found.article, found.version, settings) | unread
    save = partial(
        save_draft,
        session,
        wish,
        article_id=found.article.id,
        browser=visitor.browser,
        person=visitor.person,
        settings=settings,
        draft_id=draft.id if draft else None,
    )
    return await onward.keep(wish, problems, save, partial(_form, visitor, settings, found, draft=draft))


def _form(
    visitor: Visitor,
    settings: Settings,
    found: Published,
    values: Mapping[str, str],
    problems: Mapping[str, str] | None = None,
    *,
    draft: Draft | None = None,
) -> Response[None]:
    return onward.form_page(
        "orders/form.html", visitor, about(found, settings), values, problems or {}, draft
    )


# ---------------------------------------------------------------- the draft
async def _facts(
    session: AsyncSession, settings: Settings, draft: Draft, problem: str | None = None
) -> dict[str, Any]:
    try:
        facts = about(await _published(session, draft), settings)
        is_for_sale = True
    except NotFound:
        assert draft.article is not None, "a link's draft names its article"
        # It was taken offline after the draft was made.
        found = Published(draft.article, draft.article.site, None)  # type: ignore[arg-type]  # `about` reads no text
        facts, is_for_sale = about(found, settings), False
    is_being_checked = draft.checked_url != draft.target_url
    return {
        **facts,
        "draft": draft,
        "is_being_checked": is_being_checked and is_for_sale,
        "target_problem": None if is_being_checked else draft.target_problem,
        "is_for_sale": is_for_sale,
        "problem": problem,
    }


async def _draft_page(
    session: AsyncSession,
    visitor: Visitor,
    settings: Settings,
    draft: Draft,
    *,
    problem: str | None = None,
    status: int = 200,
) -> Response[None]:
    if draft.product is Product.ARTICLE:
        return whole.draft_page(visitor, settings, draft, problem=problem, status=status)
    facts = await _facts(session, settings, draft, problem)
    return page("orders/draft.html", visitor=visitor, status=status, **facts)


async def _not_paid(
    session: AsyncSession, visitor: Visitor, settings: Settings, draft_id: UUID, refusal: Conflict | Invalid
) -> Response[None]:
    """Why it could not be paid, on the draft's own page; or on to the order, if it is paid already."""
    draft = await _claimed(session, visitor, draft_id)
    if await was_taken(session, draft):
        return redirect(f"/orders/drafts/{draft_id}/order", refusal=refusal.words)
    if isinstance(refusal, Invalid):
        words = " ".join(refusal.fields.values())
        return await _draft_page(session, visitor, settings, draft, problem=words, status=422)
    return await _draft_page(session, visitor, settings, draft, problem=refusal.words, status=409)


# ---------------------------------------------------------------- the wait
def _payment_facts(draft_id: UUID, order_id: UUID | None, checkout: Checkout | None) -> dict[str, Any]:
    return {
        "draft_id": draft_id,
        "order_id": order_id,
        "state": checkout.state.value if checkout else "none",
        "is_over": checkout is not None
        and checkout.state in {CheckoutState.EXPIRED, CheckoutState.FAILED, CheckoutState.MISMATCH},
    }

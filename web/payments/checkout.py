"""To Stripe's page and back again. No transaction is open while Stripe is asked, so nothing here takes the
request's own one.
"""

import asyncio
from typing import Any, Final
from uuid import UUID

import structlog
from litestar import Controller, Request, Response, get
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession
from sse_starlette import EventSourceResponse

from models.base.db import Database
from models.base.errors import Conflict, Temporary
from models.base.settings import Settings
from models.payments.checkouts import open_checkout
from models.payments.inbox import look_up
from models.payments.moves import NotOurs, Unknown
from models.payments.queries import Aftermath, aftermaths, own_basket, own_checkout
from models.payments.states import CheckoutState
from models.payments.stripe import PaymentRefused, Stripe
from models.payments.tables import Checkout
from web.guards import signed_in
from web.live import Moment, stream
from web.pages import leave, page, redirect
from web.params import Config, Data, Templates
from web.visitor import Visitor, stranger

log = structlog.get_logger(__name__)

AnyRequest = Request[Any, Any, Any]

#: How long a customer waits for Stripe to open its page, and for us to look up what Stripe has not told yet.
OPENING_SECONDS: Final = 20.0
LOOKING_SECONDS: Final = 3.0

_UNPAID: Final = frozenset(
    {CheckoutState.NEW, CheckoutState.OPEN, CheckoutState.EXPIRED, CheckoutState.FAILED}
)
_PAYABLE: Final = frozenset({CheckoutState.NEW, CheckoutState.OPEN})


class CheckoutPages(Controller):
    """What the customer sees on the way to the payment page, and after it."""

    path = "/payments"
    guards = [signed_in]  # noqa: RUF012 - Litestar reads it as a class attribute

    @get("/{checkout_id:uuid}")
    async def pay(
        self, request: AnyRequest, database: Data, settings: Config, checkout_id: FromPath[UUID]
    ) -> Response[None]:
        """On to the page where this is paid. Opening it again, or reloading after a failure, does no harm."""
        visitor = _visitor(request)
        checkout = await _own(database, visitor, checkout_id)
        try:
            async with asyncio.timeout(OPENING_SECONDS), Stripe(settings.stripe) as stripe:
                url = await open_checkout(database, stripe, checkout.id, public_url=settings.app.public_url)
        except (Temporary, TimeoutError) as error:
            log.warning("payments.unreachable", checkout=str(checkout.id), error=str(error))
            response = page("payments/unreachable.html", visitor=visitor, status=503, checkout=checkout)
            response.headers["Retry-After"] = "30"
            return response
        except Conflict as conflict:
            return await _instead(database, visitor, checkout_id, conflict)
        return leave(url)

    @get("/return/{checkout_id:uuid}")
    async def returned(
        self, request: AnyRequest, database: Data, settings: Config, checkout_id: FromPath[UUID]
    ) -> Response[None]:
        """Back from Stripe's page. Usually the webhook was faster; if not, the payment is looked up here.

        The session's id in the address is not looked at: which session belongs to the checkout, we know.
        """
        visitor = _visitor(request)
        checkout = await _own(database, visitor, checkout_id)
        if checkout.state in _UNPAID and checkout.session_id is not None:
            await _look_up(database, settings, checkout.session_id)
        async with database.transaction() as session:
            shown = await _shown(session, visitor, checkout_id)
        if shown["aftermath"] is Aftermath.DONE and len(shown["basket"]) == 1:
            return redirect(shown["checkout"].return_path)
        return page("payments/return.html", visitor=visitor, **shown)

    @get("/return/{checkout_id:uuid}/events")
    async def events(
        self, request: AnyRequest, database: Data, pages: Templates, checkout_id: FromPath[UUID]
    ) -> EventSourceResponse:
        """The same as it changes, until there is nothing more to wait for."""
        visitor = _visitor(request)
        async with database.transaction() as session:
            basket = (await _shown(session, visitor, checkout_id))["basket"]

        async def look(session: AsyncSession) -> Moment:
            shown = await _shown(session, visitor, checkout_id)
            html = pages.render("payments/_payment_status.html", visitor=visitor, **shown)
            return Moment(html, is_last=not shown["is_waiting"])

        # The second is what the job that follows a payment is about.
        topics = [topic for one in basket for topic in (f"checkout/{one.id}", one.subject)]
        return stream(request, topics, look, visitor=visitor)

    @get("/cancelled/{checkout_id:uuid}")
    async def cancelled(
        self, request: AnyRequest, database: Data, checkout_id: FromPath[UUID]
    ) -> Response[None]:
        """The customer left Stripe's page without paying, or went back to it after paying."""
        checkout = await _own(database, _visitor(request), checkout_id)
        if checkout.state not in _UNPAID:
            return redirect(f"/payments/return/{checkout_id}")
        return redirect(checkout.cancel_path, notice="You left the payment page. Nothing was charged.")


def _visitor(request: AnyRequest) -> Visitor:
    # The guard has looked up who it is, in a transaction that is over.
    return stranger(request)


async def _own(database: Database, visitor: Visitor, checkout_id: UUID) -> Checkout:
    async with database.transaction() as session:
        return await own_checkout(session, checkout_id, visitor.person.id if visitor.person else None)


async def _instead(
    database: Database, visitor: Visitor, checkout_id: UUID, conflict: Conflict
) -> Response[None]:
    """Where to go when this attempt cannot be paid: to the payment that there is, or back to begin anew."""
    checkout = await _own(database, visitor, checkout_id)
    if checkout.state not in _UNPAID:
        return redirect(f"/payments/return/{checkout_id}")
    return redirect(checkout.cancel_path, refusal=conflict.words)


async def _look_up(database: Database, settings: Settings, session_id: str) -> None:
    """Bring the checkout up to date if that is quick. If not, the webhook or the reconciler will."""
    try:
        async with asyncio.timeout(LOOKING_SECONDS), Stripe(settings.stripe) as stripe:
            await look_up(database, stripe, session_id)
    except (Temporary, TimeoutError, PaymentRefused, Unknown, NotOurs) as error:
        log.warning("payments.not_looked_up", session=session_id, error=str(error))


async def _shown(session: AsyncSession, visitor: Visitor, checkout_id: UUID) -> dict[str, Any]:
    """What the page and its stream show. Raises `NotFound` for everybody but the customer."""
    basket = await own_basket(session, checkout_id, visitor.person.id if visitor.person else None)
    checkout = next(one for one in basket if one.id == checkout_id)
    follows = await aftermaths(session, basket)
    # What the least fortunate of them came to.
    order = (Aftermath.STUCK, Aftermath.UNDER_WAY, Aftermath.NONE, Aftermath.DONE)
    is_waiting = (
        checkout.state in _PAYABLE | {CheckoutState.PENDING} or Aftermath.UNDER_WAY in follows.values()
    )
    return {
        "checkout": checkout,
        "basket": basket,
        "follows": follows,
        "aftermath": min(follows.values(), key=order.index),
        "is_waiting": is_waiting,
    }

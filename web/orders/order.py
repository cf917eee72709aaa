"""A customer's orders: the list, the page of one, and what can be decided there."""

from collections.abc import Awaitable, Callable
from typing import Any, Final
from uuid import UUID

from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncSession
from sse_starlette import EventSourceResponse

from models.base.clock import moment_words
from models.base.errors import Conflict, Invalid, NotFound
from models.base.settings import Settings
from models.mail.suppressions import suppression_of
from models.orders.care.messages import mark_read
from models.orders.queries import OrderRow, drafts_of, order_view, orders_of
from models.orders.reviewing import cancel, regenerate, submit
from models.orders.rules import MOVABLE, order_number
from models.orders.states import OrderStatus, Side
from models.orders.tables import Order
from models.payments.states import CheckoutState
from web.forms import read
from web.guards import signed_in
from web.live import Moment, stream
from web.orders.forms import Regenerating, Submitting
from web.orders.showing import facts_of
from web.pages import page, redirect
from web.params import Config, Submitted, Templates, Transaction, Who
from web.visitor import Visitor

AnyRequest = Request[Any, Any, Any]
News = NamedDependency[Redis]

#: What the customer is to do, by status; a moment is put in where one is needed.
NEXT: Final = {
    OrderStatus.PROCESSING: "Nothing: we write when it is ready",
    OrderStatus.QUALITY_CHECK: "Look at it and decide by {moment}",
    OrderStatus.ADMIN_REVIEW: "Nothing: the editor decides",
    OrderStatus.COMPLETED: "Nothing: it is published",
    OrderStatus.FAILED: "Nothing: see what happened",
}


#: Of an order that is under way while its money is not.
RESTING: Final = "Nothing: it rests until its payment is settled"


class Orders(Controller):
    """The orders of whoever is signed in, and nobody else's."""

    path = "/orders"
    guards = [signed_in]  # noqa: RUF012 - Litestar reads it as a class attribute

    @get()
    async def index(
        self, session: Transaction, visitor: Who, cursor: FromQuery[str | None] = None
    ) -> Response[None]:
        """Every order of mine, with what is next for me."""
        person = visitor.somebody
        found = await orders_of(session, person.id, cursor or None)
        rows = [
            {
                "href": f"/orders/{row.id}",
                "number": order_number(row.number),
                "row": row,
                "next": _next(row),
            }
            for row in found.items
        ]
        return page(
            "orders/orders.html",
            visitor=visitor,
            rows=rows,
            drafts=await drafts_of(session, person.id) if not cursor else [],
            paid=await drafts_of(session, person.id, CheckoutState.PAID) if not cursor else [],
            settling=await drafts_of(session, person.id, CheckoutState.PENDING) if not cursor else [],
            suppression=await suppression_of(session, person.email),
            first="/orders" if cursor else None,
            more=f"/orders?cursor={found.next_cursor}" if found.next_cursor else None,
        )

    @get("/{order_id:uuid}")
    async def show(
        self,
        session: Transaction,
        visitor: Who,
        settings: Config,
        redis: News,
        order_id: FromPath[UUID],
        version: FromQuery[str | None] = None,
    ) -> Response[None]:
        """One order, from payment to publication. Whoever opens it has its messages before their eyes."""
        return await _shown(session, visitor, settings, redis, order_id, version=_id(version))

    @get("/{order_id:uuid}/events")
    async def events(
        self,
        request: AnyRequest,
        visitor: Who,
        settings: Config,
        redis: News,
        pages: Templates,
        order_id: FromPath[UUID],
        version: FromQuery[str | None] = None,
    ) -> EventSourceResponse:
        """The same, as it goes on. Progress is told under the order's own name, so one topic is enough."""
        person = visitor.somebody

        async def look(session: AsyncSession) -> Moment:
            view = await order_view(session, order_id, person.id)
            facts = await facts_of(session, redis, settings, view, person, _id(version))
            return Moment(pages.render("orders/_order.html", visitor=visitor, **facts), not facts["is_live"])

        return stream(request, [f"order/{order_id}"], look, visitor=visitor)

    # ------------------------------------------------------------ decisions
    @post("/{order_id:uuid}/regeneration")
    async def ask_again(
        self,
        session: Transaction,
        visitor: Who,
        settings: Config,
        redis: News,
        form: Submitted,
        order_id: FromPath[UUID],
    ) -> Response[None]:
        """Have another version written. Pressed twice, it shows that one is being written."""
        person = visitor.somebody

        async def decide() -> Order:
            asked = read(Regenerating, form)
            return await regenerate(
                session, settings, order_id, person, [asked.reason] if asked.reason else []
            )

        return await _decided(
            session, visitor, settings, redis, order_id, decide, "Another version is on its way."
        )

    @post("/{order_id:uuid}/submission")
    async def hand_over(
        self,
        session: Transaction,
        visitor: Who,
        settings: Config,
        redis: News,
        form: Submitted,
        order_id: FromPath[UUID],
    ) -> Response[None]:
        """Hand the chosen version to the editor, unless there is a newer one than the page showed."""
        person = visitor.somebody

        async def decide() -> Order:
            chosen = read(Submitting, form)
            return await submit(
                session, settings, order_id, chosen.version_id, person, latest_seen=chosen.latest_seen
            )

        return await _decided(
            session, visitor, settings, redis, order_id, decide, "The editor has your version now."
        )

    @post("/{order_id:uuid}/cancellation")
    async def take_back(
        self,
        session: Transaction,
        visitor: Who,
        settings: Config,
        redis: News,
        order_id: FromPath[UUID],
    ) -> Response[None]:
        """Cancel before work begins; the money goes back."""
        person = visitor.somebody

        async def decide() -> Order:
            return await cancel(session, settings, order_id, person)

        words = "Your order is cancelled, and your money is on its way back."
        return await _decided(session, visitor, settings, redis, order_id, decide, words)

    @get(
        [
            "/{order_id:uuid}/regeneration",
            "/{order_id:uuid}/submission",
            "/{order_id:uuid}/cancellation",
        ]
    )
    async def back(self, order_id: FromPath[UUID]) -> Response[None]:
        """A refused decision stands at these addresses; opened again, they are the order."""
        return redirect(f"/orders/{order_id}")


def _next(row: OrderRow) -> str:
    """What a customer may do about an order now."""
    if row.payment_state not in MOVABLE and row.status not in {OrderStatus.COMPLETED, OrderStatus.FAILED}:
        return RESTING
    return NEXT[row.status].format(moment=moment_words(row.review_due_at) if row.review_due_at else "")


def _id(text: str | None) -> UUID | None:
    """An id of an address; what is none chooses nothing."""
    try:
        return UUID(text) if text else None
    except ValueError:
        return None


async def _decided(
    session: AsyncSession,
    visitor: Visitor,
    settings: Settings,
    redis: Redis,
    order_id: UUID,
    decide: Callable[[], Awaitable[Order]],
    words: str,
) -> Response[None]:
    """Do it and go back to the order; if it cannot be done, show the order as it is now and say why.

    What somebody asked for and finds done already, by their own second press, is no error.
    """
    before = await order_view(session, order_id, visitor.somebody.id)
    status = before.order.status
    try:
        # What was written before a refusal is taken back; the page below is read after that.
        async with session.begin_nested():
            await decide()
    except (Conflict, Invalid) as refusal:
        said = " ".join(refusal.fields.values()) if isinstance(refusal, Invalid) else refusal.words
        if isinstance(refusal, Conflict) and status in {OrderStatus.PROCESSING, OrderStatus.ADMIN_REVIEW}:
            return redirect(f"/orders/{order_id}", refusal=said)
        code = 422 if isinstance(refusal, Invalid) else 409
        return await _shown(session, visitor, settings, redis, order_id, problem=said, status=code)
    except NotFound as refusal:
        return await _shown(session, visitor, settings, redis, order_id, problem=refusal.words, status=404)
    return redirect(f"/orders/{order_id}", notice=words)


async def _shown(
    session: AsyncSession,
    visitor: Visitor,
    settings: Settings,
    redis: Redis,
    order_id: UUID,
    *,
    version: UUID | None = None,
    problem: str | None = None,
    status: int = 200,
) -> Response[None]:
    person = visitor.somebody
    view = await order_view(session, order_id, person.id)
    await mark_read(session, order_id, Side.CUSTOMER)
    facts = await facts_of(session, redis, settings, view, person, version)
    return page(
        "orders/order.html",
        visitor=visitor,
        status=status,
        **facts | {"problem": problem},
        suppression=await suppression_of(session, person.email),
        events=f"/orders/{order_id}/events" + (f"?version={version}" if version else ""),
    )

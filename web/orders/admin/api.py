"""The editors' decisions for machines. A token with `admin:write` decides as its owner; a session decides only
within ten minutes of its sign-in, as on the pages.
"""

from typing import Annotated, Any, Final
from uuid import UUID

import msgspec
from litestar import Controller, Request, Response, get, post
from litestar.params import FromPath
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.states import Scope
from models.accounts.tables import Person
from models.base.errors import NotFound
from models.orders.desk.queries import Filter, Found, found_orders
from models.orders.desk.second_person import refund_or_ask, reject_or_ask
from models.orders.reviewing import MAX_REASON, approve, send_back
from models.orders.rules import order_number
from models.orders.states import OrderStatus
from models.orders.tables import Order, Site
from models.orders.writing.commissions import commission
from models.payments.states import PaymentState
from web.guards import RECENT, SignInWanted, scope
from web.json_bodies import json_body, query_as
from web.lists import searched
from web.params import Config, Transaction, Who
from web.visitor import Visitor

AnyRequest = Request[Any, Any, Any]

#: What a decision came to, beside the statuses of orders.
SECOND_PERSON: Final = (
    "Not done yet: so large a refund wants a second person, who finds it on the first admin page."
)

REJECTED: Final = "Rejected. The money is on its way back."
PLACED_ANEW: Final = "The article has changed meanwhile; the link is placed anew."

_Reason = Annotated[str, msgspec.Meta(max_length=MAX_REASON)]


class Approval(msgspec.Struct, forbid_unknown_fields=True):
    """The version that was looked at; approving is refused if another one waits by now."""

    versionId: UUID  # noqa: N815 - the interface is JSON's


class Return(msgspec.Struct, forbid_unknown_fields=True):
    """Why it goes back, as its customer reads it."""

    reason: _Reason
    versionId: UUID | None = None  # noqa: N815 - as above


class Refund(msgspec.Struct, forbid_unknown_fields=True):
    """Why the money goes back."""

    reason: _Reason


class ArticleOrder(msgspec.Struct, forbid_unknown_fields=True):
    """An article to be written for a site."""

    site: str
    topic: str
    keyword: str = ""
    notes: str = ""


def decider(visitor: Visitor) -> Person:
    """Who decides. Raises `SignInWanted` for a session that is too old to decide with."""
    if visitor.scopes is None and not visitor.signed_in_within(RECENT):
        raise SignInWanted(is_again=True)
    return visitor.somebody


class OrdersLooked(msgspec.Struct):
    """Which orders are looked for."""

    q: str = ""
    site: str = ""
    status: OrderStatus | None = None
    payment: PaymentState | None = None
    cursor: str | None = None


class AdminOrders(Controller):
    """Every order, and those that editors place themselves."""

    path = "/api/v1/admin"

    @get("/orders", guards=[scope(Scope.ADMIN_READ)])
    async def index(self, request: AnyRequest, session: Transaction) -> dict[str, Any]:
        """A page of the orders that were searched for, the latest first."""
        looked = query_as(request, OrdersLooked)
        wanted = Filter(searched(looked.q), looked.status, looked.payment, searched(looked.site))
        found = await found_orders(session, wanted, looked.cursor or None)
        return {"orders": [_row(one) for one in found.items], "nextCursor": found.next_cursor}

    @post("/article-orders", status_code=201, guards=[scope(Scope.ADMIN_WRITE)])
    async def order_article(
        self, request: AnyRequest, session: Transaction, visitor: Who, settings: Config
    ) -> dict[str, Any]:
        """Have an article written for a site. Its text waits in a draft of that site."""
        person = decider(visitor)
        told = await json_body(request, ArticleOrder)
        site = (await session.scalars(select(Site).where(Site.slug == told.site))).one_or_none()
        if site is None:
            raise NotFound("There is no site of this name.")
        made = await commission(session, settings, site, told.topic, told.keyword, told.notes, person)
        return {
            "commissionId": str(made.id),
            "articleId": str(made.article_id),
            "jobId": str(made.job_id) if made.job_id else None,
        }


class AdminDecisions(Controller):
    """What editors decide about one order. It is answered with how the order stands then."""

    path = "/api/v1/admin/orders/{order_id:uuid}"
    guards = [scope(Scope.ADMIN_WRITE)]  # noqa: RUF012 - Litestar reads it as a class attribute

    @post("/approve", status_code=200)
    async def approve(
        self,
        request: AnyRequest,
        session: Transaction,
        visitor: Who,
        settings: Config,
        order_id: FromPath[UUID],
    ) -> Response[dict[str, Any]]:
        """Publish the version, or have its link placed anew where the article has changed meanwhile."""
        person = decider(visitor)
        told = await json_body(request, Approval)
        order = await approve(session, settings, order_id, person, seen=told.versionId)
        is_published = order.status is OrderStatus.COMPLETED
        return await _decided(session, order_id, "Published." if is_published else PLACED_ANEW)

    @post("/send-back", status_code=200)
    async def send_back(
        self,
        request: AnyRequest,
        session: Transaction,
        visitor: Who,
        settings: Config,
        order_id: FromPath[UUID],
    ) -> Response[dict[str, Any]]:
        """Return the order to its customer."""
        person = decider(visitor)
        told = await json_body(request, Return)
        await send_back(session, settings, order_id, person, told.reason, seen=told.versionId)
        return await _decided(session, order_id, "It is with the customer now.")

    @post("/reject", status_code=200)
    async def reject(
        self,
        request: AnyRequest,
        session: Transaction,
        visitor: Who,
        settings: Config,
        order_id: FromPath[UUID],
    ) -> Response[dict[str, Any]]:
        """End the order and give the money back."""
        person = decider(visitor)
        told = await json_body(request, Return)
        is_done = await reject_or_ask(session, settings, order_id, person, told.reason, seen=told.versionId)
        return await _decided(session, order_id, REJECTED if is_done else SECOND_PERSON)

    @post("/refund", status_code=200)
    async def refund(
        self,
        request: AnyRequest,
        session: Transaction,
        visitor: Who,
        settings: Config,
        order_id: FromPath[UUID],
    ) -> Response[dict[str, Any]]:
        """Give an ended order's money back."""
        person = decider(visitor)
        told = await json_body(request, Refund)
        is_done = await refund_or_ask(session, settings, order_id, person, told.reason)
        return await _decided(session, order_id, "The refund is on its way." if is_done else SECOND_PERSON)


async def _decided(session: AsyncSession, order_id: UUID, words: str) -> Response[dict[str, Any]]:
    order = await session.get_one(Order, order_id, populate_existing=True)
    data = {"orderId": str(order_id), "status": order.status.value}
    return Response({"success": True, "message": words, "data": data})


def _row(found: Found) -> dict[str, Any]:
    return {
        "orderId": str(found.id),
        "number": order_number(found.number),
        "status": found.status.value,
        "paymentState": found.payment_state.value,
        "amountCents": found.amount_cents,
        "currency": found.currency,
        "isTest": found.is_test,
        "targetUrl": found.target_url,
        "article": found.title,
        "site": found.site_name,
        "customer": found.email,
        "createdAt": found.created_at.isoformat(),
        "updatedAt": found.updated_at.isoformat(),
    }


#: The values that the list can be filtered by, for its description.
FILTERS: Final = {
    "status": [one.value for one in OrderStatus],
    "payment": [one.value for one in PaymentState],
}

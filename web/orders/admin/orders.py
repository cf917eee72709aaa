"""Every order: the list with its search, and the page of one."""

from typing import Any, Final
from uuid import UUID

from litestar import Controller, Request, Response, get
from litestar.params import FromPath, FromQuery

from models.orders.desk.queries import Filter, found_orders, sites
from models.orders.rules import order_number
from models.orders.states import OrderStatus
from models.payments.states import PaymentState
from web.guards import editor
from web.lists import address, listed
from web.orders.admin.dossier import order_page
from web.orders.admin.forms import filter_of
from web.orders.forms import first_values
from web.pages import page
from web.params import Transaction, Who

LIST: Final = "/admin/orders"
STATUSES: Final = {
    OrderStatus.PROCESSING: "In progress",
    OrderStatus.QUALITY_CHECK: "With the customer",
    OrderStatus.ADMIN_REVIEW: "With the editor",
    OrderStatus.COMPLETED: "Published",
    OrderStatus.FAILED: "Failed",
}
PAYMENTS: Final = {
    PaymentState.PAID: "Paid",
    PaymentState.REFUND_PENDING: "Refund on its way",
    PaymentState.REFUNDED: "Refunded",
    PaymentState.PARTIALLY_REFUNDED: "Partly refunded",
    PaymentState.DISPUTED: "Disputed",
    PaymentState.DISPUTE_LOST: "Dispute lost",
    PaymentState.DISPUTE_WON: "Dispute won",
}


class AllOrders(Controller):
    """Orders of everybody."""

    path = LIST
    guards = [editor]  # noqa: RUF012 - Litestar reads it as a class attribute

    @get()
    async def index(
        self,
        request: Request[Any, Any, Any],
        session: Transaction,
        visitor: Who,
        cursor: FromQuery[str | None] = None,
    ) -> Response[None]:
        """A page of the orders that were searched for."""
        fields = first_values(request.query_params.multi_items())
        wanted = filter_of(fields)
        found = await found_orders(session, wanted, cursor or None)
        names = dict(await sites(session))
        chosen = _chosen(wanted, names)
        asked = {name: value for name, value, _ in chosen}
        return page(
            "orders/admin/orders.html",
            visitor=visitor,
            number=order_number,
            wanted=wanted,
            statuses=[("", "Any"), *((one.value, words) for one, words in STATUSES.items())],
            payments=[("", "Any"), *((one.value, words) for one, words in PAYMENTS.items())],
            sites=[("", "Any"), *names.items()],
            chosen=[
                (words, address(LIST, **{key: value for key, value in asked.items() if key != name}))
                for name, _, words in chosen
            ],
            **listed(found, LIST, cursor, **asked),
        )

    @get("/{order_id:uuid}")
    async def show(
        self,
        session: Transaction,
        visitor: Who,
        order_id: FromPath[UUID],
        version: FromQuery[str | None] = None,
    ) -> Response[None]:
        """Everything about one order."""
        return await order_page(session, visitor, order_id, version=version)


def _chosen(wanted: Filter, names: dict[str, str]) -> list[tuple[str, str, str]]:
    """What is searched for: the field of each part, its value, and its words."""
    found = [("q", wanted.query, f"“{wanted.query}”")] if wanted.query else []
    if wanted.status is not None:
        found.append(("status", wanted.status.value, STATUSES[wanted.status]))
    if wanted.payment_state is not None:
        found.append(("payment", wanted.payment_state.value, PAYMENTS[wanted.payment_state]))
    if wanted.site:
        found.append(("site", wanted.site, names.get(wanted.site, wanted.site)))
    return found

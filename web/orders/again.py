"""The articles in which an order's link can be placed once more."""

from uuid import UUID

from litestar import Response, get
from litestar.params import FromPath, FromQuery

from models.base.errors import NotFound
from models.orders.care.again import offers
from models.orders.queries import order_view
from models.orders.rules import order_number
from models.orders.states import OrderStatus, Product
from web.guards import signed_in
from web.lists import listed
from web.pages import page
from web.params import Transaction, Who


@get("/orders/{order_id:uuid}/again", guards=[signed_in])
async def again(
    session: Transaction, visitor: Who, order_id: FromPath[UUID], cursor: FromQuery[str | None] = None
) -> Response[None]:
    """Where else? Each article leads to its order form, filled in as this order was."""
    view = await order_view(session, order_id, visitor.somebody.id)
    if view.order.product is not Product.BACKLINK:
        raise NotFound("This order placed no link.")
    if view.order.status not in {OrderStatus.COMPLETED, OrderStatus.FAILED}:
        raise NotFound("This order is still under way.")
    found = await offers(session, view.order, view.site, cursor or None)
    return page(
        "orders/again.html",
        visitor=visitor,
        order=view.order,
        number=order_number(view.order.number),
        site=view.site,
        article_id=view.order.article_id,
        **listed(found, f"/orders/{order_id}/again", cursor),
    )

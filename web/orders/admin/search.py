"""One search over orders, payments and people, and the page of one customer."""

from typing import Final
from urllib.parse import urlencode
from uuid import UUID

from litestar import Response, get
from litestar.params import FromPath, FromQuery

from models.accounts.states import Role
from models.orders.rules import order_number
from models.orders.search import customer, search
from models.payments.invoices import printed_number
from web.guards import admin, editor
from web.pages import page
from web.params import Transaction, Who

LONGEST: Final = 254


@get("/admin/search", guards=[editor])
async def find(session: Transaction, visitor: Who, q: FromQuery[str] = "") -> Response[None]:
    """Everything that was meant. People are found for admins only."""
    query = "".join(one for one in q.strip() if one.isprintable())[:LONGEST]
    found = await search(session, query, with_people=visitor.has_role(Role.ADMIN))
    return page(
        "orders/admin/search.html",
        visitor=visitor,
        query=query,
        found=found,
        number=order_number,
        all_orders=f"/admin/orders?{urlencode({'q': query})}",
    )


@get("/admin/people/{person_id:uuid}", guards=[admin])
async def show_person(session: Transaction, visitor: Who, person_id: FromPath[UUID]) -> Response[None]:
    """One customer: orders, payments, papers, letters, sessions."""
    found = await customer(session, person_id)
    return page(
        "orders/admin/customer.html",
        visitor=visitor,
        found=found,
        number=order_number,
        papers=[(one, printed_number(one)) for one in found.invoices],
        all_orders=f"/admin/orders?{urlencode({'q': found.person.email})}",
    )

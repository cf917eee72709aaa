"""One search over orders, payments and people, and the page of one customer."""

from uuid import UUID

from litestar import Response, get
from litestar.params import FromPath, FromQuery

from models.accounts.states import Role
from models.orders.desk.search import customer, search
from models.orders.rules import order_number
from models.payments.invoices import printed_number
from web.guards import admin, editor
from web.lists import address, searched
from web.pages import page
from web.params import Transaction, Who


@get("/admin/search", guards=[editor])
async def find(session: Transaction, visitor: Who, q: FromQuery[str] = "") -> Response[None]:
    """Everything that was meant. People are found for admins only."""
    query = searched(q)
    found = await search(session, query, with_people=visitor.has_role(Role.ADMIN))
    return page(
        "orders/admin/search.html",
        visitor=visitor,
        query=query,
        found=found,
        number=order_number,
        all_orders=address("/admin/orders", q=query),
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
        all_orders=address("/admin/orders", q=found.person.email),
    )

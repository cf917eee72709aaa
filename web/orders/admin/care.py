"""What editors do for a customer besides deciding: write to them, and look after a published link."""

from typing import Any
from uuid import UUID

from litestar import Controller, Request, Response, get, post
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession
from sse_starlette import EventSourceResponse

from models.base.errors import Conflict
from models.orders.care.guarantee import check_now
from models.orders.care.messages import mark_read, messages_of
from models.orders.desk.queries import anybodys_order
from models.orders.states import Side
from web.guards import editor
from web.live import Moment, stream
from web.orders.admin.dossier import order_page
from web.orders.messages import sent, thread_page
from web.pages import redirect
from web.params import Submitted, Templates, Transaction, Who


class Care(Controller):
    """Messages to the customer, and the published link."""

    path = "/admin/orders/{order_id:uuid}"
    guards = [editor]  # noqa: RUF012 - Litestar reads it as a class attribute

    @get("/messages")
    async def show(self, session: Transaction, visitor: Who, order_id: FromPath[UUID]) -> Response[None]:
        """What was written, and a form to write more."""
        view, _ = await anybodys_order(session, order_id)
        await mark_read(session, order_id, Side.EDITOR)
        return await thread_page(session, visitor, view, Side.EDITOR)

    @post("/messages")
    async def write(
        self, session: Transaction, visitor: Who, form: Submitted, order_id: FromPath[UUID]
    ) -> Response[None]:
        """Send a message to the customer."""
        view, _ = await anybodys_order(session, order_id)
        return await sent(session, visitor, form, view, Side.EDITOR)

    @get("/messages/events")
    async def events(
        self,
        request: Request[Any, Any, Any],
        session: Transaction,
        visitor: Who,
        pages: Templates,
        order_id: FromPath[UUID],
    ) -> EventSourceResponse:
        """The messages, as they come."""
        await anybodys_order(session, order_id)

        async def look(session: AsyncSession) -> Moment:
            lines = await messages_of(session, order_id)
            return Moment(pages.render("orders/admin/_order_messages.html", visitor=visitor, messages=lines))

        return stream(request, [f"order/{order_id}"], look, visitor=visitor)

    @post("/link-check")
    async def check(self, session: Transaction, visitor: Who, order_id: FromPath[UUID]) -> Response[None]:
        """Have the published link looked at now."""
        try:
            await check_now(session, order_id, visitor.somebody)
        except Conflict as refusal:
            return await order_page(session, visitor, order_id, problem=refusal.words, status=409)
        return redirect(f"/admin/orders/{order_id}#link", notice="The page is looked at. Reload in a moment.")

    @get("/link-check")
    async def back(self, order_id: FromPath[UUID]) -> Response[None]:
        """A refused check stands at this address; opened again, it is the order."""
        return redirect(f"/admin/orders/{order_id}")

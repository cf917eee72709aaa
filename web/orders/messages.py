"""Messages about an order: what its customer writes to the editors, and the page on which that can be done."""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from litestar import Controller, Response, get, post
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.clock import now
from models.base.errors import Conflict, Invalid
from models.orders.care.messages import can_be_written_about, mark_read, messages_of, write_message
from models.orders.queries import OrderView, order_view
from models.orders.rules import order_number
from models.orders.states import Side
from web.forms import FormData, read, shown, text
from web.guards import signed_in
from web.pages import page, redirect
from web.params import Submitted, Transaction, Who
from web.visitor import Visitor


@dataclass(frozen=True, slots=True)
class Writing:
    """A message. How long it may be is said by the rule itself."""

    words: Annotated[str, text(max_length=None, is_prose=True)] = ""


class Messages(Controller):
    """Messages of whoever is signed in, about their own orders."""

    path = "/orders/{order_id:uuid}/messages"
    guards = [signed_in]  # noqa: RUF012 - Litestar reads it as a class attribute

    @get()
    async def show(self, session: Transaction, visitor: Who, order_id: FromPath[UUID]) -> Response[None]:
        """What was written, and a form to write more."""
        view = await order_view(session, order_id, visitor.somebody.id)
        await mark_read(session, order_id, Side.CUSTOMER)
        return await thread_page(session, visitor, view, Side.CUSTOMER)

    @post()
    async def write(
        self, session: Transaction, visitor: Who, form: Submitted, order_id: FromPath[UUID]
    ) -> Response[None]:
        """Send a message to the editors."""
        view = await order_view(session, order_id, visitor.somebody.id)
        return await sent(session, visitor, form, view, Side.CUSTOMER)


async def sent(
    session: AsyncSession, visitor: Visitor, form: FormData, view: OrderView, side: Side
) -> Response[None]:
    """Send what was written and go back to the order; or show it again with what is wrong with it."""
    order_id = view.order.id
    try:
        # What was written before a refusal is taken back; the page below is read after that.
        async with session.begin_nested():
            await write_message(session, order_id, visitor.somebody, side, read(Writing, form).words)
    except (Conflict, Invalid) as refusal:
        words = shown(form).get("words", "")
        return await thread_page(session, visitor, view, side, words=words, refusal=refusal)
    notice = "Sent. We write to you when there is an answer."
    if side is Side.EDITOR:
        notice = "Sent. The customer gets a letter, unless they read it before."
    return redirect(f"{order_href(view, side)}#messages", notice=notice)


async def thread_page(
    session: AsyncSession,
    visitor: Visitor,
    view: OrderView,
    side: Side,
    *,
    words: str = "",
    refusal: Conflict | Invalid | None = None,
) -> Response[None]:
    """The page of an order's messages alone, for the customer or for an editor."""
    href = order_href(view, side)
    return page(
        "orders/writing.html",
        visitor=visitor,
        status=200 if refusal is None else 422 if isinstance(refusal, Invalid) else 409,
        number=order_number(view.order.number),
        article=view.article,
        site=view.site,
        order_href=href,
        action=f"{href}/messages",
        side=side.value,
        messages=await messages_of(session, view.order.id),
        can_write=can_be_written_about(view.order, now()),
        words=words,
        problems=refusal.fields if isinstance(refusal, Invalid) else {},
        problem=refusal.words if isinstance(refusal, Conflict) else None,
    )


def order_href(view: OrderView, side: Side) -> str:
    """The order's page for its customer, or for editors."""
    return f"{'/admin' if side is Side.EDITOR else ''}/orders/{view.order.id}"

"""Refunds that wait for a second person: look, then confirm or decline. For admins who signed in just now."""

from collections.abc import Awaitable, Callable
from typing import Final
from uuid import UUID

from litestar import Controller, Response, get, post
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.tables import Person
from models.base.errors import Conflict, Invalid
from models.orders.desk.second_person import confirm, decline, request_of
from models.orders.rules import order_number
from models.orders.tables import Order
from web.forms import read, shown
from web.guards import RECENT, admin, recently_signed_in
from web.orders.admin.dossier import order_page
from web.orders.admin.forms import Deciding
from web.pages import page, redirect
from web.params import Config, Submitted, Transaction, Who
from web.visitor import Visitor

PLACE: Final = "/admin/refund-requests"


class RefundRequests(Controller):
    """One request at a time."""

    path = f"{PLACE}/{{request_id:uuid}}"
    guards = [admin]  # noqa: RUF012 - Litestar reads it as a class attribute

    @get(["/", "/confirmation", "/refusal"], guards=[recently_signed_in])
    async def ask(self, session: Transaction, visitor: Who, request_id: FromPath[UUID]) -> Response[None]:
        """Should this be refunded?"""
        return await _asking(session, visitor, request_id)

    @post("/confirmation")
    async def confirm(
        self, session: Transaction, visitor: Who, settings: Config, request_id: FromPath[UUID]
    ) -> Response[None]:
        """Yes: it is done now."""

        async def act(person: Person) -> Order:
            return await confirm(session, settings, request_id, person)

        return await _decided(session, visitor, request_id, act, "Confirmed. The refund is on its way.")

    @post("/refusal")
    async def decline(
        self, session: Transaction, visitor: Who, form: Submitted, request_id: FromPath[UUID]
    ) -> Response[None]:
        """No, and why not."""

        async def act(person: Person) -> Order:
            return await decline(session, request_id, person, read(Deciding, form).reason)

        typed = shown(form).get("reason", "")
        return await _decided(session, visitor, request_id, act, "Declined. Nothing was refunded.", typed)


async def _decided(
    session: AsyncSession,
    visitor: Visitor,
    request_id: UUID,
    act: Callable[[Person], Awaitable[Order]],
    words: str,
    typed: str = "",
) -> Response[None]:
    if not visitor.signed_in_within(RECENT):
        return redirect(f"{PLACE}/{request_id}")
    try:
        # What was written before a refusal is taken back; the page below is read after that.
        async with session.begin_nested():
            order = await act(visitor.somebody)
    except Invalid as refusal:
        return await _asking(session, visitor, request_id, typed, refusal.fields)
    except Conflict as refusal:
        waiting = await request_of(session, request_id)
        return await order_page(session, visitor, waiting.order_id, problem=refusal.words, status=409)
    return redirect(f"/admin/orders/{order.id}", notice=words)


async def _asking(
    session: AsyncSession,
    visitor: Visitor,
    request_id: UUID,
    reason: str = "",
    problems: dict[str, str] | None = None,
) -> Response[None]:
    found = await request_of(session, request_id)
    return page(
        "orders/admin/second_person.html",
        visitor=visitor,
        status=422 if problems else 200,
        found=found,
        number=order_number(found.order_number),
        is_own=visitor.person is not None and found.asked_by == visitor.person.id,
        reason=reason,
        problems=problems or {},
    )

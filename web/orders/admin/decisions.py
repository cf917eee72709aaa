"""What editors decide about an order. Each decision has a page that asks for it, for browsers without dialogs and
for whoever has to prove first who they are.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote
from uuid import UUID

from litestar import Controller, Response, get, post
from litestar.params import FromPath, FromQuery
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.tables import Person
from models.base.errors import Conflict, Invalid
from models.orders.desk.queries import Dossier, dossier
from models.orders.desk.second_person import refund_or_ask, reject_or_ask
from models.orders.reviewing import approve, send_back
from models.orders.states import OrderStatus
from models.payments.refunds import refundable
from web.forms import FormData, read, shown
from web.guards import LONGEST_WANTED, RECENT, admin, editor, recently_signed_in
from web.orders.admin.dossier import facts_of, order_page
from web.orders.admin.forms import Deciding
from web.pages import page, redirect
from web.params import Config, Submitted, Transaction, Who
from web.visitor import Visitor


@dataclass(frozen=True, slots=True)
class Decision:
    """A kind of decision: its place below an order's address, and whether it wants a recent sign-in."""

    name: str
    is_fresh: bool = True


APPROVAL: Final = Decision("approval")
RETURN: Final = Decision("return", is_fresh=False)
REJECTION: Final = Decision("rejection")
REFUND: Final = Decision("refund")
#: What is said when one person is not enough.
ASKED: Final = (
    "Not done yet: so large a refund wants a second person. Every other admin sees it on their first page."
)

Act = Callable[[Person, Deciding], Awaitable[str]]


class Decisions(Controller):
    """Approve, send back, reject, refund."""

    path = "/admin/orders/{order_id:uuid}"
    guards = [editor]  # noqa: RUF012 - Litestar reads it as a class attribute

    # ------------------------------------------------------------ asking
    @get("/approval", guards=[recently_signed_in])
    async def ask_approval(
        self, session: Transaction, visitor: Who, order_id: FromPath[UUID], seen: FromQuery[str | None] = None
    ) -> Response[None]:
        """Really publish?"""
        return await _asking(session, visitor, order_id, APPROVAL, {"seen": seen})

    @get("/return")
    async def ask_return(
        self, session: Transaction, visitor: Who, order_id: FromPath[UUID], seen: FromQuery[str | None] = None
    ) -> Response[None]:
        """Why does it go back?"""
        return await _asking(session, visitor, order_id, RETURN, {"seen": seen})

    @get("/rejection", guards=[recently_signed_in])
    async def ask_rejection(
        self,
        session: Transaction,
        visitor: Who,
        order_id: FromPath[UUID],
        seen: FromQuery[str | None] = None,
        reason: FromQuery[str | None] = None,
    ) -> Response[None]:
        """Why is it rejected, and how much goes back?"""
        return await _asking(session, visitor, order_id, REJECTION, {"seen": seen, "reason": reason})

    @get("/refund", guards=[admin, recently_signed_in])
    async def ask_refund(
        self,
        session: Transaction,
        visitor: Who,
        order_id: FromPath[UUID],
        reason: FromQuery[str | None] = None,
    ) -> Response[None]:
        """Why is it refunded, and how much goes back?"""
        return await _asking(session, visitor, order_id, REFUND, {"reason": reason})

    # ------------------------------------------------------------ deciding
    @post("/approval")
    async def approve(
        self, session: Transaction, visitor: Who, settings: Config, form: Submitted, order_id: FromPath[UUID]
    ) -> Response[None]:
        """Publish the version that was looked at."""

        async def act(person: Person, told: Deciding) -> str:
            order = await approve(session, settings, order_id, person, seen=told.seen)
            if order.status is OrderStatus.COMPLETED:
                return "Published. The customer gets a letter."
            return (
                "The article has changed meanwhile, so the link is placed anew. It comes back to the queue."
            )

        return await _decided(session, visitor, form, order_id, APPROVAL, act)

    @post("/return")
    async def send_back(
        self, session: Transaction, visitor: Who, settings: Config, form: Submitted, order_id: FromPath[UUID]
    ) -> Response[None]:
        """Return it to its customer, or show it to them for the first time."""

        async def act(person: Person, told: Deciding) -> str:
            order = await send_back(session, settings, order_id, person, told.reason, seen=told.seen)
            is_explained = order.editor_words is not None
            return f"It is with the customer now{', with your words' if is_explained else ''}."

        return await _decided(session, visitor, form, order_id, RETURN, act)

    @post("/rejection")
    async def reject(
        self, session: Transaction, visitor: Who, settings: Config, form: Submitted, order_id: FromPath[UUID]
    ) -> Response[None]:
        """End it and give the money back."""

        async def act(person: Person, told: Deciding) -> str:
            if not await reject_or_ask(session, settings, order_id, person, told.reason, seen=told.seen):
                return ASKED
            return "Rejected. The money is on its way back, and the customer gets a letter."

        return await _decided(session, visitor, form, order_id, REJECTION, act)

    @post("/refund", guards=[admin])
    async def refund(
        self, session: Transaction, visitor: Who, settings: Config, form: Submitted, order_id: FromPath[UUID]
    ) -> Response[None]:
        """Give an ended order's money back."""

        async def act(person: Person, told: Deciding) -> str:
            if not await refund_or_ask(session, settings, order_id, person, told.reason):
                return ASKED
            return "The refund is on its way."

        return await _decided(session, visitor, form, order_id, REFUND, act)


async def _decided(
    session: AsyncSession, visitor: Visitor, form: FormData, order_id: UUID, decision: Decision, act: Act
) -> Response[None]:
    """Do it and show the order. Whoever comes too late sees the order as it is now, and who was quicker."""
    typed = shown(form)
    if decision.is_fresh and not visitor.signed_in_within(RECENT):
        return redirect(_address(order_id, decision, typed))
    try:
        told = read(Deciding, form)
        # What was written before a refusal is taken back; the page below is read after that.
        async with session.begin_nested():
            words = await act(visitor.somebody, told)
    except Invalid as refusal:
        return await _asking(session, visitor, order_id, decision, typed, refusal.fields)
    except Conflict as refusal:
        return await order_page(session, visitor, order_id, problem=refusal.words, status=409)
    # To where the next order is led on to: the key that comes next is Tab, then Enter.
    return redirect(f"/admin/orders/{order_id}#next", notice=words)


def _address(order_id: UUID, decision: Decision, typed: dict[str, str]) -> str:
    """The page that asks for this decision. What was typed goes along if the way through sign-in can carry it."""
    path = f"/admin/orders/{order_id}/{decision.name}"
    kept = "&".join(f"{name}={quote(typed[name])}" for name in ("seen", "reason") if typed.get(name))
    return f"{path}?{kept}" if kept and len(path) + len(kept) < LONGEST_WANTED else path


async def _asking(
    session: AsyncSession,
    visitor: Visitor,
    order_id: UUID,
    decision: Decision,
    typed: dict[str, Any],
    problems: dict[str, str] | None = None,
) -> Response[None]:
    """The page that asks, or the order if there is nothing to decide any more."""
    found: Dossier = await dossier(session, order_id)
    facts = facts_of(found, await refundable(session, found.view.order.checkout_id), visitor)
    can = {
        APPROVAL: facts["can_review"],
        RETURN: facts["can_review"],
        REJECTION: facts["can_reject"],
        REFUND: facts["can_refund"],
    }
    if not can[decision]:
        words = "There is nothing of this kind to decide about this order as it stands now."
        return await order_page(session, visitor, order_id, problem=words, status=409)
    return page(
        "orders/admin/decision.html",
        visitor=visitor,
        status=422 if problems else 200,
        **facts,
        decision=decision.name,
        seen=typed.get("seen") or found.view.order.submitted_version_id,
        reason=typed.get("reason") or "",
        problems=problems or {},
    )

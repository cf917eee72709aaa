"""Paying for several drafts at once: which of them, what they come to, and on to the one page on which they are paid."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from litestar import Controller, Request, Response, get, post
from litestar.params import FromQuery
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.errors import Invalid, Refusal
from models.base.settings import Settings
from models.orders.baskets import MOST, PLACE, Choice, ask_for_payment, choices, chosen, must_fit, named
from web.guards import signed_in
from web.pages import page, redirect
from web.params import Config, Submitted, Transaction, Who
from web.visitor import Visitor


class Basket(Controller):
    """The unpaid drafts of whoever is signed in. What is chosen stands in the address, so nothing is kept."""

    path = PLACE
    guards = [signed_in]  # noqa: RUF012 - Litestar reads it as a class attribute

    @get()
    async def choose(
        self,
        request: Request[Any, Any, Any],
        session: Transaction,
        visitor: Who,
        settings: Config,
        cursor: FromQuery[str | None] = None,
        onto: FromQuery[str | None] = None,
    ) -> Response[None]:
        """What can be chosen, and what is, on whichever page of it. Whoever has chosen nothing yet finds as much chosen
        as fits. `onto` is the page that a button leads to, along with what is chosen on this one.
        """
        asked = request.query_params
        ids = _ids(asked.getall("draft", [])) if "chosen" in asked or "draft" in asked else None
        return await _shown(session, visitor, settings, ids, cursor=cursor if onto is None else onto)

    @post("/payment")
    async def pay(
        self, session: Transaction, visitor: Who, settings: Config, form: Submitted
    ) -> Response[None]:
        """Freeze the prices, and on to the page on which all of it is paid. Pressed twice, it is the same page."""
        ids, person = _ids(form.get("draft", [])), visitor.somebody
        try:
            # What was written before a refusal is taken back; the page below is read after that.
            async with session.begin_nested():
                drafts = [one.draft for one in await chosen(session, person.id, ids, settings)]
                checkout = await ask_for_payment(session, drafts, person, settings)
        except Refusal as refusal:
            fields = refusal.fields if isinstance(refusal, Invalid) else {"draft": refusal.words}
            # Of one alone, what is wrong is said of a field of its own form.
            problems = {
                name if name.startswith("draft") else "draft": words for name, words in fields.items()
            }
            return await _shown(session, visitor, settings, ids, problems=problems)
        return redirect(f"/payments/{checkout.id}")


async def _shown(
    session: AsyncSession,
    visitor: Visitor,
    settings: Settings,
    ids: Sequence[UUID] | None,
    *,
    cursor: str | None = None,
    problems: Mapping[str, str] | None = None,
) -> Response[None]:
    """The page, with these drafts chosen; those that were refused, or have an obstacle that is seen, are not."""
    person_id, refused = visitor.somebody.id, problems or {}
    found = await choices(session, person_id, settings, cursor or None)
    here = {one.draft.id for one in found.items}
    further = set(ids or ()) - here
    elsewhere = await named(session, person_id, further, settings) if further else []
    payable = [
        one
        for one in (*elsewhere, *found.items)
        if not one.obstacle and f"draft-{one.draft.id}" not in refused
    ]
    picked = _as_much_as_fits(payable) if ids is None else [one for one in payable if one.draft.id in ids]
    shown = problems or _problems(picked)
    return page(
        "orders/basket.html",
        visitor=visitor,
        status=422 if problems else 200,
        elsewhere=elsewhere,
        rows=found.items,
        picked=picked,
        lines=[(one.title, one.price_cents) for one in picked],
        is_payable=bool(picked) and "draft" not in shown,
        problems=shown,
        cursor=cursor,
        following=found.next_cursor,
    )


def _as_much_as_fits(payable: Sequence[Choice]) -> list[Choice]:
    return [one for one in payable if one.currency == payable[0].currency][:MOST]


def _problems(picked: Sequence[Choice]) -> dict[str, str]:
    """Why these do not fit together. That nothing is chosen yet is no mistake."""
    try:
        if picked:
            must_fit(picked)
    except Invalid as refusal:
        return refusal.fields
    return {}


def _ids(typed: Sequence[str]) -> list[UUID]:
    """The drafts that were named, each once. What is no id names none."""
    found: dict[UUID, None] = {}
    for one in typed:
        try:
            found[UUID(one)] = None
        except ValueError:
            continue
    return list(found)

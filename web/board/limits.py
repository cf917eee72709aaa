"""What jobs with a common key are held to: so many at once, so many in a time. For admins to change."""

import re
from dataclasses import dataclass
from typing import Annotated, Any, Final

from litestar import Controller, Response, get, post
from litestar.params import FromQuery
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.audit import audit
from models.base.errors import Conflict, Invalid
from models.jobs.board import held_keys
from models.jobs.limits import set_limit, told
from web.board.addresses import LIMITS
from web.board.forms import LIMIT, Limiting, filled
from web.forms import read, shown, text
from web.guards import admin, analyst
from web.pages import page, redirect
from web.params import Submitted, Transaction, Who
from web.visitor import Visitor

_KEY: Final = re.compile(r"[a-z_]+/(\*|[^\s*]+)")


def _key(typed: str) -> str:
    if _KEY.fullmatch(typed) is None:
        raise ValueError("Write a sort and a name, like host/example.com, or host/* for each host by itself.")
    return typed


@dataclass(frozen=True, slots=True)
class Key:
    """Which jobs are meant."""

    key: Annotated[str, text("Enter the key.", then=_key)]


class Limits(Controller):
    """Limits by key. Those of whole queues stand on the queues' own pages."""

    path = LIMITS
    guards = [analyst]  # noqa: RUF012 - Litestar reads it as a class attribute

    @get()
    async def index(self, session: Transaction, visitor: Who, key: FromQuery[str] = "") -> Response[None]:
        """Every limit, with what it does now; that of `key` is filled into the form."""
        return await _shown(session, visitor, {"key": key}, {})

    @post(guards=[admin])
    async def change(self, session: Transaction, visitor: Who, form: Submitted) -> Response[None]:
        """Hold a key to a limit. With every other field empty, it has none any more."""
        try:
            key, wish = read(Key, form).key, read(Limiting, form)
        except Invalid as refusal:
            return await _shown(session, visitor, shown(form), refusal.fields)
        try:
            async with session.begin_nested():
                await set_limit(session, key, wish.limit, seen=wish.seen)
        except Conflict as refusal:
            return await _shown(session, visitor, shown(form), {"limiting": refusal.words})
        detail = {"max_running": wish.max_running, "rate": wish.rate_count, "seconds": wish.rate_seconds}
        await audit(session, visitor.somebody, "limit.set", f"limit/{key}", **detail)
        return redirect(
            LIMITS, notice=f"{key} is held to this from now on." if wish.limit else f"{key} has no limit now."
        )


async def _shown(
    session: AsyncSession, visitor: Visitor, typed: dict[str, str], problems: Any
) -> Response[None]:
    rows = await held_keys(session)
    there = next((one for one in rows if one.key == typed.get("key")), None)
    return page(
        "board/limits.html",
        visitor=visitor,
        status=422 if problems else 200,
        rows=rows,
        seen=told(there),
        typed=filled(there, LIMIT) | typed,
        problems=problems,
    )

"""What jobs with a common key are held to: so many at once, so many in a time. For admins to change."""

import re
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Final

from litestar import Controller, Request, Response, get, post
from litestar.params import FromQuery
from sqlalchemy.ext.asyncio import AsyncSession
from sse_starlette import EventSourceResponse

from models.accounts.audit import audit
from models.base.errors import Conflict, Invalid
from models.base.settings import Settings
from models.jobs import held
from models.jobs.limits import end_silence, limit_of, set_limit, told
from web.board.addresses import LIMITS
from web.board.forms import LIMIT, Limiting, filled
from web.board.fresh import follow
from web.board.payloads import sees_payload
from web.forms import read, shown, text
from web.guards import admin, analyst, editor
from web.lists import address, listed, printable
from web.pages import page, redirect
from web.params import Config, Submitted, Templates, Transaction, Who
from web.visitor import Visitor

_KEY: Final = re.compile(r"[a-z_]+/(\*|[^\s*]+)")


def _sort_of(key: str) -> str:
    """A key without the name in it, which may be a customer's site."""
    sort, _, name = key.partition("/")
    return key if name == "*" else f"{sort}/…"


def _key(typed: str) -> str:
    if _KEY.fullmatch(typed) is None:
        raise ValueError("Write a sort and a name, like host/example.com, or host/* for each host by itself.")
    if typed.startswith("queue/"):
        raise ValueError("A whole queue is held to a limit on its own page: choose it in the overview.")
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
    async def index(
        self,
        session: Transaction,
        visitor: Who,
        settings: Config,
        key: FromQuery[str] = "",
        cursor: FromQuery[str] = "",
    ) -> Response[None]:
        """The limits, with what they do now; that of `key` is filled into the form."""
        return await _shown(session, visitor, settings, {"key": key}, {}, cursor)

    @get("/events")
    async def events(
        self,
        request: Request[Any, Any, Any],
        visitor: Who,
        settings: Config,
        pages: Templates,
        cursor: FromQuery[str] = "",
    ) -> EventSourceResponse:
        """The limits, as what they do changes."""
        return follow(
            request, visitor, pages, "board/_limits.html", partial(_seen, settings, visitor, cursor)
        )

    @post(guards=[admin])
    async def change(
        self, session: Transaction, visitor: Who, settings: Config, form: Submitted
    ) -> Response[None]:
        """Hold a key to a limit. With every other field empty, it has none any more."""
        try:
            key, wish = read(Key, form).key, read(Limiting, form)
        except Invalid as refusal:
            return await _shown(session, visitor, settings, shown(form), refusal.fields)
        try:
            async with session.begin_nested():
                await set_limit(session, key, wish.limit, seen=wish.seen)
        except Conflict as refusal:
            return await _shown(session, visitor, settings, shown(form), {"limiting": refusal.words})
        await audit(session, visitor.somebody, "limit.set", f"limit/{key}", **changed(wish))
        return redirect(
            LIMITS, notice=f"{key} is held to this from now on." if wish.limit else f"{key} has no limit now."
        )

    @post("/silence-end", guards=[editor])
    async def break_silence(self, session: Transaction, visitor: Who, form: Submitted) -> Response[None]:
        """Let a key go on before the time for which the other side asked."""
        key = read(Key, form).key
        if await end_silence(session, key):
            await audit(session, visitor.somebody, "limit.silence_ended", f"limit/{key}")
        return redirect(LIMITS, notice=f"{key} goes on.")


def changed(wish: Limiting) -> dict[str, int | str | None]:
    """What the log of actions keeps of a change: the limit from now on, and in words what it was."""
    rate = wish.limit.rate if wish.limit else None
    return {
        "max_running": wish.max_running,
        "rate": wish.rate_count,
        "seconds": wish.rate_seconds,
        "burst": rate.at_once if rate else None,
        # Whoever has not seen what it was is refused.
        "was": wish.seen,
    }


async def _shown(
    session: AsyncSession,
    visitor: Visitor,
    settings: Settings,
    typed: dict[str, str],
    problems: Any,
    cursor: str = "",
) -> Response[None]:
    there = await limit_of(session, printable(typed.get("key", "")))
    return page(
        "board/limits.html",
        visitor=visitor,
        status=422 if problems else 200,
        events=address(f"{LIMITS}/events", cursor=cursor),
        seen=told(there),
        typed=filled(there, LIMIT) | typed,
        problems=problems,
        **await _seen(settings, visitor, cursor, session),
    )


async def _seen(settings: Settings, visitor: Visitor, cursor: str, session: AsyncSession) -> dict[str, Any]:
    sees = sees_payload(visitor, settings)
    # A place in this list is a key, and to look from one on tells which keys there are.
    if cursor and not sees:
        raise Invalid({"cursor": "Further limits are shown to editors."})
    return {
        "named": str if sees else _sort_of,
        "sees_all": sees,
        "full": await held.full_keys(session),
        "most": held.KEYS_SHOWN,
        **listed(await held.limits(session, cursor=cursor or None), LIMITS, cursor or None),
    }

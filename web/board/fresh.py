"""The one way in which a page of the board keeps itself fresh."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from litestar import Request
from sqlalchemy.ext.asyncio import AsyncSession
from sse_starlette import EventSourceResponse

from web.live import Moment, stream
from web.pages import Pages
from web.visitor import Visitor

#: A page looks again so often, however much happens: what changes fifty times a second is read as quickly as what
#: changes twice, and nothing has to tell it.
EVERY: Final = 1.0
#: So often if it changes rarely, or looking takes more than indexes.
RARELY: Final = 5.0


def follow(
    request: Request[Any, Any, Any],
    visitor: Visitor,
    pages: Pages,
    template: str,
    seen: Callable[[AsyncSession], Awaitable[dict[str, Any]]],
    *,
    topics: Sequence[str] = (),
    is_over: Callable[[dict[str, Any]], bool] = lambda _: False,
    every: float = EVERY,
) -> EventSourceResponse:
    """The fragment `template` with what is `seen`, as that changes, until it `is_over`; looked at `every` so many seconds.

    `seen` is what the page itself is made of, so both show the same. What people type into stands outside of it.
    """

    async def look(session: AsyncSession) -> Moment:
        found = await seen(session)
        return Moment(pages.render(template, visitor=visitor, **found), is_last=is_over(found))

    return stream(request, topics, look, visitor=visitor, every=every)

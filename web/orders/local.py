"""A page for links of demonstrations to lead to. On one's own machine only."""

from typing import Any

from litestar import Response, get

from web.pages import page
from web.params import Who


@get(["/dev/target", "/dev/target/{name:str}"])
async def target(visitor: Who) -> Response[None]:
    """The same small page at every address below this one, so that different links can be tried."""
    return page("orders/target.html", visitor=visitor)


handlers: list[Any] = [target]

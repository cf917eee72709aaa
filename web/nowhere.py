"""Addresses that lead nowhere. They have a handler so that who asks is known: their page has its usual header."""

from litestar import get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from web.params import Who


# The router does not look back once it has found the beginning of an address, so beginnings are named too.
@get(["/{address:path}", "/account/{address:path}", "/admin/{address:path}"])
async def nowhere(visitor: Who, address: FromPath[str]) -> None:  # noqa: ARG001 - to have the visitor recognised
    """There is no page here."""
    raise NotFoundException


handlers = [nowhere]

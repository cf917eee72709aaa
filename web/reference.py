"""The description of the whole JSON interface, at /api/openapi.json."""

from typing import Any, Final

from litestar import Response, get

from web.jobs.openapi import CHAPTER as JOBS
from web.openapi import document
from web.orders.openapi import CHAPTER as ORDERS
from web.params import Config

CHAPTERS: Final = (ORDERS, JOBS)


@get("/api/openapi.json")
async def openapi(settings: Config) -> Response[dict[str, Any]]:
    """The description of this interface (OpenAPI 3.1)."""
    headers = {"Cache-Control": "public, max-age=300"}
    return Response(document(settings.app.public_url, CHAPTERS), headers=headers)


handlers: Final[list[Any]] = [openapi]

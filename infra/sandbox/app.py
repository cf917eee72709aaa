"""The web application: API, hosted page, control, start page, health."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Any

from litestar import Litestar, Request, Response, get
from litestar.datastructures import State
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from infra.sandbox import control, hosted_page, start_page
from infra.sandbox.api import api
from infra.sandbox.errors import ApiError
from infra.sandbox.sandbox import Sandbox, open_sandbox
from infra.sandbox.settings import Settings

_STATIC = {
    name: (files("infra.sandbox").joinpath(f"static/{name}").read_bytes(), media_type)
    for name, media_type in (("pay.css", "text/css"), ("icon.svg", "image/svg+xml"))
}
_BIGGEST_BODY = 256 * 1024


@get("/static/{name:str}")
async def static(name: FromPath[str]) -> Response[bytes]:
    if name not in _STATIC:
        raise NotFoundException
    content, media_type = _STATIC[name]
    return Response(content, media_type=media_type, headers={"Cache-Control": "no-cache"})


@get("/health")
async def health(state: State) -> dict[str, str]:
    sandbox: Sandbox = state.sandbox
    await sandbox.ledger.pool.fetchval("SELECT 1")
    return {"status": "ok"}


def _refusal(_: Request[Any, Any, Any], error: ApiError) -> Response[dict[str, Any]]:
    return Response(error.body(), status_code=error.status, media_type="application/json")


def build(settings: Settings, *, public_url: str) -> Litestar:
    @asynccontextmanager
    async def life(app: Litestar) -> AsyncIterator[None]:
        async with open_sandbox(settings, public_url=public_url) as sandbox:
            app.state.sandbox = sandbox
            yield

    return Litestar(
        [api, hosted_page.router, control.router, start_page.start, static, health],
        lifespan=[life],
        openapi_config=None,
        logging_config=None,
        exception_handlers={ApiError: _refusal},
        request_max_body_size=_BIGGEST_BODY,
    )

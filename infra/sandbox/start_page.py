"""The first page: what this is, and, while control is on, what happened lately."""

from datetime import UTC, datetime
from typing import Any

from litestar import Request, Response, get

from infra.sandbox.cards import BANK, CARDS
from infra.sandbox.control import is_trusted
from infra.sandbox.pages import page
from infra.sandbox.sandbox import Sandbox


@get("/")
async def start(request: Request[Any, Any, Any]) -> Response[str]:
    sandbox: Sandbox = request.app.state.sandbox
    is_open = is_trusted(request)
    sessions = await _sessions(sandbox) if is_open else []
    deliveries = await _deliveries(sandbox) if is_open else []
    return page("start.html", cards=[*CARDS, BANK], is_open=is_open, sessions=sessions, deliveries=deliveries)


async def _sessions(sandbox: Sandbox) -> list[dict[str, Any]]:
    rows = await sandbox.ledger.pool.fetch(
        "SELECT body FROM object WHERE kind = 'checkout.session' ORDER BY seq DESC LIMIT 20"
    )
    return [
        {**row["body"], "created_at": datetime.fromtimestamp(row["body"]["created"], UTC)} for row in rows
    ]


async def _deliveries(sandbox: Sandbox) -> list[dict[str, Any]]:
    rows = await sandbox.ledger.pool.fetch(
        "SELECT delivery.*, object.body ->> 'type' AS type FROM delivery JOIN object ON object.id = event_id"
        " ORDER BY delivery.id DESC LIMIT 30"
    )
    return [dict(row) for row in rows]

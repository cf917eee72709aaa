"""Lists newest first with Stripe's cursors, and `expand[]`.

Sources: https://docs.stripe.com/api/pagination and https://docs.stripe.com/api/expanding_objects
"""

from typing import Any

from infra.sandbox.errors import invalid, missing
from infra.sandbox.ledger import Object, Transaction

_FAR = 2**60
_MATCHING = """
  SELECT body FROM object
  WHERE kind = $1 AND body @> $2 AND created BETWEEN $3 AND $4
    AND ($5::text[] IS NULL OR body ->> 'type' LIKE ANY ($5))
    AND ($6::boolean IS NULL OR $6 = NOT EXISTS (SELECT FROM undelivered WHERE event_id = object.id))
    AND seq > $7 AND seq < $8
"""
_NEWEST = _MATCHING + "ORDER BY seq DESC LIMIT $9"
_OLDEST = _MATCHING + "ORDER BY seq LIMIT $9"

_REFERENCES = {
    "checkout.session": {"payment_intent"},
    "payment_intent": {"latest_charge"},
    "charge": {"payment_intent"},
    "refund": {"charge", "payment_intent"},
    "dispute": {"charge", "payment_intent"},
}
_DEPTH = 4


async def listing(tx: Transaction, kind: str, url: str, params: dict[str, Any], **equal: Any) -> Object:
    """One page. `equal` holds what the body must contain; `params` the cursor, limit and time bounds."""
    limit = params.get("limit", 10)
    if "starting_after" in params and "ending_before" in params:
        raise invalid("You cannot parameterize both ending_before and starting_after.", param="ending_before")
    first, last = params.get("created", (0, _FAR))
    patterns = params.get("patterns")
    after, before = (
        await _cursor(tx, kind, params, "ending_before"),
        await _cursor(tx, kind, params, "starting_after"),
    )
    rows = await tx.connection.fetch(
        _OLDEST if after is not None else _NEWEST,
        kind,
        {name: value for name, value in equal.items() if value is not None},
        first,
        last,
        patterns,
        params.get("delivery_success"),
        -1 if after is None else after,
        _FAR if before is None else before,
        limit + 1,
    )
    data = [row["body"] for row in rows[:limit]]
    if after is not None:
        data.reverse()
    return {"object": "list", "data": data, "has_more": len(rows) > limit, "url": url}


async def _cursor(tx: Transaction, kind: str, params: dict[str, Any], name: str) -> int | None:
    if name not in params:
        return None
    seq: int | None = await tx.connection.fetchval(
        "SELECT seq FROM object WHERE id = $1 AND kind = $2", params[name], kind
    )
    if seq is None:
        raise missing(kind.rpartition(".")[2], params[name], param=name)
    return seq


async def line_items(tx: Transaction, session_id: str, params: dict[str, Any]) -> Object:
    items = (await tx.hidden(session_id))["line_items"]
    if "starting_after" in params:
        items = items[_index(items, params, "starting_after") + 1 :]
    limit = params.get("limit", 10)
    data = items[:limit]
    if "ending_before" in params:
        items = items[: _index(items, params, "ending_before")]
        data = items[-limit:]
    url = f"/v1/checkout/sessions/{session_id}/line_items"
    return {"object": "list", "data": data, "has_more": len(items) > limit, "url": url}


def _index(items: list[Object], params: dict[str, Any], name: str) -> int:
    for index, item in enumerate(items):
        if item["id"] == params[name]:
            return index
    raise missing("item", params[name], param=name)


async def refunds_of(tx: Transaction, charge_id: str) -> Object:
    return await listing(tx, "refund", f"/v1/charges/{charge_id}/refunds", {}, charge=charge_id)


async def expand(tx: Transaction, body: Object, paths: list[str]) -> Object:
    """Replace ids by their objects along each dotted path; `data.` goes into a list's items."""
    for path in paths:
        steps = path.split(".")
        if len(steps) > _DEPTH:
            raise invalid(
                f"You cannot expand more than {_DEPTH} levels of a property: {path}", param="expand"
            )
        await _follow(tx, body, steps, path)
    return body


async def _follow(tx: Transaction, body: Object, steps: list[str], path: str) -> None:
    if not steps:
        return
    step, *rest = steps
    if body["object"] == "list" and step == "data":
        for item in body["data"]:
            await _follow(tx, item, rest, path)
        return
    match body["object"], step:
        case "checkout.session", "line_items":
            body[step] = await line_items(tx, body["id"], {})
        case "charge", "refunds":
            body[step] = await refunds_of(tx, body["id"])
        case kind, _ if step in _REFERENCES.get(kind, ()):
            if isinstance(body[step], str):
                body[step] = await tx.get(body[step])
        case _ if step in body and body[step] is None:
            return
        case _:
            raise invalid(f"This property cannot be expanded in the sandbox ({path}).", param="expand")
    if body[step] is not None:
        await _follow(tx, body[step], rest, path)

"""The hosted page: where the customer pays, as checkout.stripe.com, with test cards only and no script."""

from typing import Any
from urllib.parse import parse_qsl

from litestar import Request, Response, Router, get, post
from litestar.params import FromPath

from infra.sandbox import pay_form
from infra.sandbox.cards import BANK, CARDS
from infra.sandbox.errors import ApiError
from infra.sandbox.ledger import Object
from infra.sandbox.pages import page
from infra.sandbox.pay_form import PayForm
from infra.sandbox.payments import Attempt, Payer, Result, attempt, confirm, show
from infra.sandbox.sandbox import Sandbox

HttpRequest = Request[Any, Any, Any]


@get("/{session_id:str}")
async def checkout_page(request: HttpRequest, session_id: FromPath[str]) -> Response[str]:
    sandbox: Sandbox = request.app.state.sandbox
    try:
        async with sandbox.ledger.transaction() as tx:
            checkout, hidden, intent = await show(tx, session_id)
            if checkout["status"] == "complete":
                return _finished(checkout)
            if checkout["status"] == "expired" or checkout["expires_at"] <= tx.unix:
                return _expired(checkout)
    except ApiError:
        return _unknown()
    problem = ""
    if request.query_params.get("problem") == "authentication" and intent is not None:
        problem = (intent["last_payment_error"] or {}).get("message", "")
    form = pay_form.blank(checkout["customer_email"])
    form.values |= hidden.get("asked", {})
    return _checkout(checkout, hidden, form, problem=problem, status=422 if problem else 200)


@post("/{session_id:str}", status_code=303)
async def pay(request: HttpRequest, session_id: FromPath[str]) -> Response[Any]:
    sandbox: Sandbox = request.app.state.sandbox
    given = await _posted(request)
    try:
        async with sandbox.ledger.transaction() as tx:
            checkout, hidden, _ = await show(tx, session_id)
            form = pay_form.read(
                given,
                fixed_email=checkout["customer_email"],
                methods=checkout["payment_method_types"],
                now=tx.now,
            )
            if checkout["status"] == "open" and (form.errors or form.card is None):
                return _checkout(checkout, hidden, form, status=422)
            card = form.card or BANK
            payer = Payer(form.values["email"], form.values["name"])
            done = await attempt(tx, session_id, card, payer, settle_after=sandbox.settings.settle_after)
    except ApiError:
        return _unknown()
    if done.result is Result.DECLINED:
        sandbox.courier.wake()
        return _checkout(done.checkout, hidden, form, problem=done.message, status=422)
    return await _onward(sandbox, done)


@get("/{session_id:str}/authentication")
async def authentication_page(request: HttpRequest, session_id: FromPath[str]) -> Response[Any]:
    sandbox: Sandbox = request.app.state.sandbox
    try:
        async with sandbox.ledger.transaction() as tx:
            checkout, _, intent = await show(tx, session_id)
    except ApiError:
        return _unknown()
    if checkout["status"] != "open" or intent is None or intent["status"] != "requires_action":
        return _see(f"/pay/{session_id}")
    return page("authentication.html", checkout=checkout, leads_to=checkout["success_url"])


@post("/{session_id:str}/authentication", status_code=303)
async def authenticate(request: HttpRequest, session_id: FromPath[str]) -> Response[Any]:
    sandbox: Sandbox = request.app.state.sandbox
    answer = (await _posted(request)).get("answer")
    if answer not in {"complete", "fail"}:
        return _see(f"/pay/{session_id}/authentication")
    try:
        async with sandbox.ledger.transaction() as tx:
            done = await confirm(tx, session_id, is_confirmed=answer == "complete")
    except ApiError:
        return _unknown()
    if done.result is Result.DECLINED:
        sandbox.courier.wake()
        return _see(f"/pay/{session_id}?problem=authentication")
    return await _onward(sandbox, done)


router = Router("/pay", route_handlers=[checkout_page, pay, authentication_page, authenticate])


async def _onward(sandbox: Sandbox, done: Attempt) -> Response[Any]:
    """Where the browser goes next; to the shop only after its webhook had a moment to answer."""
    sandbox.courier.wake()
    if done.result is Result.MUST_CONFIRM:
        return _see(f"/pay/{done.checkout['id']}/authentication")
    if done.result is Result.EXPIRED:
        return _expired(done.checkout)
    if done.event_id is not None:
        await sandbox.courier.first_answers(done.event_id)
    return _see(_success_url(done.checkout))


async def _posted(request: HttpRequest) -> dict[str, str]:
    try:
        text = (await request.body()).decode("utf-8")
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=50))
    except ValueError:
        return {}


def _success_url(checkout: Object) -> str:
    url: str = checkout["success_url"]
    return url.replace("{CHECKOUT_SESSION_ID}", checkout["id"])


def _see(url: str) -> Response[None]:
    return Response(None, status_code=303, headers={"Location": url, "Cache-Control": "no-store"})


def _checkout(
    checkout: Object, hidden: Object, form: PayForm, *, problem: str = "", status: int = 200
) -> Response[str]:
    methods = checkout["payment_method_types"]
    cards = [*(CARDS if "card" in methods else ()), *((BANK,) if methods != ["card"] else ())]
    return page(
        "checkout.html",
        status=status,
        leads_to=checkout["success_url"],
        checkout=checkout,
        items=list(zip(hidden["line_items"], hidden["product_descriptions"], strict=True)),
        cards=cards,
        takes_cards="card" in methods,
        form=form,
        problem=problem,
    )


def _finished(checkout: Object) -> Response[str]:
    return page("finished.html", checkout=checkout, onward=_success_url(checkout))


def _expired(checkout: Object) -> Response[str]:
    return page(
        "ended.html",
        status=410,
        title="This checkout has expired",
        words="Nothing was charged. Go back to the shop and start again.",
        back=checkout["cancel_url"],
    )


def _unknown() -> Response[str]:
    return page(
        "ended.html",
        status=404,
        title="There is no such checkout",
        words="The address may be incomplete, or the pay sandbox was emptied since.",
        back=None,
    )

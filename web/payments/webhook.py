"""Where Stripe tells what happened. Verified, written down, answered: Stripe's page waits for the answer before it
sends the customer back, so nothing slow happens here.
"""

from typing import Any, Final

import structlog
from litestar import Request, Response, post
from litestar.enums import MediaType
from litestar.exceptions import ClientException

from models.base.clock import now
from models.base.errors import NotFound
from models.payments.inbox import write_down_event
from models.payments.signatures import Forged, verify
from web.params import Config, Data

log = structlog.get_logger(__name__)

#: Stripe's largest events are a tenth of this.
LARGEST_EVENT: Final = 256 * 1024


@post(
    ["/webhooks/stripe", "/api/v1/purchase/webhook"],
    status_code=200,
    opt={"csrf": False},
    request_max_body_size=LARGEST_EVENT,
    media_type=MediaType.TEXT,
    summary="Events from Stripe",
)
async def stripe_webhook(request: Request[Any, Any, Any], database: Data, settings: Config) -> Response[None]:
    """Write one event down, once. 400 for what Stripe did not sign just now; 404 while no secret is set."""
    secrets = [one.get_secret_value() for one in settings.stripe.webhook_secrets]
    if not secrets:
        raise NotFound
    payload = await request.body()
    try:
        event = verify(payload, request.headers.get("stripe-signature", ""), secrets, now())
    except Forged as forged:
        log.warning("payments.webhook_refused", reason=str(forged), size=len(payload))
        raise ClientException("That was not signed by Stripe.") from forged
    async with database.statement() as session:
        await write_down_event(session, event, is_live=settings.stripe.is_live)
    return Response(None)

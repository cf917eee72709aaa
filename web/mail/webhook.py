"""Where SES tells, through SNS, what became of letters. Verified, written down, answered; a job does the rest."""

from typing import Any, Final

import structlog
from litestar import Request, Response, post
from litestar.enums import MediaType
from litestar.exceptions import ClientException

from models.base.clock import now
from models.base.errors import NotFound, Temporary
from models.mail.inbox import write_down
from models.mail.sns import Forged, check, endpoint_of, read_message, verify
from web.mail.certificates import Certificates
from web.params import Config, Data

log = structlog.get_logger(__name__)

#: SNS messages have at most 256 KiB, and their quotation marks are escaped.
LARGEST_MESSAGE: Final = 512 * 1024

_certificates: Final = Certificates()


@post(
    "/webhooks/ses",
    status_code=200,
    opt={"csrf": False},
    request_max_body_size=LARGEST_MESSAGE,
    media_type=MediaType.TEXT,
    summary="Events from SES, through SNS",
)
async def ses_webhook(
    request: Request[Any, Any, Any], database: Data, settings: Config
) -> Response[str | None]:
    """Write one message down, once. 400 for what SNS did not sign just now for our topic; 404 while none is set."""
    topic = settings.mail.ses_topic
    if topic is None:
        raise NotFound
    payload, at = await request.body(), now()
    try:
        message = read_message(payload)
        check(message, topic=topic, endpoint=settings.mail.sns_endpoint_url or endpoint_of(topic), at=at)
        verify(message, await _certificates.get(message.certificate_url), at)
    except Forged as forged:
        log.warning("mail.webhook_refused", reason=str(forged), size=len(payload))
        raise ClientException("That was not signed by Amazon SNS for us.") from forged
    except Temporary as hiccup:  # SNS tries again when it is told that this was our trouble
        log.warning("mail.certificate_away", reason=str(hiccup))
        return Response("We cannot check the signature right now.", status_code=503)
    async with database.transaction() as session:
        await write_down(session, message)
    return Response(None)

"""Sending through Amazon SES, one attempt per call.

boto3's own retries send a letter up to five times when answers are lost, and SES has no idempotency
token that would stop it. So there is one attempt, and what it proves is left to whoever keeps the row.
"""

import re
from datetime import timedelta
from email.utils import parseaddr
from threading import Lock
from typing import TYPE_CHECKING

from emails.post import AnswerLost, NotAccepted, NotSent, Refused, in_thread

if TYPE_CHECKING:
    from botocore.exceptions import BotoCoreError, ClientError
    from mypy_boto3_sesv2 import SESV2Client
    from mypy_boto3_sesv2.type_defs import SendEmailRequestTypeDef

# https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_MessageTag.html
_TAG = re.compile(r"[A-Za-z0-9_-]{1,256}")

_TOO_FAST = timedelta(seconds=5)
_QUOTA_USED = timedelta(hours=1)  # it is counted over the last 24 hours and comes back little by little
_OUR_ACCESS = timedelta(minutes=10)  # wrong or expired keys: somebody has to look
_THROTTLED = frozenset({"TooManyRequestsException", "ThrottlingException", "Throttling"})


class SesPost:
    """SES in one region. Without keys of its own it uses the machine's role or environment.

    `configuration_set` is what makes SES report deliveries and bounces. `endpoint_url` replaces AWS.
    """

    name = "ses"

    def __init__(
        self,
        region: str,
        *,
        endpoint_url: str | None = None,
        configuration_set: str | None = None,
        access_key_id: str | None = None,
        secret_access_key: str | None = None,
        read_timeout: timedelta = timedelta(seconds=10),
    ) -> None:
        self._region = region
        self._endpoint_url = endpoint_url
        self._configuration_set = configuration_set
        self._access_key_id = access_key_id
        self._secret_access_key = secret_access_key
        self._read_timeout = read_timeout
        self._opening = Lock()
        self._opened: SESV2Client | None = None

    async def send(self, mime: bytes, *, sender: str, to: str, tag: str) -> str | None:
        """See Post.send. The id is SES's MessageId, which its events carry too."""
        if not _TAG.fullmatch(tag):
            raise ValueError(f"SES takes no such tag: {tag!r}")
        return await in_thread(lambda: self._send(mime, sender, to, tag))

    def _send(self, mime: bytes, sender: str, to: str, tag: str) -> str:
        from botocore.exceptions import BotoCoreError, ClientError

        request: SendEmailRequestTypeDef = {
            "FromEmailAddress": parseaddr(sender)[1],  # the envelope's; people see the From in the bytes
            "Destination": {"ToAddresses": [to]},
            "Content": {"Raw": {"Data": mime}},
            "EmailTags": [{"Name": "letter", "Value": tag}],
        }
        if self._configuration_set is not None:
            request["ConfigurationSetName"] = self._configuration_set
        try:
            answer = self._client().send_email(**request)
        except ClientError as error:
            raise _answered(error) from error
        except BotoCoreError as error:
            raise _unanswered(error) from error
        return answer["MessageId"]

    def _client(self) -> "SESV2Client":
        """Made at the first letter: boto3 costs tens of megabytes, and many workers never send one."""
        with self._opening:  # clients may be shared between threads; making one may not
            if self._opened is None:
                import boto3
                from botocore.config import Config

                self._opened = boto3.client(
                    "sesv2",
                    region_name=self._region,
                    endpoint_url=self._endpoint_url,
                    aws_access_key_id=self._access_key_id,
                    aws_secret_access_key=self._secret_access_key,
                    config=Config(
                        retries={"total_max_attempts": 1},
                        connect_timeout=3,
                        read_timeout=self._read_timeout.total_seconds(),
                    ),
                )
            return self._opened


def _answered(error: "ClientError") -> NotSent:
    """What SES's own answer means: https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html"""
    code, reason = error.response["Error"].get("Code", ""), str(error)
    status = error.response["ResponseMetadata"]["HTTPStatusCode"]
    if code == "LimitExceededException" or "quota exceeded" in reason.lower():
        return NotAccepted(reason, _QUOTA_USED)
    if status == 429 or code in _THROTTLED:  # noqa: PLR2004 - Too Many Requests
        return NotAccepted(reason, _TOO_FAST, is_crowded=True)
    if status >= 500:  # noqa: PLR2004 - a fault after the letter may have been taken
        return AnswerLost(reason)
    if status in {401, 403}:
        return NotAccepted(reason, _OUR_ACCESS)
    return Refused(reason)


def _unanswered(error: "BotoCoreError") -> NotSent:
    from botocore import exceptions as e

    reason = str(error)
    if isinstance(error, (e.EndpointConnectionError, e.ConnectTimeoutError, e.ProxyConnectionError)):
        return NotAccepted(reason)
    if isinstance(error, (e.NoCredentialsError, e.PartialCredentialsError, e.CredentialRetrievalError)):
        return NotAccepted(reason, _OUR_ACCESS)
    if isinstance(error, e.ParamValidationError):
        return Refused(reason)
    return AnswerLost(reason)

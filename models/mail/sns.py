"""Whether a message was signed by Amazon SNS, just now, for our topic.

https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message-verify-message-signature.html
What costs nothing is checked first, so that a stranger cannot make us fetch anything.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

import orjson
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from models.base.paging import instant

#: SNS tries for an hour to deliver to HTTPS, and signs once; so much older is a replay.
OLDEST: Final = timedelta(minutes=65)
#: How far its clock may be ahead of ours.
AHEAD: Final = timedelta(minutes=5)

NOTIFICATION: Final = "Notification"
CONFIRMATION: Final = "SubscriptionConfirmation"
GOODBYE: Final = "UnsubscribeConfirmation"

#: The fields that are signed, in their order, by type. One that is not there is left out.
_INVITING: Final = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
_SIGNED: Final[Mapping[str, tuple[str, ...]]] = {
    NOTIFICATION: ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    CONFIRMATION: _INVITING,
    GOODBYE: _INVITING,
}
_OPTIONAL: Final = frozenset({"Subject"})
_CERTIFICATE_PATH: Final = re.compile(r"/SimpleNotificationService-[A-Za-z0-9]{1,64}\.pem")
_TOPIC: Final = re.compile(r"arn:(aws|aws-cn|aws-us-gov):sns:([a-z0-9-]+):[0-9]{12}:[A-Za-z0-9_-]{1,256}")
#: The version that is signed over SHA-256. Topics are made with 1, which is SHA-1 and can be forged one day.
_VERSION: Final = "2"
#: Its own are UUIDs.
_LONGEST_ID: Final = 100


class Forged(Exception):
    """Not a message that SNS signed just now for our topic. The words are for our log, never for who sent it."""


@dataclass(frozen=True, slots=True)
class SnsMessage:
    """A message as it came. Nothing in it is true before `verify`."""

    type: str
    id: str
    topic: str
    sent_at: datetime
    #: What was published; of a confirmation, words for people.
    text: str
    #: What confirms a subscription.
    token: str | None
    certificate_url: str
    signature: bytes
    version: str
    signed: bytes


def endpoint_of(topic: str) -> str:
    """Where SNS answers in the region of this topic (`arn:aws:sns:eu-central-1:123456789012:letters`)."""
    found = _TOPIC.fullmatch(topic)
    if found is None:
        raise ValueError(f"{topic!r} is not the ARN of a topic")
    partition, region = found.groups()
    return f"https://sns.{region}.amazonaws.com" + (".cn" if partition == "aws-cn" else "")


def read_message(payload: bytes) -> SnsMessage:
    """Decode a request's body; raise `Forged` if SNS would not write it so."""
    if b"\\u0000" in payload:
        raise Forged("a character that no database keeps")
    try:
        fields: Any = orjson.loads(payload)
        kind = _text(fields["Type"])
        names = _SIGNED[kind]
        parts = [
            (name, _text(fields[name]))
            for name in names
            if name not in _OPTIONAL or fields.get(name) is not None
        ]
        return SnsMessage(
            type=kind,
            id=fields["MessageId"][:_LONGEST_ID],
            topic=fields["TopicArn"],
            sent_at=instant(fields["Timestamp"]),
            text=fields["Message"],
            token=fields.get("Token"),
            certificate_url=_text(fields["SigningCertURL"]),
            signature=base64.b64decode(_text(fields["Signature"]), validate=True),
            version=_text(fields["SignatureVersion"]),
            signed="".join(f"{name}\n{value}\n" for name, value in parts).encode(),
        )
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError, ValueError, binascii.Error) as error:
        raise Forged(f"not a message of SNS: {error!r}") from error


def check(message: SnsMessage, *, topic: str, endpoint: str, at: datetime) -> None:
    """Refuse what is not for us, not of now, or signed by whom we would not ask; raise `Forged`.

    `endpoint` is where certificates may come from: `endpoint_of(topic)`.
    """
    if message.topic != topic:
        raise Forged(f"another topic: {message.topic}")
    if not at - OLDEST <= message.sent_at <= at + AHEAD:
        raise Forged(f"signed at {message.sent_at.isoformat()}, which is not now")
    if message.version != _VERSION:
        raise Forged(f"signed in version {message.version}: set the topic's SignatureVersion to {_VERSION}")
    try:
        url = urlsplit(message.certificate_url)
    except ValueError as error:
        raise Forged(f"its certificate is nowhere: {error}") from error
    origin = f"{url.scheme}://{url.netloc}"  # a user or a port would be a part of it
    if origin != endpoint or url.query or url.fragment or not _CERTIFICATE_PATH.fullmatch(url.path):
        raise Forged(f"its certificate is not at {endpoint}: {message.certificate_url}")


def read_certificate(pem: bytes) -> x509.Certificate:
    """The certificate in a file that SNS serves; raise `Forged` if there is none."""
    try:
        return x509.load_pem_x509_certificate(pem)
    except ValueError as error:
        raise Forged("its certificate cannot be read") from error


def verify(message: SnsMessage, certificate: x509.Certificate, at: datetime) -> None:
    """Raise `Forged` unless the holder of this certificate, valid now, signed the message."""
    if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
        raise Forged("its certificate is not valid now")
    key = certificate.public_key()
    if not isinstance(key, RSAPublicKey):
        raise Forged("its certificate has no RSA key")
    try:
        key.verify(message.signature, message.signed, PKCS1v15(), SHA256())
    except InvalidSignature:
        raise Forged("the signature does not fit") from None


def _text(value: object) -> str:
    # Only text can be signed: a Message that is a JSON object would be verified as something else than is read.
    if not isinstance(value, str) or not value or "\x00" in value:
        raise TypeError(f"{value!r} is not text")
    return value

"""SNS on loopback: signs messages with a key of its own, serves the certificate, and hears confirmations."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID, uuid4

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from models.base.clock import now

TOPIC = "arn:aws:sns:eu-central-1:123456789012:letters"
PATH = "/SimpleNotificationService-0123abc.pem"
WORDS = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
ORDER = {"Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")}


@cache
def key_of(name: str) -> RSAPrivateKey:
    """A key for each name: making one takes longer than a test."""
    return generate_private_key(65537, 2048)


def certificate_of(
    name: str, *, begins: timedelta = timedelta(days=-1), ends: timedelta = timedelta(days=1)
) -> bytes:
    """A certificate for this name's key, in PEM, issued by an authority of the tests."""

    def named(words: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, words)])

    builder = (
        x509.CertificateBuilder()
        .subject_name(named("sns.amazonaws.com"))
        .issuer_name(named("An authority of the tests"))
        .public_key(key_of(name).public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now() + begins)
        .not_valid_after(now() + ends)
    )
    return builder.sign(key_of("authority"), SHA256()).public_bytes(Encoding.PEM)


@dataclass
class Sns:
    """Amazon's side. `files` are what it serves, by path; `status` what it answers to a confirmation."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    fetched: list[str] = field(default_factory=list)
    confirmed: list[dict[str, str]] = field(default_factory=list)
    status: int = 200

    def begin_anew(self) -> None:
        """Have a certificate that is valid, and no memory."""
        self.files, self.status = {PATH: certificate_of("sns")}, 200
        self.fetched.clear()
        self.confirmed.clear()

    def message(self, text: str = "", *, signer: str = "sns", **fields: str) -> bytes:
        """A signed message as SNS posts it. `fields` replace what it would say."""
        said = {
            "Type": "Notification",
            "MessageId": str(uuid4()),
            "TopicArn": TOPIC,
            "Message": text,
            "Timestamp": now().isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "SignatureVersion": "2",
            "SigningCertURL": self.url + PATH,
        } | fields
        return signed(said, signer)

    def invitation(self, **fields: str) -> bytes:
        """The message that asks whether the subscription is wanted."""
        asked = {
            "Type": "SubscriptionConfirmation",
            "Token": "a-token",
            "SubscribeURL": "https://elsewhere.example/never-opened",
        }
        return self.message("You have chosen to subscribe", **(asked | fields))

    def event(self, letter_id: UUID | None, kind: str, **told: Any) -> bytes:
        """An event of SES about a letter, signed."""
        return self.message(json.dumps(event(letter_id, kind, **told)))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        target = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()
        url = urlsplit(target)
        if url.query:
            self.confirmed.append(dict(parse_qsl(url.query)))
            status, body = self.status, b"<ConfirmSubscriptionResponse/>"
        else:
            self.fetched.append(url.path)
            body = self.files.get(url.path, b"")
            status = 200 if url.path in self.files else 404
        head = f"HTTP/1.1 {status} .\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        writer.close()
        await writer.wait_closed()


def signed(said: dict[str, str], signer: str = "sns") -> bytes:
    """The message with its signature."""
    names = ORDER.get(said["Type"], WORDS)
    signing = "".join(f"{name}\n{said[name]}\n" for name in names if name in said).encode()
    signature = key_of(signer).sign(signing, PKCS1v15(), SHA256())
    return json.dumps(said | {"Signature": base64.b64encode(signature).decode()}).encode()


def event(letter_id: UUID | None, kind: str, **told: Any) -> dict[str, Any]:
    """What SES publishes; `told` is the part that is named for the kind."""
    name = {"DeliveryDelay": "deliveryDelay"}.get(kind, kind.lower())
    tags = {"ses:configuration-set": ["letters"]} | ({"letter": [str(letter_id)]} if letter_id else {})
    at = now().isoformat()
    mail = {"timestamp": at, "messageId": "ses-1", "destination": ["ada@example.com"], "tags": tags}
    body = told if kind in {"Send", "Reject"} else {"timestamp": at} | told
    return {"eventType": kind, "mail": mail, name: body}


@asynccontextmanager
async def serving_sns() -> AsyncIterator[Sns]:
    """SNS while the block lasts, with a certificate that is valid."""
    sns = Sns()
    sns.begin_anew()
    server = await asyncio.start_server(sns.serve, "127.0.0.1", 0)
    sns.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield sns
    server.close()
    await server.wait_closed()

"""A security key made of software: ES256, attestation "none", with a counter, and able to lie.

Written from WebAuthn Level 3 (section 6.1, authenticator data; 6.5.4, attestation objects) and RFC 8949 for CBOR,
so that what the product's own library reads was not also written by it.
"""

import hashlib
import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40


def plain(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def coded(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


def cbor(value: Any) -> bytes:
    """Just enough of RFC 8949: whole numbers, bytes, text and maps."""
    match value:
        case int() if value >= 0:
            return _head(0, value)
        case int():
            return _head(1, -1 - value)
        case bytes():
            return _head(2, len(value)) + value
        case str():
            return _head(3, len(value.encode())) + value.encode()
        case dict():
            return _head(5, len(value)) + b"".join(cbor(key) + cbor(one) for key, one in value.items())
    raise TypeError(value)


def _head(major: int, number: int) -> bytes:
    if number < 24:
        return bytes([major << 5 | number])
    if number < 256:
        return bytes([major << 5 | 24, number])
    return bytes([major << 5 | 25]) + number.to_bytes(2, "big")


@dataclass
class Authenticator:
    """One key of one device. Its fields are what a test lies about."""

    origin: str = "https://galley.test"
    rp_id: str = "galley.test"
    flags: int = PRESENT | VERIFIED
    count: int = 0
    id: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def make(self, options: dict[str, Any]) -> str:
        """What `navigator.credentials.create` would give for these options."""
        assert {one["alg"] for one in options["pubKeyCredParams"]} >= {-7}
        numbers = self.key.public_key().public_numbers()
        cose = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
        attested = bytes(16) + len(self.id).to_bytes(2, "big") + self.id + cbor(cose)
        data = self._data(ATTESTED) + attested
        return self._answer(
            clientDataJSON=coded(self._client("webauthn.create", options)),
            attestationObject=coded(cbor({"fmt": "none", "attStmt": {}, "authData": data})),
            transports=["internal"],
        )

    def sign(self, options: dict[str, Any]) -> str:
        """What `navigator.credentials.get` would give for these options."""
        self.count += 1
        client, data = self._client("webauthn.get", options), self._data()
        signature = self.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(SHA256()))
        return self._answer(
            clientDataJSON=coded(client), authenticatorData=coded(data), signature=coded(signature)
        )

    def _client(self, kind: str, options: dict[str, Any]) -> bytes:
        told = {"type": kind, "challenge": options["challenge"], "origin": self.origin, "crossOrigin": False}
        return json.dumps(told).encode()

    def _data(self, more: int = 0) -> bytes:
        rp = hashlib.sha256(self.rp_id.encode()).digest()
        return rp + bytes([self.flags | more]) + self.count.to_bytes(4, "big")

    def _answer(self, **response: Any) -> str:
        named = {"id": coded(self.id), "rawId": coded(self.id), "type": "public-key"}
        return json.dumps(named | {"response": response, "clientExtensionResults": {}})

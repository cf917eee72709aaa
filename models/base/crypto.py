"""Secrets: making them, storing only what cannot be turned back, and sealing what must be."""

import base64
import hashlib
import hmac
import secrets
from typing import Self

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from models.base.settings import Settings


def new_token() -> str:
    """A secret of 256 bits, safe in URLs and cookies."""
    return secrets.token_urlsafe(32)


def fingerprint(token: str) -> bytes:
    """What we store of a 256-bit token. Plain SHA-256 is right for it: there is nothing to guess."""
    return hashlib.sha256(token.encode()).digest()


class Keys:
    """Every key of the product, derived from `SECRET_KEY` by purpose (HKDF, RFC 5869), so that one leak of a
    derived key tells nothing of the others. Older secrets still open what they sealed.
    """

    def __init__(self, secret_key: str, *older: str) -> None:
        self._secrets = (secret_key, *older)
        boxes = [Fernet(base64.urlsafe_b64encode(_derive(one, "seal"))) for one in self._secrets]
        self._newest, self._box = boxes[0], MultiFernet(boxes)
        self._macs: dict[str, bytes] = {}

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The keys of this installation: SECRET_KEY first, then what OLD_SECRET_KEYS still opens."""
        app = settings.app
        older = (key.strip() for key in app.old_secret_keys.get_secret_value().split(","))
        return cls(app.secret_key.get_secret_value(), *(key for key in older if key))

    def mac(self, purpose: str, *parts: str) -> bytes:
        """A keyed digest of `parts`, for what is short enough to be guessed (codes) or must not be forged (CSRF)."""
        if purpose not in self._macs:
            self._macs[purpose] = _derive(self._secrets[0], purpose)
        return hmac.digest(self._macs[purpose], "\x1f".join(parts).encode(), "sha256")

    def seal(self, plain: bytes) -> bytes:
        """Encrypt and authenticate `plain` for storage."""
        return self._box.encrypt(plain)

    def unseal(self, sealed: bytes) -> bytes:
        """Open what `seal` closed; raise ValueError if the key changed or the bytes were altered."""
        try:
            return self._box.decrypt(sealed)
        except InvalidToken as error:
            raise ValueError("sealed with another SECRET_KEY, or altered") from error

    def reseal(self, sealed: bytes) -> bytes:
        """The same content sealed with the newest secret; `sealed` itself if that has sealed it. Raises as `unseal`."""
        try:
            self._newest.decrypt(sealed)
        except InvalidToken:
            return self.seal(self.unseal(sealed))
        return sealed


def _derive(secret: str, purpose: str) -> bytes:
    return HKDF(SHA256(), 32, salt=b"galley", info=purpose.encode()).derive(secret.encode())


def same(one: bytes, other: bytes) -> bool:
    """Compare without telling by the time it takes where they differ."""
    return hmac.compare_digest(one, other)

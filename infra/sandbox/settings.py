"""What the environment says, read once and refused early."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta


class SettingsRefused(Exception):
    """The sandbox must not start like this; the message is one plain sentence for the person at the terminal."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything the sandbox is told from outside.

    `public_url` may be empty: then it is `http://127.0.0.1:<port>`, known once the port is bound.
    """

    database_url: str
    port: int
    public_url: str
    webhook_urls: tuple[str, ...]
    webhook_secret: str
    is_control_on: bool
    settle_after: timedelta

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "Settings":
        """Raises `SettingsRefused` naming the variable that is missing or wrong."""
        if environ.get("ENVIRONMENT", "").strip().lower() in {"production", "prod"}:
            raise SettingsRefused(
                "The pay sandbox takes no real money and does not run with ENVIRONMENT=production. "
                "Set STRIPE_SECRET_KEY to sell for real."
            )
        urls = tuple(
            url.strip() for url in environ.get("PAY_SANDBOX_WEBHOOK_URL", "").split(",") if url.strip()
        )
        secret = environ.get("PAY_SANDBOX_WEBHOOK_SECRET", "").strip()
        if any(not re.match(r"https?://[^/]", url) for url in urls):
            raise SettingsRefused("PAY_SANDBOX_WEBHOOK_URL must hold http(s) addresses, separated by commas.")
        if urls and not secret:
            raise SettingsRefused("PAY_SANDBOX_WEBHOOK_SECRET must be set when PAY_SANDBOX_WEBHOOK_URL is.")
        if secret and not secret.startswith("whsec_"):
            raise SettingsRefused("PAY_SANDBOX_WEBHOOK_SECRET must begin with whsec_, as Stripe's do.")
        return cls(
            database_url=_database_url(environ.get("DATABASE_URL", "")),
            port=_number(environ, "PAY_SANDBOX_PORT", default=8020, maximum=65535),
            public_url=environ.get("PAY_SANDBOX_URL", "").strip().rstrip("/"),
            webhook_urls=urls,
            webhook_secret=secret,
            is_control_on=_switch(environ, "PAY_SANDBOX_CONTROL"),
            settle_after=timedelta(
                seconds=_number(environ, "PAY_SANDBOX_SETTLE_SECONDS", default=20, maximum=10**7)
            ),
        )


def _database_url(value: str) -> str:
    scheme, separator, rest = value.strip().partition("://")
    if scheme not in {"postgresql", "postgres", "postgresql+asyncpg"} or not separator:
        raise SettingsRefused("DATABASE_URL must be set to a postgresql:// address.")
    return f"postgresql://{rest}"


def _number(environ: Mapping[str, str], name: str, *, default: int, maximum: int) -> int:
    text = environ.get(name, "").strip() or str(default)
    if not text.isascii() or not text.isdigit() or int(text) > maximum:
        raise SettingsRefused(f"{name} must be a whole number from 0 to {maximum}, not {text!r}.")
    return int(text)


def _switch(environ: Mapping[str, str], name: str) -> bool:
    text = environ.get(name, "").strip().lower() or "on"
    if text not in {"on", "off"}:
        raise SettingsRefused(f"{name} must be on or off, not {text!r}.")
    return text == "on"

"""Whether an event was signed by Stripe, and just now.

Not by the library's `construct_event`: that takes a second to import on the one request that Stripe's payment
page waits for, accepts timestamps of next year, and fails on a signed list. The rules are those of
https://docs.stripe.com/webhooks#verify-manually, and a test holds them against the library's own signer.
"""

import hmac
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final

import orjson

from models.payments.facts import EventFacts

#: How far the time of signing may lie back, or ahead.
TOLERANCE: Final = timedelta(seconds=300)
LONGEST_HEADER: Final = 4096


class Forged(Exception):
    """Not an event that Stripe signed just now. The words are for our log, never for who sent it."""


def verify(payload: bytes, header: str, secrets: Iterable[str], at: datetime) -> EventFacts:
    """The event in `payload`, if one of `secrets` signed it within `TOLERANCE` of `at`; else raise `Forged`.

    While a secret is rotated Stripe signs with both, and we know both: any pair that fits is good.
    """
    signed_at, signatures = _parse(header)
    if abs(at.timestamp() - signed_at) > TOLERANCE.total_seconds():
        raise Forged(f"signed at {signed_at}, which is not now")
    message = b"%d.%b" % (signed_at, payload)
    expected = [hmac.digest(secret.encode(), message, "sha256").hex().encode() for secret in secrets]
    # Every pair is compared, so that the time it takes tells nothing.
    if not any([hmac.compare_digest(ours, theirs) for ours in expected for theirs in signatures]):  # noqa: C419
        raise Forged("no signature fits")
    return read_event(payload)


def read_event(payload: bytes) -> EventFacts:
    """An event of either kind: with a snapshot of its object, or thin, naming only the object's id."""
    if b"\\u0000" in payload:
        raise Forged("a character that no database keeps")
    try:
        event: Any = orjson.loads(payload)
        return event_facts(event)
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise Forged(f"not an event: {error!r}") from error


def event_facts(event: Any) -> EventFacts:
    """The facts of a decoded event; raise KeyError, TypeError or AttributeError if it is none."""
    about = event["related_object"] if event["object"] == "v2.core.event" else event["data"]["object"]
    return EventFacts(
        id=_text(event["id"]),
        # Thin events of the first API carry its version in front: v1.checkout.session.completed.
        type=_text(event["type"]).removeprefix("v1."),
        object_id=_text(about["id"]) if about and about.get("id") is not None else None,
        api_version=event.get("api_version"),
        is_live=event["livemode"] is True,
        payload=event,
    )


def _text(value: object) -> str:
    if not isinstance(value, str) or not value or "\x00" in value:
        raise TypeError(f"{value!r} is not a name")
    return value


def _parse(header: str) -> tuple[int, list[bytes]]:
    """The time and every v1 signature of a header like `t=1700000000,v1=5257a8…,v1=6ffbb5…`."""
    if len(header) > LONGEST_HEADER or not header.isascii():
        raise Forged("no header that Stripe would write")
    parts = [part.strip().partition("=") for part in header.split(",")]
    times = [value for name, _, value in parts if name == "t"]
    signatures = [value.encode() for name, _, value in parts if name == "v1"]
    if len(times) != 1 or not times[0].isdigit() or len(times[0]) > len("9999999999") or not signatures:
        raise Forged("no time or no signature in the header")
    return int(times[0]), signatures

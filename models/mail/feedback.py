"""What SES's events say, in the terms of a letter: https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson

from models.mail.states import LetterState as S
from models.mail.states import SuppressionReason

#: Our tag in the mail's tags: the letter's id.
TAG: Final = "letter"
_LONGEST_DETAIL: Final = 300


@dataclass(frozen=True, slots=True)
class Feedback:
    """One event about one letter."""

    type: str
    letter_id: UUID | None
    #: SES's own id of the letter.
    provider_id: str | None
    at: datetime | None
    #: Where the letter is now; None if the event does not move it.
    state: S | None = None
    detail: str | None = None
    #: Why its address is not to be written to any more.
    suppression: SuppressionReason | None = None
    #: It may be about an answer to a letter that did arrive, such as "I am away".
    is_passing: bool = False


def read_feedback(event: Mapping[str, Any]) -> Feedback:
    """What a decoded event says. Raises KeyError, TypeError, ValueError or AttributeError for what is no event."""
    kind, mail = event.get("eventType") or event["notificationType"], event["mail"]
    told = event.get(_BODIES.get(kind, ""), {})
    outcome = _OUTCOMES.get(kind, _nothing)(told)
    return Feedback(
        type=kind,
        letter_id=_letter_of(mail),
        provider_id=mail.get("messageId"),
        at=datetime.fromisoformat(told.get("timestamp") or mail["timestamp"]),
        **outcome,
    )


def decoded(text: str) -> dict[str, Any] | None:
    """The event in a notification's text, or None: SES greets a new topic in plain words."""
    try:
        event = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return event if isinstance(event, dict) else None


def _letter_of(mail: Mapping[str, Any]) -> UUID | None:
    values = (mail.get("tags") or {}).get(TAG) or []
    try:
        return UUID(values[0])
    except (ValueError, IndexError):
        return None


def _nothing(_told: Mapping[str, Any]) -> dict[str, Any]:
    return {}


def _sent(_told: Mapping[str, Any]) -> dict[str, Any]:
    return {"state": S.SENT}


def _delivered(_told: Mapping[str, Any]) -> dict[str, Any]:
    return {"state": S.DELIVERED}


def _bounced(told: Mapping[str, Any]) -> dict[str, Any]:
    """`Permanent` is final. `Transient` (a full mailbox, SES has given up trying) and `Undetermined` may be
    better tomorrow.
    """
    is_permanent = told["bounceType"] == "Permanent"
    words = [str(told["bounceType"]).lower(), str(told.get("bounceSubType", ""))]
    words += [
        str(one["diagnosticCode"]) for one in told.get("bouncedRecipients", []) if one.get("diagnosticCode")
    ]
    return {
        "state": S.BOUNCED,
        "detail": _short(words),
        "suppression": SuppressionReason.BOUNCE if is_permanent else None,
        "is_passing": not is_permanent,
    }


def _complained(told: Mapping[str, Any]) -> dict[str, Any]:
    kind = told.get("complaintFeedbackType")
    if kind == "not-spam":  # somebody has taken it out of the spam folder
        return {}
    return {
        "state": S.COMPLAINED,
        "detail": _short([str(kind or ""), str(told.get("complaintSubType") or "")]),
        "suppression": SuppressionReason.COMPLAINT,
    }


def _rejected(told: Mapping[str, Any]) -> dict[str, Any]:
    return {"state": S.FAILED, "detail": _short(["rejected by SES", str(told.get("reason", ""))])}


def _delayed(told: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "detail": _short(["delayed", str(told.get("delayType", "")), f"until {told.get('expirationTime')}"])
    }


def _short(words: list[str]) -> str:
    return ": ".join(one for one in words if one and one != "None")[:_LONGEST_DETAIL]


#: Where an event of each type keeps what it tells.
_BODIES: Final = {
    "Delivery": "delivery",
    "Bounce": "bounce",
    "Complaint": "complaint",
    "Reject": "reject",
    "DeliveryDelay": "deliveryDelay",
}
_OUTCOMES: Final = {
    "Send": _sent,
    "Delivery": _delivered,
    "Bounce": _bounced,
    "Complaint": _complained,
    "Reject": _rejected,
    "DeliveryDelay": _delayed,
}

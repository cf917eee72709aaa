"""When a letter may be sent again, and when what opens doors is forgotten."""

from datetime import datetime, timedelta
from typing import Final

from models.mail.states import LetterState as S

#: A claim this old belongs to a sender that died between asking and hearing. Longer than any call takes.
CLAIM_LIFE: Final = timedelta(minutes=2)
#: How long an event of the provider may yet tell what became of a letter whose answer was lost.
SETTLING: Final = timedelta(minutes=15)
#: How often a business letter whose answer was lost goes out again. So: at most two of it on the wire.
RESENDS: Final = 1

#: Nothing more is sent from here, so what opens doors is wiped.
FINAL: Final = frozenset({S.SENT, S.FAILED, S.OBSOLETE, S.DELIVERED, S.BOUNCED, S.COMPLAINED})


def is_stale(expires_at: datetime | None, at: datetime) -> bool:
    """Whether a letter is worthless by now: a code that has run out helps nobody."""
    return expires_at is not None and expires_at <= at


def is_sent_again(lost: int, expires_at: datetime | None) -> bool:
    """Whether a letter whose answer was lost `lost` times goes out once more by itself.

    One that expires never does: its reader has a button for another, and two codes in one inbox are a riddle.
    """
    return lost <= RESENDS and expires_at is None

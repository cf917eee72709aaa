"""When a letter may be sent again, when it is withheld, and when what opens doors is forgotten."""

from datetime import datetime, timedelta
from typing import Final

from models.mail.states import LetterState as S

#: A claim this old belongs to a sender that died between asking and hearing. Longer than any call takes.
CLAIM_LIFE: Final = timedelta(minutes=2)
#: How long an event of the provider may yet tell what became of a letter whose answer was lost.
SETTLING: Final = timedelta(minutes=15)
#: For how long a letter waits whose only fault is that too many are sent: RFC 5321, 4.5.4.1, asks for four to five days.
THROTTLED_FOR: Final = timedelta(days=4)
#: How often a business letter whose answer was lost goes out again. So: at most two of it on the wire.
RESENDS: Final = 1

#: The letter that its reader asks for in this moment, in front of the page that waits for it.
SIGN_IN: Final = "accounts.sign_in"
#: After this long a mailbox that bounced may work again.
SECOND_TRY: Final = timedelta(days=1)

#: Nothing more is sent from here, so what opens doors is wiped.
FINAL: Final = frozenset({S.SENT, S.FAILED, S.OBSOLETE, S.WITHHELD, S.DELIVERED, S.BOUNCED, S.COMPLAINED})
#: From here a person may have it sent once more.
RESENDABLE: Final = frozenset({S.FAILED, S.UNKNOWN, S.WITHHELD})


def address_key(address: str) -> str:
    """The form in which addresses are compared: settings may hold capitals, people's addresses never do."""
    return address.strip().lower()


def is_nobodys(address: str) -> bool:
    """Whether no mailbox can have this address (RFC 2606, section 2): it stands for somebody who has left."""
    return address.endswith(".invalid")


def is_stale(expires_at: datetime | None, at: datetime) -> bool:
    """Whether a letter is worthless by now: a code that has run out helps nobody."""
    return expires_at is not None and expires_at <= at


def is_sent_again(lost: int, expires_at: datetime | None) -> bool:
    """Whether a letter whose answer was lost `lost` times goes out once more by itself.

    One that expires never does: its reader has a button for another, and two codes in one inbox are a riddle.
    """
    return lost <= RESENDS and expires_at is None


def can_be_resent(state: S, expires_at: datetime | None) -> bool:
    """Whether a person may have it sent once more. What expires had secrets in it, and those are gone."""
    return state in RESENDABLE and expires_at is None


def is_withheld_from(kind: str, *, is_complaint: bool, since: timedelta) -> bool:
    """Whether letters of this kind are kept from an address that has been suppressed for so long.

    All are but the letter that somebody asks for themselves: without it they could never again reach what they paid
    for, nor say that their mailbox works. Where letters bounced it is tried once a day; a new bounce begins a new day.
    """
    return kind != SIGN_IN or not (is_complaint or since >= SECOND_TRY)

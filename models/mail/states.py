"""The states of a letter, and of what its provider told about it, as drawings."""

from enum import StrEnum

from models.base.states import Moves


class LetterState(StrEnum):
    """How far a letter has come. `unknown` is the honest one: we sent it and the answer was lost."""

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    UNKNOWN = "unknown"
    FAILED = "failed"
    OBSOLETE = "obsolete"
    #: Not sent, because its address takes no letters of ours or its reader does not want such ones.
    WITHHELD = "withheld"
    DELIVERED = "delivered"
    BOUNCED = "bounced"
    COMPLAINED = "complained"


class EventState(StrEnum):
    """How far a message of the provider has come. `ignored`: nothing follows from it."""

    RECEIVED = "received"
    PROCESSED = "processed"
    IGNORED = "ignored"


class SuppressionReason(StrEnum):
    """Why an address is not written to."""

    BOUNCE = "bounce"
    COMPLAINT = "complaint"


S = LetterState
#: Where the provider's events may lead. They overtake our own answer, and come for a copy whose answer was lost.
_TOLD = frozenset({S.SENT, S.FAILED, S.DELIVERED, S.BOUNCED, S.COMPLAINED})
MOVES: Moves[LetterState] = {
    S.QUEUED: _TOLD | {S.SENDING, S.OBSOLETE, S.WITHHELD},
    S.SENDING: _TOLD | {S.QUEUED, S.UNKNOWN},
    S.UNKNOWN: _TOLD | {S.QUEUED, S.OBSOLETE},
    S.SENT: _TOLD - {S.SENT},
    S.DELIVERED: frozenset({S.COMPLAINED, S.BOUNCED}),
    S.FAILED: frozenset({S.QUEUED, S.OBSOLETE, S.DELIVERED, S.BOUNCED, S.COMPLAINED}),
    S.WITHHELD: frozenset({S.QUEUED, S.OBSOLETE}),
    S.OBSOLETE: frozenset(),
    S.BOUNCED: frozenset({S.COMPLAINED}),
    S.COMPLAINED: frozenset(),
}
EVENT_MOVES: Moves[EventState] = {
    EventState.RECEIVED: frozenset({EventState.PROCESSED, EventState.IGNORED}),
    EventState.PROCESSED: frozenset(),
    EventState.IGNORED: frozenset(),
}

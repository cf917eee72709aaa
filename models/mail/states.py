"""The states of a letter, as a drawing."""

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
    DELIVERED = "delivered"
    BOUNCED = "bounced"
    COMPLAINED = "complained"


S = LetterState
MOVES: Moves[LetterState] = {
    S.QUEUED: frozenset({S.SENDING, S.FAILED, S.OBSOLETE}),
    S.SENDING: frozenset({S.SENT, S.QUEUED, S.FAILED, S.UNKNOWN}),
    S.UNKNOWN: frozenset({S.SENT, S.QUEUED, S.FAILED, S.DELIVERED, S.BOUNCED, S.COMPLAINED}),
    S.SENT: frozenset({S.DELIVERED, S.BOUNCED, S.COMPLAINED}),
    S.DELIVERED: frozenset({S.COMPLAINED, S.BOUNCED}),
    S.FAILED: frozenset({S.QUEUED}),
    S.OBSOLETE: frozenset(),
    S.BOUNCED: frozenset(),
    S.COMPLAINED: frozenset(),
}

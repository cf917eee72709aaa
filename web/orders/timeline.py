"""Everything that happened to an order, in the words of its customer."""

from datetime import datetime
from typing import Any, Final

from models.base.clock import day_words
from models.orders.queries import History, LetterSent
from models.orders.states import OrderStatus
from models.orders.tables import Transition
from models.payments.states import RefundState
from models.payments.tables import Refund

Mark = tuple[str, str, str]

#: Each action of a move: its words, tone and icon.
MOVES: Final[dict[str, Mark]] = {
    "paid": ("Paid; your order has begun", "neutral", "receipt"),
    "written": ("Your text is ready", "good", "check"),
    "rebased": ("Your link stands in the changed article", "accent", "check"),
    "held for an editor": ("An editor looks at the text first", "accent", "pen"),
    "no other place": ("No other place fits; your earlier versions stand", "warn", "info"),
    "no other version": ("No further version could be written; your earlier ones stand", "warn", "info"),
    "regenerate": ("Another version asked for", "accent", "loop"),
    "submitted": ("Submitted for review", "accent", "arrow-right"),
    "review time over": ("Submitted by itself: the time to decide was over", "accent", "clock"),
    "approved": ("Approved and published", "good", "check-circle"),
    "rebase": ("The article changed meanwhile; your link is placed anew", "accent", "loop"),
    "shown by the editor": ("The editor has looked; your text is ready", "good", "eye"),
    "promise broken": ("Later than promised; your order goes first now", "warn", "clock"),
    "link lost": ("Our daily check misses your link; it is being put back", "warn", "warning"),
    "link repaired": ("Your link was put back", "good", "check-circle"),
    "link back": ("Your link is in place again", "good", "check-circle"),
    "article missing": ("Our daily check misses your article; an editor mends it", "warn", "warning"),
    "article back": ("Your article is in place again", "good", "check-circle"),
    "link needs an editor": ("An editor looks after your link", "warn", "pen"),
    "undecided": ("Ended: the time to decide was over", "neutral", "clock"),
    "sent back": ("Sent back by the editor", "warn", "return"),
    "generation": ("We could not finish your text", "bad", "cross"),
    "rejected": ("Not accepted by the editor", "bad", "cross"),
    "cancelled": ("Cancelled", "neutral", "minus-circle"),
    "article_gone": ("The article was taken offline", "bad", "cross"),
    "dispute": ("The payment was taken back by the bank", "bad", "scale"),
    "refunded": ("Ended: the payment was refunded", "neutral", "return"),
}
#: Moves whose reason was written for the customer.
SAID: Final = frozenset({"sent back", "shown by the editor", "no other place", "no other version", "rebase"})
ACTORS: Final = {
    "customer": "You",
    "editor": "The editor",
    "writer": "Galley",
    "stripe": "The payment provider",
    "system": "Galley",
}
LETTERS: Final = {
    "request_received": "request received",
    "backlink_ready": "your text is ready",
    "regeneration_ready": "another version is ready",
    "article_ready": "your article is ready",
    "no_other_version": "no other version",
    "submitted_for_review": "submitted for review",
    "sent_back": "sent back by the editor",
    "published": "published",
    "order_failed": "your order could not be finished",
    "cancelled": "your order is cancelled",
    "refunded": "your money is on its way",
    "payment_duplicate_refunded": "a second payment goes back",
    "review_reminder": "a version waits for you",
    "link_lost": "your link was lost",
    "link_repaired": "your link is back",
    "article_missing": "your article is missing",
    "article_back": "your article is back",
    "promise_late": "later than promised",
    "new_message": "a message about your order",
}
#: How a letter came out, where its customer should know.
STATES: Final[dict[str, Mark]] = {
    "queued": ("is about to be sent", "neutral", "mail"),
    "sending": ("is being sent", "neutral", "mail"),
    "sent": ("sent", "neutral", "mail"),
    "delivered": ("delivered", "neutral", "mail"),
    "unknown": ("sent, perhaps twice", "warn", "mail"),
    "bounced": ("came back: your mailbox did not take it", "bad", "return"),
    "failed": ("could not be sent", "bad", "warning"),
    "withheld": ("was not sent: you want none like it, or your mailbox takes none", "warn", "mail"),
    "complained": ("was marked as unwanted", "warn", "flag"),
}
REFUNDS: Final[dict[RefundState, Mark]] = {
    RefundState.ASKED: ("Refund asked for", "accent", "return"),
    RefundState.PENDING: ("Refund on its way", "accent", "clock"),
    RefundState.SUCCEEDED: ("Refunded", "good", "return"),
    RefundState.FAILED: ("The refund did not go through; we look after it", "bad", "warning"),
}


def events_of(history: History, email: str) -> list[dict[str, Any]]:
    """Moves, letters and refunds in one list, newest first, as the shell's timeline wants them."""
    found = [_move(one) for one in history.transitions]
    found += [_letter(one, email) for one in history.letters if one.state in STATES]
    found += [_refund(one) for one in history.refunds]
    # Sorted by time alone: what happened in one transaction keeps its order.
    return sorted(found, key=lambda event: event["at"])[::-1]


def _event(at: datetime, mark: Mark, actor: str, text: str | None = None) -> dict[str, Any]:
    title, tone, icon = mark
    return {"at": at, "title": title, "actor": actor, "text": text, "tone": tone, "icon": icon}


def _move(move: Transition) -> dict[str, Any]:
    unknown = (move.action.replace("_", " ").capitalize(), "neutral", "circle")
    # What is said of a failure to a customer is written for them; the reason of other moves may be a list of codes.
    is_told = move.to_status is OrderStatus.FAILED or move.action in SAID
    mark = MOVES.get(move.action, unknown)
    return _event(move.at, mark, ACTORS.get(move.actor, "Galley"), move.reason if is_told else None)


def _letter(letter: LetterSent, email: str) -> dict[str, Any]:
    words, tone, icon = STATES[letter.state]
    name = LETTERS.get(letter.kind.removeprefix("orders."), "about your order")
    return _event(letter.at, (f"Letter “{name}” {words}", tone, icon), f"To {email}")


def _refund(refund: Refund) -> dict[str, Any]:
    return _event(refund.settled_at or refund.created_at, REFUNDS[refund.state], "Galley")


def expected_words(settled_at: datetime | None, state: RefundState) -> str:
    """When the money of a refund can be expected on the customer's account."""
    if state is RefundState.SUCCEEDED and settled_at is not None:
        return (
            f"Given back on {day_words(settled_at)}. Banks take five to ten days to show it on your account."
        )
    if state is RefundState.FAILED:
        return "The bank did not take it yet. We have been told and look after it; you need to do nothing."
    return "On its way. Banks usually take five to ten days to show it on your account."

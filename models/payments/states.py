"""The states of a checkout and of a refund, as drawings."""

from enum import StrEnum

from models.base.states import Moves


class CheckoutState(StrEnum):
    """One attempt to pay. `pending` is a bank method that settles days later."""

    NEW = "new"
    OPEN = "open"
    PENDING = "pending"
    PAID = "paid"
    FAILED = "failed"
    EXPIRED = "expired"
    MISMATCH = "mismatch"


C = CheckoutState
#: Paid wins over everything that is not final: money that arrived late has arrived.
CHECKOUT_MOVES: Moves[CheckoutState] = {
    C.NEW: frozenset({C.OPEN, C.FAILED, C.EXPIRED}),
    C.OPEN: frozenset({C.PENDING, C.PAID, C.FAILED, C.EXPIRED, C.MISMATCH}),
    C.PENDING: frozenset({C.PAID, C.FAILED, C.EXPIRED, C.MISMATCH}),
    C.EXPIRED: frozenset({C.PAID, C.MISMATCH}),
    C.FAILED: frozenset({C.PAID, C.MISMATCH}),
    C.PAID: frozenset(),
    # What was paid is not what was owed: it goes back, and never becomes an order.
    C.MISMATCH: frozenset(),
}


class RefundState(StrEnum):
    """Money on its way back."""

    ASKED = "asked"
    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


R = RefundState
REFUND_MOVES: Moves[RefundState] = {
    R.ASKED: frozenset({R.PENDING, R.SUCCEEDED, R.FAILED}),
    R.PENDING: frozenset({R.SUCCEEDED, R.FAILED}),
    # Stripe can still report a failure after success (the card's bank sent the money back).
    R.SUCCEEDED: frozenset({R.FAILED}),
    R.FAILED: frozenset({R.ASKED, R.PENDING, R.SUCCEEDED}),
}


class PaymentState(StrEnum):
    """What became of the money of one paid checkout: the second axis of an order."""

    PAID = "paid"
    REFUND_PENDING = "refund_pending"
    REFUNDED = "refunded"
    PARTIALLY_REFUNDED = "partially_refunded"
    DISPUTED = "disputed"
    DISPUTE_LOST = "dispute_lost"
    DISPUTE_WON = "dispute_won"


P = PaymentState
PAYMENT_MOVES: Moves[PaymentState] = {
    P.PAID: frozenset({P.REFUND_PENDING, P.REFUNDED, P.PARTIALLY_REFUNDED, P.DISPUTED}),
    P.REFUND_PENDING: frozenset({P.REFUNDED, P.PARTIALLY_REFUNDED, P.PAID, P.DISPUTED}),
    # A refund that had succeeded can still fail, and then less has gone back than before.
    P.PARTIALLY_REFUNDED: frozenset({P.PAID, P.REFUND_PENDING, P.REFUNDED, P.DISPUTED}),
    P.REFUNDED: frozenset({P.PAID, P.PARTIALLY_REFUNDED, P.REFUND_PENDING, P.DISPUTED}),
    P.DISPUTED: frozenset({P.DISPUTE_LOST, P.DISPUTE_WON}),
    # Some networks let a lost dispute be appealed.
    P.DISPUTE_LOST: frozenset({P.DISPUTE_WON}),
    P.DISPUTE_WON: frozenset({P.REFUND_PENDING, P.REFUNDED, P.PARTIALLY_REFUNDED, P.DISPUTED}),
}


class RequestState(StrEnum):
    """A refund that wants a second person."""

    WAITING = "waiting"
    CONFIRMED = "confirmed"
    DECLINED = "declined"


Q = RequestState
REQUEST_MOVES: Moves[RequestState] = {
    Q.WAITING: frozenset({Q.CONFIRMED, Q.DECLINED}),
    Q.CONFIRMED: frozenset(),
    Q.DECLINED: frozenset(),
}


class InvoiceKind(StrEnum):
    """What a numbered paper is. Each kind counts for itself."""

    INVOICE = "invoice"
    CREDIT_NOTE = "credit_note"


class EventState(StrEnum):
    """How far an event from Stripe has come in the inbox."""

    RECEIVED = "received"
    PROCESSED = "processed"
    IGNORED = "ignored"
    STRANDED = "stranded"


E = EventState
EVENT_MOVES: Moves[EventState] = {
    E.RECEIVED: frozenset({E.PROCESSED, E.IGNORED, E.STRANDED}),
    E.STRANDED: frozenset({E.PROCESSED, E.IGNORED}),
    E.PROCESSED: frozenset(),
    E.IGNORED: frozenset(),
}

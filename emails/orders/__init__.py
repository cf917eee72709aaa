"""Letters about an order, to its customer and to the people who look after it."""

from typing import Unpack

from emails.letter import Letter, write
from emails.orders.facts import (
    AdminAlert,
    AdminDispute,
    AdminMessage,
    AdminNewReview,
    AdminOrderFailed,
    ArticleReady,
    BacklinkReady,
    NewMessage,
    NoOtherVersion,
    OrderFailed,
    Paid,
    Placement,
    Published,
    RegenerationReady,
    RequestReceived,
    ReviewReminder,
    SentBack,
)


def request_received(to: str, **facts: Unpack[RequestReceived]) -> Letter:
    """The payment has arrived and the work has begun."""
    return write("orders.request_received", to, **facts)


def backlink_ready(to: str, **facts: Unpack[BacklinkReady]) -> Letter:
    """The first text with the new link waits for the customer."""
    return write("orders.backlink_ready", to, **facts)


def regeneration_ready(to: str, **facts: Unpack[RegenerationReady]) -> Letter:
    """Another version, which the customer asked for, waits beside the earlier ones."""
    return write("orders.regeneration_ready", to, **facts)


def no_other_version(to: str, **facts: Unpack[NoOtherVersion]) -> Letter:
    """A further version could not be made; the earlier ones wait for the customer again."""
    return write("orders.no_other_version", to, **facts)


def article_ready(to: str, **facts: Unpack[ArticleReady]) -> Letter:
    """A whole ordered article waits for the customer."""
    return write("orders.article_ready", to, **facts)


def submitted_for_review(to: str, **facts: Unpack[Placement]) -> Letter:
    """The customer's text has gone to the editors."""
    return write("orders.submitted_for_review", to, **facts)


def sent_back(to: str, **facts: Unpack[SentBack]) -> Letter:
    """An editor wants a change before publishing."""
    return write("orders.sent_back", to, **facts)


def published(to: str, **facts: Unpack[Published]) -> Letter:
    """The text is online."""
    return write("orders.published", to, **facts)


def order_failed(to: str, **facts: Unpack[OrderFailed]) -> Letter:
    """Every attempt has failed; the refund is under way."""
    return write("orders.order_failed", to, **facts)


def refunded(to: str, **facts: Unpack[Paid]) -> Letter:
    """The refund has gone out."""
    return write("orders.refunded", to, **facts)


def cancelled(to: str, **facts: Unpack[Paid]) -> Letter:
    """The customer cancelled before work began; the refund is under way."""
    return write("orders.cancelled", to, **facts)


def review_reminder(to: str, **facts: Unpack[ReviewReminder]) -> Letter:
    """The customer has not decided yet, and the deadline comes nearer."""
    return write("orders.review_reminder", to, **facts)


def link_lost(to: str, **facts: Unpack[Placement]) -> Letter:
    """The daily check misses the link; it is being put back."""
    return write("orders.link_lost", to, **facts)


def link_repaired(to: str, **facts: Unpack[Published]) -> Letter:
    """The lost link is online again."""
    return write("orders.link_repaired", to, **facts)


def article_missing(to: str, **facts: Unpack[Placement]) -> Letter:
    """The daily check does not see an ordered article as its readers should; an editor looks after it."""
    return write("orders.article_missing", to, **facts)


def article_back(to: str, **facts: Unpack[Published]) -> Letter:
    """The ordered article is online again."""
    return write("orders.article_back", to, **facts)


def promise_late(to: str, **facts: Unpack[Placement]) -> Letter:
    """The text is not ready at the promised time: an apology."""
    return write("orders.promise_late", to, **facts)


def new_message(to: str, **facts: Unpack[NewMessage]) -> Letter:
    """The editors have written, and the customer has not read it yet."""
    return write("orders.new_message", to, **facts)


def payment_duplicate_refunded(to: str, **facts: Unpack[Paid]) -> Letter:
    """One order was paid twice; the second payment goes back."""
    return write("orders.payment_duplicate_refunded", to, **facts)


def admin_new_review(to: str, **facts: Unpack[AdminNewReview]) -> Letter:
    """To editors: a customer has submitted a text."""
    return write("orders.admin_new_review", to, **facts)


def admin_order_failed(to: str, **facts: Unpack[AdminOrderFailed]) -> Letter:
    """To those who look after the orders: one has ended unpublished, by itself or by a bank's decision."""
    return write("orders.admin_order_failed", to, **facts)


def admin_message(to: str, **facts: Unpack[AdminMessage]) -> Letter:
    """To editors: a customer has written, and nobody has read it yet."""
    return write("orders.admin_message", to, **facts)


def admin_dispute(to: str, **facts: Unpack[AdminDispute]) -> Letter:
    """To admins: a customer's bank disputes a payment."""
    return write("orders.admin_dispute", to, **facts)


def admin_alert(to: str, **facts: Unpack[AdminAlert]) -> Letter:
    """To admins: something needs a person."""
    return write("orders.admin_alert", to, **facts)


LETTERS = (
    request_received,
    backlink_ready,
    regeneration_ready,
    no_other_version,
    article_ready,
    submitted_for_review,
    sent_back,
    published,
    order_failed,
    refunded,
    cancelled,
    review_reminder,
    link_lost,
    link_repaired,
    article_missing,
    article_back,
    promise_late,
    new_message,
    payment_duplicate_refunded,
    admin_new_review,
    admin_order_failed,
    admin_message,
    admin_dispute,
    admin_alert,
)

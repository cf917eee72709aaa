"""What each letter of this slice must be told. Everything is text or a number, so that it can wait in a row."""

from typing import NotRequired, TypedDict


class About(TypedDict):
    order_url: str
    order_number: str  # as people say it: "G-1042"
    article_title: str
    site_name: str

    unsubscribe_url: NotRequired[str | None]
    is_test: NotRequired[bool]


class Placement(About):
    """Both are None when a whole article was ordered."""

    anchor_text: str | None
    target_url: str | None


class Receipt(TypedDict):
    invoice_url: NotRequired[str]  # not told to letters that were written before there was one


class Paid(Placement):
    amount_cents: int
    currency: str


class RequestReceived(Paid, Receipt):
    promise_words: str  # when the text will be ready: "usually within 10 minutes"
    review_days: int


class BacklinkReady(Placement, Receipt):
    review_deadline: str  # to the minute, since it is kept to the minute: "5 December 2026, 14:20 UTC"


class RegenerationReady(Placement):
    version_number: int


class ArticleReady(Placement, Receipt):
    review_deadline: str


class NoOtherVersion(Placement):
    reason: str  # a whole sentence, for the customer
    review_deadline: str


class SentBack(Placement):
    reason: str


class Published(Placement):
    public_url: str


class OrderFailed(Paid):
    reason: str  # a whole sentence, for the customer


class ReviewReminder(Placement):
    days_left: int
    review_deadline: str


class NewMessage(Placement):
    count: int


class AdminLetter(TypedDict):
    unsubscribe_url: NotRequired[str | None]
    is_test: NotRequired[bool]


class AdminNewReview(AdminLetter):
    review_url: str
    order_number: str
    article_title: str
    site_name: str
    customer_email: str


class AdminMessage(AdminLetter):
    admin_url: str
    order_number: str
    customer_email: str
    count: int


class AdminOrderFailed(AdminLetter):
    admin_url: str
    order_number: str
    reason: str


class AdminDispute(AdminLetter):
    admin_url: str
    order_number: str
    amount_cents: int
    currency: str
    reason: str


class AdminAlert(AdminLetter):
    admin_url: str
    title: str
    body: str

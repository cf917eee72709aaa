"""What kinds of letters there are for the person who reads them: the unit in which letters can be refused."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Category(StrEnum):
    """A reason to get letters. Values are written into rows and into the links of letters: never renamed."""

    ACCOUNT = "account"
    RECEIPTS = "receipts"
    PROGRESS = "progress"
    REMINDERS = "reminders"
    LINKS = "links"
    REVIEWS = "reviews"
    ALARMS = "alarms"
    MESSAGES = "messages"


@dataclass(frozen=True, slots=True)
class About:
    """A category in words."""

    title: str
    words: str
    is_for_staff: bool = False
    #: Whether it is sent whatever its reader prefers.
    is_essential: bool = False


#: In the order in which they are shown.
ABOUT: Final[Mapping[Category, About]] = {
    Category.ACCOUNT: About(
        "Your account", "Sign-in links and codes, and changes to your account.", is_essential=True
    ),
    Category.RECEIPTS: About(
        "Payments and refunds", "What you paid for, and what was given back.", is_essential=True
    ),
    Category.PROGRESS: About(
        "Progress of your orders", "A version is ready, an editor sent it back, your text is published."
    ),
    Category.REMINDERS: About(
        "Reminders", "A version waits for your decision, and its last day comes nearer."
    ),
    Category.LINKS: About("Link monitor", "A published link was lost, or is online again."),
    Category.MESSAGES: About("Messages", "What people who work here had written to you."),
    Category.REVIEWS: About(
        "Work for editors",
        "A customer has handed in a text, or has written about an order.",
        is_for_staff=True,
    ),
    Category.ALARMS: About(
        "Trouble", "Failed orders, disputes, and what must always hold and does not.", is_for_staff=True
    ),
}

_OF: Final[Mapping[str, Category]] = {
    "orders.request_received": Category.RECEIPTS,
    "orders.order_failed": Category.RECEIPTS,
    "orders.cancelled": Category.RECEIPTS,
    "orders.refunded": Category.RECEIPTS,
    "orders.payment_duplicate_refunded": Category.RECEIPTS,
    "orders.backlink_ready": Category.PROGRESS,
    "orders.regeneration_ready": Category.PROGRESS,
    "orders.article_ready": Category.PROGRESS,
    "orders.no_other_version": Category.PROGRESS,
    "orders.submitted_for_review": Category.PROGRESS,
    "orders.sent_back": Category.PROGRESS,
    "orders.published": Category.PROGRESS,
    "orders.promise_late": Category.PROGRESS,
    "orders.new_message": Category.PROGRESS,
    "orders.review_reminder": Category.REMINDERS,
    "orders.link_lost": Category.LINKS,
    "orders.link_repaired": Category.LINKS,
    "orders.article_missing": Category.LINKS,
    "orders.article_back": Category.LINKS,
    "notices.message": Category.MESSAGES,
    "orders.admin_new_review": Category.REVIEWS,
    "orders.admin_message": Category.REVIEWS,
    "orders.admin_order_failed": Category.ALARMS,
    "orders.admin_dispute": Category.ALARMS,
    "orders.admin_alert": Category.ALARMS,
    "jobs.alert": Category.ALARMS,
}


def category_of(kind: str) -> Category:
    """The category of a letter like `orders.published`. One that nobody has sorted yet cannot be refused."""
    return _OF.get(kind, Category.ACCOUNT)


def can_be_refused(category: Category) -> bool:
    """Whether its reader may do without: everything but sign-in and receipts."""
    return not ABOUT[category].is_essential

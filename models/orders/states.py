"""The states of an order and of what it is made from, as drawings."""

from enum import StrEnum

from models.base.states import Moves


class OrderStatus(StrEnum):
    """How far the work is. What became of the money is another axis: `models.payments.states.PaymentState`."""

    PROCESSING = "PROCESSING"
    QUALITY_CHECK = "QUALITY_CHECK"
    ADMIN_REVIEW = "ADMIN_REVIEW"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"


S = OrderStatus
MOVES: Moves[OrderStatus] = {
    S.PROCESSING: frozenset({S.QUALITY_CHECK, S.ADMIN_REVIEW, S.FAILED}),
    S.QUALITY_CHECK: frozenset({S.PROCESSING, S.ADMIN_REVIEW, S.FAILED}),
    S.ADMIN_REVIEW: frozenset({S.QUALITY_CHECK, S.PROCESSING, S.COMPLETED, S.FAILED}),
    S.COMPLETED: frozenset(),
    S.FAILED: frozenset(),
}


class GenerationState(StrEnum):
    """One asking of the writer. At most one of an order is active."""

    ACTIVE = "active"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class ArticleStatus(StrEnum):
    """Whether readers can see an article."""

    DRAFT = "draft"
    PUBLISHED = "published"
    UNPUBLISHED = "unpublished"


class Product(StrEnum):
    """What can be bought."""

    BACKLINK = "backlink"
    ARTICLE = "article"


class FailReason(StrEnum):
    """Why an order failed."""

    GENERATION = "generation"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    ARTICLE_GONE = "article_gone"
    DISPUTE = "dispute"
    REFUNDED = "refunded"


class RegenerateReason(StrEnum):
    """What the customer may say about a version. The list is fixed: customers never instruct the writer."""

    TOO_EARLY = "too_early"
    UNNATURAL_ANCHOR = "unnatural_anchor"
    WRONG_SECTION = "wrong_section"


REASON_WORDS: dict[RegenerateReason, str] = {
    RegenerateReason.TOO_EARLY: "The link is placed too early",
    RegenerateReason.UNNATURAL_ANCHOR: "The anchor reads unnaturally",
    RegenerateReason.WRONG_SECTION: "It is in the wrong section",
}

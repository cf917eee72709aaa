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
    #: Taken down for good: readers are told that it is gone.
    ARCHIVED = "archived"


class Product(StrEnum):
    """What can be bought."""

    BACKLINK = "backlink"
    ARTICLE = "article"


class FailReason(StrEnum):
    """Why an order failed."""

    GENERATION = "generation"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    #: Nobody decided about it in time, and this shop gives the money back then.
    UNDECIDED = "undecided"
    ARTICLE_GONE = "article_gone"
    DISPUTE = "dispute"
    REFUNDED = "refunded"


class LinkState(StrEnum):
    """What the monitor knows of a published link. An order that it has not looked at yet has none of these."""

    IN_PLACE = "in_place"
    #: The last look did not find it; a second one decides.
    DOUBTED = "doubted"
    #: Two looks did not find it: it is being put back.
    LOST = "lost"
    #: It could not be put back by itself: an editor has to.
    STUCK = "stuck"
    #: It was put back, and has not been looked at since.
    REPAIRED = "repaired"


L = LinkState
LINK_MOVES: Moves[LinkState] = {
    # To an editor straight away: the article was taken down, so there is nothing to doubt.
    L.IN_PLACE: frozenset({L.DOUBTED, L.STUCK}),
    L.DOUBTED: frozenset({L.IN_PLACE, L.LOST, L.STUCK}),
    L.LOST: frozenset({L.IN_PLACE, L.REPAIRED, L.STUCK}),
    L.STUCK: frozenset({L.IN_PLACE, L.REPAIRED}),
    L.REPAIRED: frozenset({L.IN_PLACE, L.DOUBTED, L.STUCK}),
}


class Side(StrEnum):
    """Who wrote a message about an order: its customer, or somebody at the editors' desk."""

    CUSTOMER = "customer"
    EDITOR = "editor"

    @property
    def other(self) -> "Side":
        """Who reads it."""
        return Side.EDITOR if self is Side.CUSTOMER else Side.CUSTOMER


class RegenerateReason(StrEnum):
    """What the customer may say about a version. The list is fixed: customers never instruct the writer."""

    TOO_EARLY = "too_early"
    UNNATURAL_ANCHOR = "unnatural_anchor"
    WRONG_SECTION = "wrong_section"
    OFF_TOPIC = "off_topic"
    TOO_GENERAL = "too_general"
    HARD_TO_READ = "hard_to_read"
    TOO_PROMOTIONAL = "too_promotional"


REASON_WORDS: dict[RegenerateReason, str] = {
    RegenerateReason.TOO_EARLY: "The link is placed too early",
    RegenerateReason.UNNATURAL_ANCHOR: "The anchor reads unnaturally",
    RegenerateReason.WRONG_SECTION: "It is in the wrong section",
    RegenerateReason.OFF_TOPIC: "It strays from the topic",
    RegenerateReason.TOO_GENERAL: "It stays too general",
    RegenerateReason.HARD_TO_READ: "It is hard to read",
    RegenerateReason.TOO_PROMOTIONAL: "It reads like an advertisement",
}

#: Which of them fit which product.
REASONS_OF: dict[Product, tuple[RegenerateReason, ...]] = {
    Product.BACKLINK: (
        RegenerateReason.TOO_EARLY,
        RegenerateReason.UNNATURAL_ANCHOR,
        RegenerateReason.WRONG_SECTION,
    ),
    Product.ARTICLE: (
        RegenerateReason.OFF_TOPIC,
        RegenerateReason.TOO_GENERAL,
        RegenerateReason.HARD_TO_READ,
        RegenerateReason.TOO_PROMOTIONAL,
    ),
}

"""Publications, their articles and versions, and the orders that customers place in them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Computed,
    Enum,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    SmallInteger,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column, relationship

from models.base.db import Row, new_id
from models.orders.states import (
    ArticleStatus,
    FailReason,
    GenerationState,
    LinkState,
    OrderStatus,
    Product,
)
from models.payments.states import PaymentState


class Site(Row):
    """A publication that sells placements in its articles."""

    __tablename__ = "orders_sites"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    slug: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    domain: Mapped[str]
    niche: Mapped[str]
    language: Mapped[str]
    tagline: Mapped[str]
    about: Mapped[str]
    #: The line that tells readers about paid links, shown on every article that has one.
    disclosure: Mapped[str]
    #: The `rel` of every link that was sold here.
    rel: Mapped[str] = mapped_column(server_default="sponsored")
    max_links_per_article: Mapped[int] = mapped_column(SmallInteger, server_default="5")
    price_cents: Mapped[int]
    currency: Mapped[str]
    #: What a whole new article costs, in the same currency. None: they are not sold here.
    article_price_cents: Mapped[int | None]
    is_open: Mapped[bool] = mapped_column(server_default=text("true"))
    #: Counts the changes: who saves says which one they saw.
    revision: Mapped[int] = mapped_column(server_default="1")
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    updated_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class Article(Row):
    """An article of a site. What readers see is its published version, and nothing else."""

    __tablename__ = "orders_articles"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    site_id: Mapped[UUID] = mapped_column(ForeignKey("orders_sites.id"))
    slug: Mapped[str]
    title: Mapped[str]
    topic: Mapped[str]
    keyword: Mapped[str]
    author: Mapped[str]
    summary: Mapped[str]
    status: Mapped[ArticleStatus] = mapped_column(server_default=ArticleStatus.DRAFT)
    #: What a placement costs here.
    price_cents: Mapped[int]
    currency: Mapped[str]
    published_version_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("orders_versions.id", use_alter=True, name="orders_articles_published_version_id_fkey")
    )
    published_at: Mapped[datetime | None]
    #: Facts of the published version, counted when it is published, so that lists read no texts.
    word_count: Mapped[int] = mapped_column(server_default="0")
    link_count: Mapped[int] = mapped_column(server_default="0")
    placement_count: Mapped[int] = mapped_column(server_default="0")
    #: Counts the changes that editors make: who saves says which one they saw.
    revision: Mapped[int] = mapped_column(server_default="1")
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    updated_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    search: Mapped[str] = mapped_column(
        TSVECTOR(),
        Computed(
            "setweight(to_tsvector('simple', title), 'A') || setweight(to_tsvector('simple', topic || ' ' || keyword), 'B')"
            " || setweight(to_tsvector('simple', summary), 'C')",
            persisted=True,
        ),
    )

    site: Mapped[Site] = relationship(lazy="raise")

    __table_args__ = (
        UniqueConstraint("site_id", "slug"),
        Index("orders_articles_site", "site_id", "id"),
        Index(
            "orders_articles_feed",
            "site_id",
            "published_at",
            "id",
            postgresql_where=text("status = 'published'"),
        ),
        Index(
            "orders_articles_catalogue", "published_at", "id", postgresql_where=text("status = 'published'")
        ),
        Index("orders_articles_price", "price_cents", "id", postgresql_where=text("status = 'published'")),
        Index("orders_articles_search", "search", postgresql_using="gin"),
    )


class FormerAddress(Row):
    """Where an article was read before its slug was changed: readers are led on from there."""

    __tablename__ = "orders_former_addresses"

    site_id: Mapped[UUID] = mapped_column(ForeignKey("orders_sites.id"), primary_key=True)
    slug: Mapped[str] = mapped_column(primary_key=True)
    article_id: Mapped[UUID] = mapped_column(ForeignKey("orders_articles.id"))


class Version(Row):
    """A text of an article. Never changed once written."""

    __tablename__ = "orders_versions"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    article_id: Mapped[UUID] = mapped_column(ForeignKey("orders_articles.id"))
    number: Mapped[int]
    markdown: Mapped[str]
    base_version_id: Mapped[UUID | None] = mapped_column(ForeignKey("orders_versions.id"))
    #: import, integration, generation, edit or removal.
    origin: Mapped[str]
    #: What was written for an order is its customer's, as their own data too.
    order_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("orders.id", use_alter=True, name="orders_versions_order_id_fkey"),
        info={"is_personal": True},
    )
    generation: Mapped[int | None]
    target_url: Mapped[str | None]
    anchor_text: Mapped[str | None]
    #: The edit that made it from its base, and how: {paragraph, after_sentence, sentence, method, writer, score}.
    edit: Mapped[dict[str, Any] | None]
    #: The report of quality control, and how many attempts it took.
    qc: Mapped[dict[str, Any] | None]
    qc_attempts: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    is_qc_passed: Mapped[bool] = mapped_column(server_default=text("false"))
    #: The writer was not sure: an editor looks before the customer chooses.
    needs_editor: Mapped[bool] = mapped_column(server_default=text("false"))
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))

    __table_args__ = (
        UniqueConstraint("article_id", "number"),
        Index(
            "orders_versions_order", "order_id", "generation", postgresql_where=text("order_id is not null")
        ),
    )


class Price(Row):
    """What is asked from a moment on: for a placement in an article or in the new articles of a site, or for a whole
    article. Only ever added to.
    """

    __tablename__ = "orders_prices"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    site_id: Mapped[UUID] = mapped_column(ForeignKey("orders_sites.id"))
    #: None: the site's own price, which its new articles begin with.
    article_id: Mapped[UUID | None] = mapped_column(ForeignKey("orders_articles.id"))
    product: Mapped[Product] = mapped_column(server_default=Product.BACKLINK)
    #: None: not for sale any more.
    price_cents: Mapped[int | None]
    currency: Mapped[str]
    #: None: it came with the catalogue.
    by_id: Mapped[UUID | None] = mapped_column(ForeignKey("accounts_people.id", ondelete="SET NULL"))
    from_at: Mapped[datetime] = mapped_column(server_default=text("now()"))

    __table_args__ = (
        Index("orders_prices_article", "article_id", "id", postgresql_where=text("article_id is not null")),
        Index("orders_prices_site", "site_id", "id", postgresql_where=text("article_id is null")),
    )


class DeniedDomain(Row):
    """A domain that no link may lead to, nor to anything below it."""

    __tablename__ = "orders_denied_domains"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    #: In punycode and lower case.
    domain: Mapped[str] = mapped_column(unique=True)
    reason: Mapped[str]
    by_id: Mapped[UUID | None] = mapped_column(ForeignKey("accounts_people.id", ondelete="SET NULL"))
    at: Mapped[datetime] = mapped_column(server_default=text("now()"))

    # Backwards, so that a domain is found with everything below it.
    __table_args__ = (Index("orders_denied_domains_host", text('reverse(domain COLLATE "C")')),)


class Draft(Row):
    """What somebody is about to order. Belongs to a browser until its owner has signed in."""

    __tablename__ = "orders_drafts"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    browser_hash: Mapped[bytes] = mapped_column(LargeBinary)
    person_id: Mapped[UUID | None] = mapped_column(ForeignKey("accounts_people.id", ondelete="CASCADE"))
    product: Mapped[Product] = mapped_column(server_default=Product.BACKLINK)
    #: Where a link is to be placed; or, for a whole article, the site that it is written for, about what.
    article_id: Mapped[UUID | None] = mapped_column(ForeignKey("orders_articles.id"))
    site_id: Mapped[UUID | None] = mapped_column(ForeignKey("orders_sites.id"))
    topic: Mapped[str | None]
    keyword: Mapped[str | None]
    email: Mapped[str]
    #: Both empty for a whole article, which links to its own site alone.
    target_url: Mapped[str]
    anchor_text: Mapped[str]
    notes: Mapped[str] = mapped_column(server_default="")
    #: The target that was looked at last, and what was wrong with it. An order is paid for only while the first
    #: is `target_url` and the second is empty.
    checked_url: Mapped[str | None]
    target_problem: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    updated_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    ordered_at: Mapped[datetime | None]

    article: Mapped[Article | None] = relationship(lazy="raise")
    site: Mapped[Site | None] = relationship(lazy="raise")

    __table_args__ = (
        CheckConstraint(
            "case product when 'backlink' then article_id is not null and site_id is null and target_url <> ''"
            " else article_id is null and site_id is not null and topic is not null and target_url = '' end",
            name="wish",
        ),
        Index("orders_drafts_person", "person_id", "id", postgresql_where=text("person_id is not null")),
        Index("orders_drafts_stale", "updated_at", postgresql_where=text("ordered_at is null")),
    )


class Order(Row):
    """A paid wish, and how far it is."""

    __tablename__ = "orders"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    number: Mapped[int] = mapped_column(BigInteger, Identity(start=1001), unique=True)
    product: Mapped[Product] = mapped_column(server_default=Product.BACKLINK)
    draft_id: Mapped[UUID] = mapped_column(ForeignKey("orders_drafts.id"), unique=True)
    checkout_id: Mapped[UUID] = mapped_column(ForeignKey("payments_checkouts.id"), unique=True)
    person_id: Mapped[UUID] = mapped_column(ForeignKey("accounts_people.id"))
    article_id: Mapped[UUID] = mapped_column(ForeignKey("orders_articles.id"))
    #: Both empty for a whole article.
    target_url: Mapped[str]
    anchor_text: Mapped[str]
    notes: Mapped[str]
    amount_cents: Mapped[int]
    currency: Mapped[str]
    is_test: Mapped[bool]
    status: Mapped[OrderStatus] = mapped_column(server_default=OrderStatus.PROCESSING)
    payment_state: Mapped[PaymentState] = mapped_column(server_default=PaymentState.PAID)
    fail_reason: Mapped[FailReason | None]
    #: The number of the latest generation; a worker's result for an older one is dropped.
    generation: Mapped[int] = mapped_column(server_default="0")
    #: The version that is shown first, and the one that was submitted.
    version_id: Mapped[UUID | None] = mapped_column(ForeignKey("orders_versions.id"))
    submitted_version_id: Mapped[UUID | None] = mapped_column(ForeignKey("orders_versions.id"))
    published_version_id: Mapped[UUID | None] = mapped_column(ForeignKey("orders_versions.id"))
    #: What the editor said when sending back or rejecting.
    editor_words: Mapped[str | None]
    review_due_at: Mapped[datetime | None]
    #: When the version under way is to be ready, as its customer was told; and when we saw that it was not.
    promised_at: Mapped[datetime]
    promise_broken_at: Mapped[datetime | None]
    #: Since when an editor is to look at its text before its customer does; nothing if the customer has seen it.
    held_at: Mapped[datetime | None]
    ready_at: Mapped[datetime | None]
    submitted_at: Mapped[datetime | None]
    completed_at: Mapped[datetime | None]
    #: What the monitor knows of the published link, and when it looks again; nothing is set before its first look.
    link_state: Mapped[LinkState | None]
    link_problem: Mapped[str | None]
    link_checked_at: Mapped[datetime | None]
    link_due_at: Mapped[datetime | None]
    link_lost_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    updated_at: Mapped[datetime] = mapped_column(server_default=text("now()"))

    article: Mapped[Article] = relationship(lazy="raise")

    __table_args__ = (
        CheckConstraint(
            "(product = 'backlink') = (target_url <> '') and (product = 'backlink') = (anchor_text <> '')",
            name="wish",
        ),
        Index("orders_person", "person_id", "id"),
        Index("orders_status", "status", "id"),
        Index("orders_article", "article_id"),
        Index("orders_review_queue", "submitted_at", "id", postgresql_where=text("status = 'ADMIN_REVIEW'")),
        # The target's domain backwards: a domain is found with everything below it, as `admin_queries` asks for it.
        Index(
            "orders_target_host",
            text("reverse(lower(split_part(split_part(target_url, '/', 3), ':', 1)) COLLATE \"C\")"),
        ),
        Index("orders_live", "is_test", "id"),
        Index("orders_money", "payment_state", "id", postgresql_where=text("payment_state <> 'paid'")),
        Index("orders_failed", "updated_at", postgresql_where=text("status = 'FAILED'")),
        Index("orders_review_due", "review_due_at", postgresql_where=text("status = 'QUALITY_CHECK'")),
        Index("orders_promise", "promised_at", postgresql_where=text("status = 'PROCESSING'")),
        Index("orders_held", "promised_at", postgresql_where=text("held_at is not null")),
        Index(
            "orders_link_due",
            text("coalesce(link_due_at, completed_at)"),
            postgresql_where=text("status = 'COMPLETED'"),
        ),
        Index("orders_link_missing", "link_lost_at", postgresql_where=text("link_lost_at is not null")),
    )


class Commission(Row):
    """An editor's wish for a new article. Nobody pays for it, so it is no order; its text waits in a draft article."""

    __tablename__ = "orders_commissions"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    site_id: Mapped[UUID] = mapped_column(ForeignKey("orders_sites.id"))
    article_id: Mapped[UUID] = mapped_column(ForeignKey("orders_articles.id"), unique=True)
    by_id: Mapped[UUID | None] = mapped_column(ForeignKey("accounts_people.id", ondelete="SET NULL"))
    notes: Mapped[str]
    job_id: Mapped[UUID | None]
    #: The text, once it is written; or why none could be.
    version_id: Mapped[UUID | None] = mapped_column(ForeignKey("orders_versions.id"))
    problem: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    finished_at: Mapped[datetime | None]

    __table_args__ = (Index("orders_commissions_site", "site_id", "id"),)


class Generation(Row):
    """One asking of the writer for one order."""

    __tablename__ = "orders_generations"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id"))
    number: Mapped[int]
    state: Mapped[GenerationState] = mapped_column(server_default=GenerationState.ACTIVE)
    #: first, regenerate, sent_back, rebase or repair.
    cause: Mapped[str]
    reason: Mapped[str | None]
    job_id: Mapped[UUID | None]
    base_version_id: Mapped[UUID | None] = mapped_column(ForeignKey("orders_versions.id"))
    version_id: Mapped[UUID | None] = mapped_column(ForeignKey("orders_versions.id"))
    problem: Mapped[str | None]
    started_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    finished_at: Mapped[datetime | None]

    __table_args__ = (
        UniqueConstraint("order_id", "number"),
        Index(
            "orders_generations_active", "order_id", unique=True, postgresql_where=text("state = 'active'")
        ),
    )


class Transition(Row):
    """A move of an order. Only ever added to: a trigger refuses to alter or remove any."""

    __tablename__ = "orders_transitions"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    order_id: Mapped[UUID] = mapped_column(ForeignKey("orders.id"))
    #: None for the first row: the order came into being.
    from_status: Mapped[OrderStatus | None] = mapped_column(Enum(OrderStatus, native_enum=False, length=24))
    to_status: Mapped[OrderStatus]
    action: Mapped[str]
    #: customer, editor, writer, stripe or system.
    actor: Mapped[str]
    actor_id: Mapped[UUID | None]
    reason: Mapped[str | None]
    at: Mapped[datetime] = mapped_column(server_default=text("now()"))

    __table_args__ = (Index("orders_transitions_order", "order_id", "id"),)

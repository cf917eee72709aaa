"""New articles: what is wanted, the draft that it begins with, what its writer is told, and its first publication."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.db import new_id
from models.base.errors import Conflict
from models.orders.catalogue.content import counted
from models.orders.catalogue.prices import note_price
from models.orders.catalogue.rules import RESERVED_SLUGS
from models.orders.states import ArticleStatus
from models.orders.tables import Article, Site, Version

#: How many words an ordered article has. Told to the customer, asked of the writer, and checked.
LEAST_WORDS: Final = 700
MOST_WORDS: Final = 1800
#: The articles of the site that a new one is compared with, and may link to: the latest ones.
MOST_NEIGHBOURS: Final = 300

_SLUG_LENGTH: Final = 80


@dataclass(frozen=True, slots=True)
class NewArticle:
    """What somebody wants written, and for which site."""

    site_id: UUID
    topic: str
    keyword: str


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A published article of the same site. `href` is its address there, without a host."""

    href: str
    title: str
    topic: str
    keyword: str
    summary: str
    markdown: str


@dataclass(frozen=True, slots=True)
class ArticleBrief:
    """What the writer is given. `subject` and `number` name this asking: what was answered to it is paid for once."""

    subject: str
    number: int
    article_id: UUID
    topic: str
    keyword: str
    notes: str
    language: str
    site_name: str
    site_about: str
    neighbours: Sequence[Neighbour]
    #: What the customer disliked about the version before, as values of `RegenerateReason`.
    reasons: Sequence[str] = ()
    #: The titles of earlier versions of the same order.
    earlier: Sequence[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Manuscript:
    """What the writer hands in, with the report of quality control. The title stands beside the text, not in it."""

    title: str
    summary: str
    markdown: str
    writer: str
    qc: dict[str, Any]
    qc_attempts: int

    def as_version(self) -> dict[str, Any]:
        """The columns of the version that it becomes."""
        made = {"writer": self.writer, "method": "article", "title": self.title, "summary": self.summary}
        return {
            "markdown": self.markdown,
            "origin": "generation",
            "edit": made,
            "qc": self.qc,
            "qc_attempts": self.qc_attempts,
            "is_qc_passed": True,
        }


def slug_of(words: str) -> str:
    """Words as a part of an address: `How to descale a kettle` is `how-to-descale-a-kettle`."""
    plain = unicodedata.normalize("NFKD", words).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:_SLUG_LENGTH].strip("-")
    return slug if slug and slug not in RESERVED_SLUGS else ""


async def add_draft_article(session: AsyncSession, new: NewArticle) -> Article:
    """An article without a text, at an address of its own, for a writer to fill. Links in it cost what the site says."""
    site = (await session.scalars(select(Site).where(Site.id == new.site_id).with_for_update())).one()
    slug = slug_of(new.topic)
    is_taken = not slug or await session.scalar(
        select(Article.id).where(Article.site_id == site.id, Article.slug == slug)
    )
    article = Article(
        site_id=site.id,
        slug="-".join(filter(None, [slug, new_id().hex[-8:]])) if is_taken else slug,
        title=new.topic,
        topic=new.topic,
        keyword=new.keyword,
        author=site.name,
        summary="",
        price_cents=site.price_cents,
        currency=site.currency,
    )
    session.add(article)
    await session.flush()
    await note_price(session, site, article, None)
    return article


async def neighbours_of(session: AsyncSession, article: Article, site: Site) -> list[Neighbour]:
    """The site's published articles, the latest first, with the text that readers see."""
    query = (
        select(Article.slug, Article.title, Article.topic, Article.keyword, Article.summary, Version.markdown)
        .join(Version, Version.id == Article.published_version_id)
        .where(
            Article.site_id == site.id, Article.status == ArticleStatus.PUBLISHED, Article.id != article.id
        )
        .order_by(Article.published_at.desc(), Article.id.desc())
        .limit(MOST_NEIGHBOURS)
    )
    rows = await session.execute(query)
    return [Neighbour(f"/articles/{site.slug}/{row.slug}", *row[1:]) for row in rows]


def name_article(article: Article, made: dict[str, Any] | None) -> None:
    """Call a draft as the text that was written for it is called."""
    article.title = (made or {}).get("title") or article.title
    article.summary = (made or {}).get("summary") or article.summary


async def publish_first(session: AsyncSession, article: Article, version: Version, at: datetime) -> None:
    """Show an article to readers for the first time; `Conflict` if it has been published, or changed, before.

    The condition is the compare-and-set: nothing was published yet.
    """
    made = version.edit or {}
    published = await session.execute(
        update(Article)
        .where(
            Article.id == article.id,
            Article.status == ArticleStatus.DRAFT,
            Article.published_version_id.is_(None),
        )
        .values(
            status=ArticleStatus.PUBLISHED,
            published_version_id=version.id,
            published_at=at,
            updated_at=at,
            title=made.get("title") or article.title,
            summary=made.get("summary") or article.summary,
            revision=Article.revision + 1,
            **counted(version.markdown),
        )
        .returning(Article.id)
    )
    if published.one_or_none() is None:
        raise Conflict("This article has been published already, so there is nothing left to publish here.")
    await session.refresh(article)

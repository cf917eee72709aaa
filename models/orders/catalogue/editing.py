"""What editors do to articles: write, publish, take offline, and bring an older text back.

A text is never changed: saving makes another version of it. Whoever saves says which state of the article they saw,
and the article's row is held meanwhile, so that neither a colleague's words nor a customer's link is overwritten
unseen. Orders that are under way notice by themselves: approval compares the text that they were made from.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ScalarSelect, case, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from models.accounts.audit import audit
from models.accounts.tables import Person
from models.base.clock import now
from models.base.db import changed
from models.base.errors import Conflict, Invalid, NotFound
from models.orders.catalogue.content import add_article, add_version, counted
from models.orders.catalogue.paid_links import Running, lost_links, placed_in, running_orders, sold_in
from models.orders.catalogue.rules import ArticleFacts, article_problems
from models.orders.rules import order_number
from models.orders.states import ArticleStatus
from models.orders.tables import Article, FormerAddress, Site, Version

#: What of an article is written beside its text.
COLUMNS: Final = ("title", "slug", "topic", "keyword", "author", "summary")


@dataclass(frozen=True, slots=True)
class Editable:
    """An article with the text that an editor works on: what readers see, or else the newest of its own."""

    article: Article
    site: Site
    head: Version

    @property
    def seen(self) -> str:
        """The state of the article in a few characters, for forms to carry."""
        return f"{self.article.revision}.{self.head.number}"

    @property
    def facts(self) -> ArticleFacts:
        """The article as its form shows it."""
        return facts_of(self.article, self.head.markdown)


def facts_of(article: Article, markdown: str) -> ArticleFacts:
    """An article with one of its texts as editors and files hold it."""
    return ArticleFacts(**{name: getattr(article, name) for name in COLUMNS}, markdown=markdown)


class EditConflict(Conflict):
    """The article has changed since the editor's page was made. `current` is what it is now."""

    def __init__(self, current: Editable) -> None:
        super().__init__("Somebody has changed this article since you opened it.")
        self.current = current


async def editable(session: AsyncSession, site: str, article_id: UUID, *, is_held: bool = False) -> Editable:
    """The article of this site, for an editor; `is_held` keeps everybody else out until the transaction ends."""
    query = (
        select(Article, Site)
        .join(Site, Site.id == Article.site_id)
        .where(Article.id == article_id, Site.slug == site)
        .execution_options(populate_existing=True)
    )
    # A full lock: a new order's reference to the article waits for it, or is seen by what comes after.
    row = (await session.execute(query.with_for_update(of=Article) if is_held else query)).one_or_none()
    if row is None:
        raise NotFound("There is no such article.")
    return Editable(row.Article, row.Site, await _head(session, row.Article))


async def _head(session: AsyncSession, article: Article) -> Version:
    query = select(Version).join(Article, Article.id == Version.article_id)
    query = query.where(Article.id == article.id, Version.number == head_number())
    head = (await session.scalars(query)).one_or_none()
    if head is None:
        raise NotFound("This article has no text yet: it is being made for an order.")
    return head


def head_number() -> ScalarSelect[int]:
    """The number of the text that editors work on, for a query of articles: what readers see if it is published,
    or else the newest that was not made for an order.
    """
    one = aliased(Version)
    is_shown = one.id == Article.published_version_id
    counts = case(
        (Article.status == ArticleStatus.PUBLISHED, is_shown), else_=or_(one.order_id.is_(None), is_shown)
    )
    query = (
        select(one.number).where(one.article_id == Article.id, counts).order_by(one.number.desc()).limit(1)
    )
    return query.correlate(Article).scalar_subquery()


async def create_article(
    session: AsyncSession, site: Site, facts: ArticleFacts, person: Person, *, is_published: bool
) -> Article:
    """Add an article, at the site's price. Raises `Invalid` with everything that is wrong."""
    if problems := article_problems(facts):
        raise Invalid(problems)
    status = ArticleStatus.PUBLISHED if is_published else ArticleStatus.DRAFT
    columns = {name: getattr(facts, name) for name in COLUMNS}
    try:
        async with session.begin_nested():
            article = await add_article(
                session,
                site,
                markdown=facts.markdown,
                status=status,
                origin="edit",
                by_id=person.id,
                **columns,
            )
    except IntegrityError:
        raise Invalid({"slug": "Choose another one: an article of this site has it already."}) from None
    await audit(session, person, "article.created", f"article/{article.id}", slug=facts.slug, status=status)
    return article


async def save_article(
    session: AsyncSession,
    site: str,
    article_id: UUID,
    facts: ArticleFacts,
    seen: str,
    person: Person,
    *,
    publish: bool = False,
) -> Editable:
    """Save what an editor wrote. What is published stays so, with the new text; `publish` publishes the rest too.

    Raises `Invalid` for what is wrong, also for a text that has lost a paid link, and `EditConflict` if the
    article is no longer in the state that the editor has `seen`.
    """
    there = await editable(session, site, article_id, is_held=True)
    if there.seen != seen:
        raise EditConflict(there)
    problems = article_problems(facts)
    if "markdown" not in problems and (
        lost := await lost_links(session, there.article, there.head, facts.markdown)
    ):
        problems["markdown"] = " ".join(lost)
    if problems:
        raise Invalid(problems)
    columns = {name: getattr(facts, name) for name in COLUMNS}
    differences = {name: value for name, value in columns.items() if getattr(there.article, name) != value}
    is_shown = publish or there.article.status is ArticleStatus.PUBLISHED
    is_new = publish and there.article.status is not ArticleStatus.PUBLISHED
    if not (differences or is_new or facts.markdown != there.head.markdown):
        return there
    version = there.head
    if facts.markdown != there.head.markdown:
        version = await _write(session, there, facts.markdown)
    try:
        async with session.begin_nested():
            if "slug" in differences and there.article.published_at is not None:
                await _leave_address(session, there.article)
            await _store(session, there, version, differences, is_shown=is_shown)
    except IntegrityError:
        raise Invalid({"slug": "Choose another one: an article of this site has it already."}) from None
    action = "article.published" if is_new else "article.edited"
    told = {"version": version.number, "before": there.head.number}
    await audit(session, person, action, f"article/{article_id}", **told, **differences)
    return Editable(there.article, there.site, version)


async def restore(
    session: AsyncSession, site: str, article_id: UUID, number: int, seen: str, person: Person
) -> Editable:
    """Bring an older text back, as a new version. Everything that holds of an edit holds here."""
    there = await editable(session, site, article_id, is_held=True)
    if there.seen != seen:
        raise EditConflict(there)
    old = await version_of(session, there.article, number)
    if old.markdown == there.head.markdown:
        raise Conflict(f"The text of version {number} is the present one already.")
    if lost := await lost_links(session, there.article, there.head, old.markdown):
        raise Conflict(" ".join(lost))
    version = await _write(session, there, old.markdown)
    await _store(session, there, version, {}, is_shown=there.article.status is ArticleStatus.PUBLISHED)
    told = {"restored": number, "version": version.number, "before": there.head.number}
    await audit(session, person, "article.restored", f"article/{article_id}", **told)
    return Editable(there.article, there.site, version)


async def unpublish(session: AsyncSession, site: str, article_id: UUID, seen: str, person: Person) -> Article:
    """Take an article offline. Refused while somebody has paid for being in it: their orders are named."""
    there = await editable(session, site, article_id, is_held=True)
    if there.seen != seen:
        raise EditConflict(there)
    if there.article.status is not ArticleStatus.PUBLISHED:
        raise Conflict("This article is not published.")
    if problem := obstacle(await sold_in(session, article_id), await running_orders(session, article_id)):
        raise Conflict(problem)
    await _set(session, there, {"status": ArticleStatus.UNPUBLISHED})
    await audit(session, person, "article.unpublished", f"article/{article_id}", version=there.head.number)
    return there.article


async def take_down(session: AsyncSession, site: str, article_id: UUID, seen: str, person: Person) -> Article:
    """Take an article away for good: readers are told that it is gone. Paid links in it do not keep it.

    Refused while orders are under way in it, and to whoever ordered the article itself before that is refunded.
    """
    there = await editable(session, site, article_id, is_held=True)
    if there.seen != seen:
        raise EditConflict(there)
    if there.article.status not in {ArticleStatus.PUBLISHED, ArticleStatus.UNPUBLISHED}:
        raise Conflict("Only what readers could see can be taken down for good.")
    whole = [one for one in await sold_in(session, article_id) if not one.target_url]
    if problem := obstacle(whole, await running_orders(session, article_id)):
        raise Conflict(problem)
    await _set(session, there, {"status": ArticleStatus.ARCHIVED})
    await audit(session, person, "article.archived", f"article/{article_id}", version=there.head.number)
    return there.article


def obstacle(sold: Sequence[Any], running: Sequence[Running]) -> str | None:
    """Why an article cannot be taken offline, and what to do about it; None if it can."""
    if sold:
        return (
            f"{_named(sold)} paid for being in this article, so it stays. Once an admin has refunded "
            "that, the article can go."
        )
    if running:
        return (
            f"Still under way in this article: {_named(running)}. Let them end, or reject them with a refund; "
            "to take no new ones meanwhile, close the site."
        )
    return None


def _named(orders: Sequence[Any]) -> str:
    names = ", ".join(order_number(one.number) for one in orders[:5])
    more = f" and {len(orders) - 5} more" if len(orders) > 5 else ""  # noqa: PLR2004 - enough names to begin with
    return f"{'Order' if len(orders) == 1 else 'Orders'} {names}{more}"


async def version_of(session: AsyncSession, article: Article, number: int) -> Version:
    """A version of the article by its number. Raises `NotFound`."""
    query = select(Version).where(Version.article_id == article.id, Version.number == number)
    version = (await session.scalars(query)).one_or_none() if 0 < number < 2**31 else None
    if version is None:
        raise NotFound("This article has no such version.")
    return version


async def _write(session: AsyncSession, there: Editable, markdown: str) -> Version:
    return await add_version(
        session, there.article.id, markdown=markdown, base_version_id=there.head.id, origin="edit"
    )


async def _leave_address(session: AsyncSession, article: Article) -> None:
    """Lead readers on from where the article was. Whichever article had an address last is the one it leads to."""
    left = insert(FormerAddress).values(site_id=article.site_id, slug=article.slug, article_id=article.id)
    await session.execute(
        left.on_conflict_do_update(index_elements=["site_id", "slug"], set_={"article_id": article.id})
    )


async def _store(
    session: AsyncSession, there: Editable, version: Version, columns: dict[str, Any], *, is_shown: bool
) -> None:
    values: dict[str, Any] = {**columns, **counted(version.markdown)}
    if is_shown:
        values |= {
            "status": ArticleStatus.PUBLISHED,
            "published_version_id": version.id,
            "published_at": func.coalesce(Article.published_at, now()),
            "placement_count": await placed_in(session, there.article.id, version.markdown),
        }
    await _set(session, there, values)
    changed(session, "orders")


async def _set(session: AsyncSession, there: Editable, values: dict[str, Any]) -> None:
    """The compare-and-set that approvals do too: on the text that readers see. The caller's lock makes it hold."""
    article = there.article
    moved = await session.execute(
        update(Article)
        .where(
            Article.id == article.id,
            Article.revision == article.revision,
            Article.published_version_id.is_not_distinct_from(article.published_version_id),
        )
        .values(**values, revision=Article.revision + 1, updated_at=func.now())
        .returning(Article)
        .execution_options(populate_existing=True)
    )
    if moved.one_or_none() is None:
        raise EditConflict(await editable(session, there.site.slug, article.id))

"""Articles that editors order for their own sites. They cost the site nothing but the model, so no payment is asked.

The text waits in a draft article, where editors read it, change it and publish it like one of their own.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer, joinedload

from models.accounts.audit import audit
from models.accounts.tables import Person
from models.base.clock import now
from models.base.db import changed
from models.base.errors import Conflict, Invalid, NotFound
from models.base.paging import PAGE_SIZE, Page, decode_cursor, page_of
from models.base.settings import Settings
from models.jobs import enqueue
from models.jobs.tables import JobRow
from models.orders.article_orders import NO_MODEL, topic_problems
from models.orders.catalogue.content import add_version
from models.orders.catalogue.publishing import locked_article
from models.orders.jobs import FailCommission, WriteCommission
from models.orders.rules import MAX_NOTES
from models.orders.states import ArticleStatus
from models.orders.tables import Article, Commission, Site, Version
from models.orders.writing.making import Stale
from models.orders.writing.new_articles import (
    ArticleBrief,
    Manuscript,
    NewArticle,
    add_draft_article,
    name_article,
    neighbours_of,
    publish_first,
)


@dataclass(frozen=True, slots=True)
class Commissioned:
    """An editor's wish with what came of it. `version` has its text only where one was asked for."""

    commission: Commission
    article: Article
    job: JobRow | None
    version: Version | None
    email: str | None


async def commission(
    session: AsyncSession,
    settings: Settings,
    site: Site,
    topic: str,
    keyword: str,
    notes: str,
    person: Person,
) -> Commission:
    """Have an article written for a site, at once. Raises `Invalid` with everything that is wrong."""
    if settings.llm.model is None:
        raise Conflict(NO_MODEL)
    problems = topic_problems(topic, keyword)
    if len(notes) > MAX_NOTES:
        problems["notes"] = f"Shorten the notes to {MAX_NOTES} characters; they have {len(notes)}."
    if problems:
        raise Invalid(problems)
    article = await add_draft_article(session, NewArticle(site.id, topic, keyword))
    made = Commission(site_id=site.id, article_id=article.id, by_id=person.id, notes=notes)
    session.add(made)
    await session.flush()
    made.job_id = await enqueue(
        session,
        WriteCommission(commission_id=made.id),
        unique=f"commission/{made.id}",
        subject=f"commission/{made.id}",
        when_dead=FailCommission(commission_id=made.id),
        share=f"person/{person.id}",
    )
    await audit(session, person, "article.commissioned", f"article/{article.id}", site=site.slug, topic=topic)
    return made


async def _wanted(session: AsyncSession, commission_id: UUID) -> Commission:
    query = select(Commission).where(Commission.id == commission_id).with_for_update()
    found = (await session.scalars(query.execution_options(populate_existing=True))).one()
    if found.finished_at is not None:
        raise Stale(f"commission {commission_id} has ended")
    return found


async def take_up_commission(session: AsyncSession, commission_id: UUID) -> ArticleBrief:
    """What the writer needs. Raises `Stale` if it has ended, and `Conflict` if the draft was published without it."""
    found = await _wanted(session, commission_id)
    query = select(Article).options(joinedload(Article.site)).where(Article.id == found.article_id)
    article = (await session.scalars(query)).one()
    if article.status is not ArticleStatus.DRAFT:
        raise Conflict("The article has been published already.")
    site = article.site
    return ArticleBrief(
        subject=f"commission/{commission_id}",
        number=1,
        article_id=article.id,
        topic=article.topic,
        keyword=article.keyword,
        notes=found.notes,
        language=site.language,
        site_name=site.name,
        site_about=f"{site.tagline} {site.about}",
        neighbours=await neighbours_of(session, article, site),
    )


async def hand_in_commission(session: AsyncSession, commission_id: UUID, manuscript: Manuscript) -> Version:
    """Take the writer's text as the draft's, for editors to go on with."""
    found = await _wanted(session, commission_id)
    article = await locked_article(session, found.article_id)
    version = await add_version(session, article.id, **manuscript.as_version())
    name_article(article, version.edit)
    found.version_id, found.finished_at = version.id, now()
    await session.flush()
    changed(session, f"commission/{commission_id}")
    return version


async def fail_commission(session: AsyncSession, commission_id: UUID) -> None:
    """Every attempt has failed: nothing was paid for, so that it is said is enough."""
    try:
        found = await _wanted(session, commission_id)
    except Stale:
        return
    job = await session.get(JobRow, found.job_id) if found.job_id else None
    found.problem = (job.error if job is not None else None) or "Every attempt failed."
    found.finished_at = now()
    await session.flush()
    changed(session, f"commission/{commission_id}")


async def publish_commission(
    session: AsyncSession, site: Site, commission_id: UUID, person: Person
) -> Article:
    """Show the text to readers as it was written. Pressed twice, or after an editor did it elsewhere: `Conflict`."""
    found = await session.get(Commission, commission_id)
    if found is None or found.site_id != site.id:
        raise NotFound("There is no such article.")
    if found.version_id is None:
        raise Conflict("There is no text to publish yet.")
    article = await locked_article(session, found.article_id)
    version = await session.get_one(Version, found.version_id)
    newest = (
        select(Version.id).where(Version.article_id == article.id).order_by(Version.number.desc()).limit(1)
    )
    if await session.scalar(newest) != version.id:
        raise Conflict("Somebody has changed the draft since it was written: publish it from its own page.")
    await publish_first(session, article, version, now())
    detail: dict[str, Any] = {"version": str(version.id)}
    await audit(session, person, "article.published", f"article/{article.id}", **detail)
    return article


async def commissions(session: AsyncSession, site: Site, cursor: str | None = None) -> Page[Commissioned]:
    """A page of the articles that editors ordered for a site, the latest first. `Invalid` for a foreign cursor."""
    query = _query().where(Commission.site_id == site.id).order_by(Commission.id.desc()).limit(PAGE_SIZE + 1)
    if cursor is not None:
        query = query.where(Commission.id < decode_cursor(cursor, UUID)[0])
    rows = [Commissioned(*row) for row in await session.execute(query.options(defer(Version.markdown)))]
    return page_of(rows, PAGE_SIZE, lambda row: [row.commission.id])


async def commissioned(session: AsyncSession, site: Site, commission_id: UUID) -> Commissioned:
    """One of the site's, with its text. Raises `NotFound`."""
    query = _query().where(Commission.id == commission_id, Commission.site_id == site.id)
    row = (await session.execute(query)).one_or_none()
    if row is None:
        raise NotFound("There is no such article.")
    return Commissioned(*row)


def _query() -> Any:
    return (
        select(Commission, Article, JobRow, Version, Person.email)
        .join(Article, Article.id == Commission.article_id)
        .outerjoin(JobRow, JobRow.id == Commission.job_id)
        .outerjoin(Version, Version.id == Commission.version_id)
        .outerjoin(Person, Person.id == Commission.by_id)
        .options(defer(Article.search))
        .execution_options(populate_existing=True)
    )

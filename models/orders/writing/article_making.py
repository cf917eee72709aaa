"""From the payment of a whole article to a text that its customer can look at."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.clock import now
from models.base.db import changed
from models.base.errors import Conflict
from models.base.settings import Settings
from models.orders.catalogue.content import add_version
from models.orders.letters import facts_of
from models.orders.moves import WRITER, move_order
from models.orders.states import ArticleStatus, GenerationState, OrderStatus
from models.orders.tables import Version
from models.orders.writing.making import tell_ready, wanted
from models.orders.writing.new_articles import ArticleBrief, Manuscript, name_article, neighbours_of


async def take_up_article(session: AsyncSession, order_id: UUID, number: int) -> ArticleBrief:
    """Begin to write, or begin again after a crash. Raises `Stale` if nobody waits for it any more."""
    _, generation = await wanted(session, order_id, number)
    facts = await facts_of(session, order_id)
    article, site = facts.article, facts.site
    if article.status is not ArticleStatus.DRAFT:
        raise Conflict("The article has been published already.")
    earlier = select(Version.edit["title"].as_string()).where(Version.order_id == order_id)
    generation.started_at = generation.started_at or now()
    await session.flush()
    changed(session, f"order/{order_id}")
    return ArticleBrief(
        subject=f"order/{order_id}",
        number=number,
        article_id=article.id,
        topic=article.topic,
        keyword=article.keyword,
        # What customers write is for the editor to read: they never instruct the writer.
        notes="",
        language=site.language,
        site_name=site.name,
        site_about=f"{site.tagline} {site.about}",
        neighbours=await neighbours_of(session, article, site),
        reasons=generation.reason.split(",") if generation.reason else (),
        earlier=list(await session.scalars(earlier.order_by(Version.generation))),
    )


async def hand_in_article(
    session: AsyncSession,
    settings: Settings,
    order_id: UUID,
    number: int,
    manuscript: Manuscript,
    at: datetime | None = None,
) -> Version:
    """Take the writer's article, if it is still wanted: a version for its customer to look at."""
    at = at or now()
    order, generation = await wanted(session, order_id, number)
    version = await add_version(
        session, order.article_id, order_id=order.id, generation=number, **manuscript.as_version()
    )
    generation.state, generation.version_id, generation.finished_at = GenerationState.DONE, version.id, at
    facts = await facts_of(session, order.id)
    name_article(facts.article, version.edit)
    due_at = at + timedelta(days=settings.orders.review_days)
    shown: dict[str, Any] = {"version_id": version.id, "ready_at": at, "review_due_at": due_at}
    chosen_anew: dict[str, Any] = {"submitted_version_id": None, "submitted_at": None}
    await move_order(session, order, OrderStatus.QUALITY_CHECK, "written", WRITER, **shown, **chosen_anew)
    await tell_ready(session, settings, facts, number, version, due_at)
    return version

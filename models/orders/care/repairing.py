"""Putting a lost link back: the same sentence at the same place on the text that is published now."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.clock import now
from models.base.settings import Settings
from models.orders.care.guarantee import (
    CONFIRMATION,
    MISSING,
    is_owed,
    tell_editors,
    tell_of_return,
    turn_link,
)
from models.orders.catalogue.publishing import locked_article, publish
from models.orders.letters import facts_of
from models.orders.moves import SYSTEM, held, write_history
from models.orders.states import ArticleStatus, GenerationState, LinkState
from models.orders.tables import Generation, Order, Version
from models.orders.text.markdown import href_of, links
from models.orders.writing.briefs import Brief, Draught, Placement, add_draught, brief_of, placement


class NotLost(Exception):
    """Nothing is to be put back: the link stands again, or is no longer owed. Not a failure."""


class Moved(Exception):
    """The article has changed while the link was being put back: begin again from its new text."""


@dataclass(frozen=True, slots=True)
class Beyond:
    """Why the link cannot be put back by itself, in words for an editor."""

    words: str


async def take_up_repair(session: AsyncSession, order_id: UUID) -> Brief | Beyond:
    """What the writer needs to put the link back into the text that is published now. Raises `NotLost`."""
    order = await _lost(session, order_id)
    facts = await facts_of(session, order_id)
    article = facts.article
    if article.status is not ArticleStatus.PUBLISHED or article.published_version_id is None:
        return Beyond("The article is not published. Publish it again, or refund the order.")
    base = await session.get_one(Version, article.published_version_id)
    if any(
        link.href == href_of(order.target_url) and link.text == order.anchor_text
        for link in links(base.markdown)
    ):
        return Beyond(f"The text has the link, but its page does not show it as sold. {order.link_problem}")
    chosen = await _placement(session, order)
    return brief_of(facts, base, order.generation + 1, "repair", chosen=chosen)


async def _placement(session: AsyncSession, order: Order) -> Placement | None:
    before = Version.__table__.alias("before")
    query = (
        select(before.c.markdown, Version)
        .join(before, before.c.id == Version.base_version_id)
        .where(Version.id == order.published_version_id)
    )
    row = (await session.execute(query)).one_or_none()
    return placement(*row) if row is not None else None


async def put_back(
    session: AsyncSession, settings: Settings, brief: Brief, draught: Draught, at: datetime | None = None
) -> Version:
    """Publish the text with the link, if the article is still the one that it was made from.

    Raises `Moved` if it is not, so that nobody's approval is undone, and `NotLost` if there is nothing to mend.
    """
    at = at or now()
    order = await _lost(session, brief.order_id)
    article = await locked_article(session, order.article_id)
    is_same = article.published_version_id == brief.base_version_id
    if article.status is not ArticleStatus.PUBLISHED or not is_same or order.generation >= brief.generation:
        raise Moved(f"article {article.id} shows {article.published_version_id} now")
    version = await add_draught(session, order, brief, draught, "repair")
    session.add(
        Generation(
            order_id=order.id,
            number=brief.generation,
            state=GenerationState.DONE,
            cause=brief.cause,
            base_version_id=brief.base_version_id,
            version_id=version.id,
            started_at=at,
            finished_at=at,
        )
    )
    await publish(session, article, version, placements=0)
    lost_at = order.link_lost_at
    await turn_link(
        session,
        order,
        LinkState.REPAIRED,
        published_version_id=version.id,
        generation=brief.generation,
        link_problem=None,
        link_lost_at=None,
        link_due_at=at + CONFIRMATION,
    )
    await write_history(session, order.id, order.status, order.status, "link repaired", SYSTEM)
    await tell_of_return(session, settings, await facts_of(session, order.id), lost_at)
    return version


async def give_up_repair(session: AsyncSession, settings: Settings, order_id: UUID, words: str) -> None:
    """Hand a link that cannot be put back by itself to the editors, who see it on their first page until it stands."""
    order = await _lost(session, order_id)
    is_new = order.link_state is not LinkState.STUCK
    lost_at = order.link_lost_at
    await turn_link(session, order, LinkState.STUCK, link_problem=words)
    if is_new:
        await write_history(session, order_id, order.status, order.status, "link needs an editor", SYSTEM)
        facts = await facts_of(session, order_id)
        title = f"The link of order {facts.number} needs somebody"
        await tell_editors(session, settings, facts, f"stuck:{lost_at:%s}", title, words)


async def _lost(session: AsyncSession, order_id: UUID) -> Order:
    order = await held(session, order_id)
    if not is_owed(order) or order.link_state not in MISSING:
        raise NotLost(f"the link of order {order_id} is {order.link_state}")
    return order

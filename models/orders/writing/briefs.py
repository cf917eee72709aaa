"""What the writer of a link is given, and what it hands in."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from models.orders.catalogue.content import add_version
from models.orders.letters import Facts
from models.orders.tables import Order, Version


@dataclass(frozen=True, slots=True)
class Placement:
    """A placement that was chosen: the text that it was made from, its own, and who wrote it."""

    before: str
    after: str
    writer: str


def placement(before: str, after: Version) -> Placement:
    """The placement that a version is, made from the text `before`."""
    return Placement(before, after.markdown, (after.edit or {}).get("writer") or "editor")


@dataclass(frozen=True, slots=True)
class Brief:
    """What the writer is given: the published text and what is to be placed in it."""

    order_id: UUID
    generation: int
    cause: str
    base_version_id: UUID
    markdown: str
    language: str
    topic: str
    target_url: str
    anchor_text: str
    reasons: Sequence[str]
    #: The earlier versions of this order, oldest first, each with the text that it was made from.
    earlier: Sequence[tuple[str, str]]
    #: The one among them that was submitted, if the order is made anew because the article has moved.
    chosen: Placement | None


@dataclass(frozen=True, slots=True)
class Draught:
    """What the writer hands in, with the report of quality control."""

    markdown: str
    edit: dict[str, Any]
    qc: dict[str, Any]
    qc_attempts: int
    needs_editor: bool


def brief_of(
    facts: Facts,
    base: Version,
    number: int,
    cause: str,
    *,
    reasons: Sequence[str] = (),
    earlier: Sequence[tuple[str, str]] = (),
    chosen: Placement | None = None,
) -> Brief:
    """The brief of an order's generation `number`, from the text that is published now."""
    return Brief(
        order_id=facts.order.id,
        generation=number,
        cause=cause,
        base_version_id=base.id,
        markdown=base.markdown,
        language=facts.site.language,
        topic=f"{facts.article.topic} {facts.article.keyword}",
        target_url=facts.order.target_url,
        anchor_text=facts.order.anchor_text,
        reasons=reasons,
        earlier=earlier,
        chosen=chosen,
    )


async def add_draught(
    session: AsyncSession, order: Order, brief: Brief, draught: Draught, origin: str
) -> Version:
    """Keep what was handed in as the article's next version."""
    return await add_version(
        session,
        order.article_id,
        markdown=draught.markdown,
        base_version_id=brief.base_version_id,
        origin=origin,
        order_id=order.id,
        generation=brief.generation,
        target_url=order.target_url,
        anchor_text=order.anchor_text,
        edit=draught.edit,
        qc=draught.qc,
        qc_attempts=draught.qc_attempts,
        is_qc_passed=True,
        needs_editor=draught.needs_editor,
    )

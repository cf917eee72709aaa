"""What the writer made: the change in the article, the report of quality control, and the versions to choose from."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from models.orders.quality.report import QcReport
from models.orders.queries import OrderView, texts_of
from models.orders.states import REASON_WORDS, OrderStatus, Product, RegenerateReason
from models.orders.tables import Version
from models.orders.text.diff import DiffBlock, Segment, changes
from models.orders.text.markdown import render

Piece = tuple[str, str, str | None]


async def result_of(
    session: AsyncSession, view: OrderView, versions: Sequence[Version], wanted: UUID | None
) -> dict[str, Any] | None:
    """The version that is looked at: the wanted one, or else the one that counts. None if there is none to see."""
    order = view.order
    first = order.published_version_id or order.submitted_version_id or order.version_id
    shown = next((one for one in versions if one.id == wanted), None)
    shown = shown or next((one for one in versions if one.id == first), None)
    shown = shown or next(iter(versions), None)
    if shown is None:
        return None
    before, after = await texts_of(session, shown)
    made = shown.edit or {}
    is_article = view.order.product is Product.ARTICLE
    return {
        "id": shown.id,
        "number": shown.generation or 1,
        "is_basic": made.get("writer") == "basic",
        # A whole article is read; what was changed in one is compared.
        "title": made.get("title"),
        "summary": made.get("summary"),
        "html": render(after) if is_article else None,
        "blocks": [] if is_article else blocks_of(before, after),
        "placed": {
            "href": shown.target_url,
            "anchor": shown.anchor_text,
            "rel": view.site.rel,
        },
        "checks": checks_of(shown),
        "attempts": shown.qc_attempts,
    }


def checks_of(version: Version) -> list[dict[str, Any]]:
    """The report of quality control as the shell wants it."""
    report = QcReport.from_dict(version.qc) if version.qc else None
    return [
        {"name": check.title, "is_passed": check.passed, "detail": check.detail or None}
        for check in (report.checks if report else ())
    ]


@lru_cache(maxsize=128)
def blocks_of(before: str, after: str) -> list[dict[str, Any]]:
    """The change as the shell's diff wants it. Versions are never changed, so each is compared once."""
    shown: list[dict[str, Any]] = []
    for block in changes(before, after):
        if block.kind == "same":
            shown.append({"kind": "same", "paragraphs": [one.text for one in block.segments]})
            continue
        if block.heading_path:
            shown.append({"kind": "context", "text": " / ".join(block.heading_path)})
        shown.append({"kind": "changed", "before": _before(block), "after": _after(block)})
    return shown


def _before(block: DiffBlock) -> list[Piece]:
    kinds = {"same": "same", "delete": "removed"}
    return [
        (
            "link" if one.href and not one.is_new_link and one.kind == "same" else kinds[one.kind],
            one.text,
            one.href,
        )
        for one in block.segments
        if one.kind != "insert"
    ]


def _after(block: DiffBlock) -> list[Piece]:
    return [(_kind(one), one.text, one.href) for one in block.segments if one.kind != "delete"]


def _kind(segment: Segment) -> str:
    if segment.is_new_link:
        return "placed"
    if segment.kind == "insert":
        return "added"
    return "link" if segment.href else "same"


def rows_of(
    view: OrderView, versions: Sequence[Version], reasons: dict[int, str | None]
) -> list[dict[str, Any]]:
    """The versions as the shell's list wants them. `reasons` are what was asked for, by generation."""
    order = view.order
    rows = []
    for one in versions:
        words, tone, icon = _mark(view, one)
        rows.append(
            {
                "id": str(one.id),
                "number": one.generation or 1,
                "created_at": one.created_at,
                "words": words,
                "tone": tone,
                "icon": icon,
                "note": _note(reasons.get(one.generation or 1)),
                "href": f"/orders/{order.id}?version={one.id}#result",
                "can_choose": one.is_qc_passed,
            }
        )
    return rows


def _mark(view: OrderView, version: Version) -> tuple[str, str, str]:
    if version.id == view.order.published_version_id:
        return "Published", "good", "check-circle"
    if view.order.status is OrderStatus.ADMIN_REVIEW and version.id == view.order.submitted_version_id:
        return "With the editor", "accent", "pen"
    return "Checks passed", "good", "check"


def _note(reason: str | None) -> str | None:
    if not reason:
        return None
    words = [REASON_WORDS[RegenerateReason(one)].lower() for one in reason.split(",")]
    return f"asked for because: {', '.join(words)}"

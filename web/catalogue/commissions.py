"""Articles that editors order for a site, and what customers pay for one."""

from typing import Any, Final
from uuid import UUID

from litestar import Controller, Request, Response, get, post
from litestar.params import FromPath, FromQuery
from sqlalchemy.ext.asyncio import AsyncSession
from sse_starlette import EventSourceResponse

from models.base.errors import Conflict, Invalid
from models.base.settings import Settings
from models.jobs.states import JobState
from models.orders.catalogue.prices import price_articles
from models.orders.catalogue.publications import site_of
from models.orders.states import ArticleStatus
from models.orders.tables import Site
from models.orders.text.markdown import render
from models.orders.writing.commissions import (
    Commissioned,
    commission,
    commissioned,
    commissions,
    publish_commission,
)
from web.catalogue.forms import cents_of
from web.forms import FormData, shown
from web.guards import admin, editor
from web.lists import listed
from web.live import Moment, stream
from web.orders.result import checks_of
from web.pages import page, redirect
from web.params import Config, Submitted, Templates, Transaction, Who
from web.visitor import Visitor

Mark = tuple[str, str, str]

WAITING: Final[Mark] = ("Waits for a writer", "neutral", "clock")
WRITING: Final[Mark] = ("Being written", "accent", "pen")
WRITTEN: Final[Mark] = ("Waits to be published", "warn", "eye")
PUBLISHED: Final[Mark] = ("Published", "good", "check-circle")
OFFLINE: Final[Mark] = ("Offline", "neutral", "minus-circle")
FAILED: Final[Mark] = ("Not written", "bad", "cross")


class Commissions(Controller):
    """Order an article, look at it, publish it."""

    path = "/admin/sites/{slug:str}/commissions"
    guards = [editor]  # noqa: RUF012 - Litestar reads it as a class attribute

    @get()
    async def index(
        self,
        session: Transaction,
        visitor: Who,
        settings: Config,
        slug: FromPath[str],
        cursor: FromQuery[str | None] = None,
    ) -> Response[None]:
        """The form, and what was ordered before."""
        return await _list(session, visitor, settings, await site_of(session, slug), cursor=cursor or None)

    @post()
    async def order(
        self, session: Transaction, visitor: Who, settings: Config, form: Submitted, slug: FromPath[str]
    ) -> Response[None]:
        """Have it written."""
        site, typed = await site_of(session, slug), _typed(form)
        wish = (typed["topic"], typed["keyword"], typed["notes"])
        try:
            made = await commission(session, settings, site, *wish, visitor.somebody)
        except Invalid as refusal:
            return await _list(session, visitor, settings, site, typed=typed, problems=refusal.fields)
        return redirect(f"/admin/sites/{slug}/commissions/{made.id}", notice="A writer begins with it.")

    @post("/price", guards=[admin])
    async def set_price(
        self, session: Transaction, visitor: Who, settings: Config, form: Submitted, slug: FromPath[str]
    ) -> Response[None]:
        """What customers pay for a whole article from now on; left empty, none are sold."""
        site, typed = await site_of(session, slug), shown(form).get("price", "").strip()
        try:
            await price_articles(session, site, cents_of(form) if typed else None, visitor.somebody)
        except Invalid as refusal:
            return await _list(session, visitor, settings, site, price=typed, price_problems=refusal.fields)
        words = "The price is set." if typed else "Whole articles are not for sale here any more."
        return redirect(f"/admin/sites/{slug}/commissions", notice=words)

    @get("/{commission_id:uuid}")
    async def show(
        self, session: Transaction, visitor: Who, slug: FromPath[str], commission_id: FromPath[UUID]
    ) -> Response[None]:
        """How far it is; then the text with the report of quality control."""
        return await _one(session, visitor, await site_of(session, slug), commission_id)

    @get("/{commission_id:uuid}/events")
    async def events(
        self,
        request: Request[Any, Any, Any],
        session: Transaction,
        visitor: Who,
        pages: Templates,
        slug: FromPath[str],
        commission_id: FromPath[UUID],
    ) -> EventSourceResponse:
        """The same, as it goes on. Progress is told under the commission's own name."""
        site = await site_of(session, slug)
        await commissioned(session, site, commission_id)

        async def look(session: AsyncSession) -> Moment:
            facts = await _facts(session, site, commission_id)
            html = pages.render("catalogue/_commission.html", visitor=visitor, **facts)
            return Moment(html, is_last=not facts["is_open"])

        return stream(request, [f"commission/{commission_id}"], look, visitor=visitor)

    @post("/{commission_id:uuid}/publication")
    async def publish(
        self, session: Transaction, visitor: Who, slug: FromPath[str], commission_id: FromPath[UUID]
    ) -> Response[None]:
        """Show it to readers as it is."""
        site = await site_of(session, slug)
        try:
            async with session.begin_nested():
                await publish_commission(session, site, commission_id, visitor.somebody)
        except Conflict as refusal:
            return await _one(session, visitor, site, commission_id, problem=refusal.words)
        return redirect(f"/admin/sites/{slug}/commissions/{commission_id}", notice="Published.")

    @get(["/price", "/{commission_id:uuid}/publication"])
    async def back(self, slug: FromPath[str]) -> Response[None]:
        """A refused decision stands at these addresses; opened again, they are the list."""
        return redirect(f"/admin/sites/{slug}/commissions")


def _typed(form: FormData) -> dict[str, str]:
    raw = shown(form)
    return {name: raw.get(name, "").strip() for name in ("topic", "keyword", "notes")}


async def _list(
    session: AsyncSession,
    visitor: Visitor,
    settings: Settings,
    site: Site,
    *,
    cursor: str | None = None,
    typed: dict[str, str] | None = None,
    problems: dict[str, str] | None = None,
    price: str | None = None,
    price_problems: dict[str, str] | None = None,
) -> Response[None]:
    found = await commissions(session, site, cursor)
    priced = site.article_price_cents
    return page(
        "catalogue/commissions.html",
        visitor=visitor,
        status=422 if problems or price_problems else 200,
        site=site,
        has_model=settings.llm.model is not None,
        mark=_mark,
        typed=typed or _typed({}),
        problems=problems or {},
        price=price if price is not None else f"{priced / 100:.2f}" if priced is not None else "",
        price_problems=price_problems or {},
        **listed(found, f"/admin/sites/{site.slug}/commissions", cursor),
    )


async def _one(
    session: AsyncSession, visitor: Visitor, site: Site, commission_id: UUID, problem: str | None = None
) -> Response[None]:
    facts = await _facts(session, site, commission_id, problem)
    return page("catalogue/commission.html", visitor=visitor, status=409 if problem else 200, **facts)


async def _facts(
    session: AsyncSession, site: Site, commission_id: UUID, problem: str | None = None
) -> dict[str, Any]:
    found = await commissioned(session, site, commission_id)
    return {
        "site": site,
        "found": found,
        "mark": _mark(found),
        "result": _result(found),
        "is_open": found.commission.finished_at is None,
        "can_publish": found.version is not None and found.article.status is ArticleStatus.DRAFT,
        "problem": problem,
    }


def _result(found: Commissioned) -> dict[str, Any] | None:
    if found.version is None:
        return None
    made = found.version.edit or {}
    return {
        "title": made.get("title"),
        "summary": made.get("summary"),
        "writer": made.get("writer"),
        "html": render(found.version.markdown),
        "checks": checks_of(found.version),
        "attempts": found.version.qc_attempts,
    }


def _mark(found: Commissioned) -> Mark:
    if found.commission.problem is not None:
        return FAILED
    if found.commission.version_id is None:
        return WRITING if found.job is not None and found.job.state is JobState.ACTIVE else WAITING
    if found.article.status is ArticleStatus.DRAFT:
        return WRITTEN
    return PUBLISHED if found.article.status is ArticleStatus.PUBLISHED else OFFLINE

"""A site's articles for editors: the list, and the page on which one is written."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any, Final
from uuid import UUID

from litestar import Controller, Request, Response, get, post
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.states import Role
from models.accounts.tables import Person
from models.base.errors import Conflict, Invalid
from models.orders.care.archiving import archive
from models.orders.catalogue.admin_queries import articles_of
from models.orders.catalogue.editing import (
    Editable,
    EditConflict,
    create_article,
    obstacle,
    save_article,
    unpublish,
)
from models.orders.catalogue.paid_links import running_orders, sold_in
from models.orders.catalogue.publications import site_of
from models.orders.catalogue.rules import ArticleFacts
from models.orders.states import ArticleStatus
from models.orders.tables import Article, Site
from web.catalogue.edited import ARTICLE, Edited, home_of
from web.catalogue.forms import LARGEST_ARTICLE_FORM, article_facts, markdown_of
from web.catalogue.preview import preview_of
from web.forms import FormData, shown
from web.guards import admin, editor
from web.lists import address, listed, searched
from web.orders.admin.forms import one_of
from web.orders.forms import first_values
from web.orders.result import blocks_of
from web.pages import fragment, page, redirect
from web.params import Submitted, Transaction, Who
from web.visitor import Visitor

STATUSES: Final = {
    ArticleStatus.DRAFT: "Draft",
    ArticleStatus.PUBLISHED: "Published",
    ArticleStatus.UNPUBLISHED: "Offline",
    ArticleStatus.ARCHIVED: "Taken down",
}
EMPTY: Final = ArticleFacts(title="", slug="", topic="", keyword="", author="", summary="", markdown="")


class Articles(Controller):
    """Write, publish and take offline."""

    path = "/admin/sites/{slug:str}/articles"
    guards = [editor]  # noqa: RUF012 - Litestar reads it as a class attribute
    dependencies = ARTICLE

    @get()
    async def index(
        self, request: Request[Any, Any, Any], session: Transaction, visitor: Who, slug: FromPath[str]
    ) -> Response[None]:
        """A page of the articles that were searched for."""
        site = await site_of(session, slug)
        fields = first_values(request.query_params.multi_items())
        cursor = fields.get("cursor") or None
        search, status = searched(fields.get("q", "")), one_of(ArticleStatus, fields.get("status", ""))
        found = await articles_of(session, site.id, search, status, cursor)
        asked = {"q": search, "status": status.value if status else ""}
        here = f"/admin/sites/{slug}/articles"
        chosen = [(f"“{search}”", address(here, **asked | {"q": ""}))] if search else []
        chosen += [(STATUSES[status], address(here, **asked | {"status": ""}))] if status else []
        return page(
            "catalogue/articles.html",
            visitor=visitor,
            site=site,
            search=search,
            wanted_status=status,
            statuses=[("", "Any"), *((one.value, words) for one, words in STATUSES.items())],
            chosen=chosen,
            **listed(found, here, cursor, **asked),
        )

    @get("/new")
    async def new(self, session: Transaction, visitor: Who, slug: FromPath[str]) -> Response[None]:
        """An empty form."""
        return _writing(visitor, await site_of(session, slug), asdict(EMPTY))

    @post(request_max_body_size=LARGEST_ARTICLE_FORM)
    async def create(
        self, session: Transaction, visitor: Who, form: Submitted, slug: FromPath[str]
    ) -> Response[None]:
        """Add an article as a draft, or publish it at once."""
        site = await site_of(session, slug)
        typed = asdict(EMPTY) | shown(form)
        wish = typed.get("then")
        if wish == "preview":
            markdown = markdown_of([typed["markdown"]])
            return _writing(visitor, site, typed, preview=preview_of(markdown, site))
        try:
            facts = article_facts(form)
            article = await create_article(
                session, site, facts, visitor.somebody, is_published=wish == "publish"
            )
        except Invalid as refusal:
            return _writing(visitor, site, typed, problems=refusal.fields)
        words = "Published." if wish == "publish" else "Saved as a draft."
        return redirect(f"/admin/sites/{slug}/articles/{article.id}", notice=words)

    @post("/preview", request_max_body_size=LARGEST_ARTICLE_FORM)
    async def preview(
        self, session: Transaction, visitor: Who, form: Submitted, slug: FromPath[str]
    ) -> Response[None]:
        """The text as readers would see it, while it is written."""
        site = await site_of(session, slug)
        markdown = markdown_of(form.get("markdown") or [""])
        return fragment("catalogue/_preview.html", visitor=visitor, preview=preview_of(markdown, site))

    @get("/{article_id:uuid}")
    async def show(self, session: Transaction, visitor: Who, read: Edited) -> Response[None]:
        """The article in its form."""
        return await _editing(session, visitor, await read())

    @post("/{article_id:uuid}", request_max_body_size=LARGEST_ARTICLE_FORM)
    async def save(self, session: Transaction, visitor: Who, form: Submitted, read: Edited) -> Response[None]:
        """Save it, publish it, or only look at it. Who comes second sees both texts, and nothing is lost."""
        there = await read()
        slug, article_id = there.site.slug, there.article.id
        typed = asdict(there.facts) | {"seen": ""} | shown(form)
        wish = typed.get("then")
        # Saving brings the very same rows up to date.
        before, was_published = there.seen, there.article.status is ArticleStatus.PUBLISHED
        if wish == "preview":
            return await _editing(session, visitor, there, typed, is_previewed=True)
        try:
            facts = article_facts(form, there.head.markdown)
            async with session.begin_nested():
                saved = await save_article(
                    session,
                    slug,
                    article_id,
                    facts,
                    typed["seen"],
                    visitor.somebody,
                    publish=wish == "publish",
                )
        except Invalid as refusal:
            return await _editing(session, visitor, there, typed, problems=refusal.fields)
        except EditConflict:
            there = await read()
            return await _editing(session, visitor, there, typed, is_conflict=True)
        words = "Published." if wish == "publish" else "Saved. Readers do not see it yet."
        if saved.seen == before:
            words = "Nothing was different, so nothing was saved."
        elif was_published:
            words = "Saved. Readers see it now."
        return redirect(f"/admin/sites/{slug}/articles/{article_id}", notice=words)

    @get(["/{article_id:uuid}/withdrawal", "/{article_id:uuid}/archival"])
    async def ask_withdrawal(self, session: Transaction, visitor: Who, read: Edited) -> Response[None]:
        """Really take it offline?"""
        return await _withdrawing(session, visitor, await read())

    @post("/{article_id:uuid}/withdrawal")
    async def withdraw(
        self, session: Transaction, visitor: Who, form: Submitted, read: Edited
    ) -> Response[None]:
        """Take it offline, unless somebody has paid for being in it."""
        return await _taken(
            session, visitor, form, await read(), unpublish, "Offline. Nobody can read it now."
        )

    @post("/{article_id:uuid}/archival", guards=[admin])
    async def archive(
        self, session: Transaction, visitor: Who, form: Submitted, read: Edited
    ) -> Response[None]:
        """Take it down for good, also from those who have paid for being in it."""
        words = "Taken down. Readers are told that it is gone."
        return await _taken(session, visitor, form, await read(), archive, words)


def _writing(
    visitor: Visitor,
    site: Site,
    typed: dict[str, Any],
    *,
    problems: dict[str, str] | None = None,
    preview: dict[str, Any] | None = None,
) -> Response[None]:
    return page(
        "catalogue/article.html",
        visitor=visitor,
        status=422 if problems else 200,
        site=site,
        there=None,
        typed=typed,
        problems=problems or {},
        conflict=None,
        running=[],
        sold=[],
        preview=preview or preview_of("", site),
    )


async def _editing(
    session: AsyncSession,
    visitor: Visitor,
    there: Editable,
    typed: dict[str, Any] | None = None,
    *,
    problems: dict[str, str] | None = None,
    is_conflict: bool = False,
    is_previewed: bool = False,
) -> Response[None]:
    typed = typed or asdict(there.facts)
    status = 409 if is_conflict else 422 if problems else 200
    # Only a conflict moves what the editor has seen: it shows them what they had not.
    seen = there.seen if is_conflict else typed.get("seen", there.seen)
    text = markdown_of([typed["markdown"]], there.head.markdown)
    sold = [one for one in await sold_in(session, there.article.id) if one.target_url]
    return page(
        "catalogue/article.html",
        visitor=visitor,
        status=status,
        site=there.site,
        there=there,
        typed=typed | {"seen": seen},
        problems=problems or {},
        conflict=_conflict(there, typed, text) if is_conflict else None,
        running=await running_orders(session, there.article.id),
        sold=sold,
        preview=preview_of(text, there.site, {one.target_url for one in sold}, is_asked=is_previewed),
    )


def _conflict(there: Editable, typed: dict[str, Any], text: str) -> dict[str, Any]:
    """What a colleague has made of the article meanwhile, against what was typed here."""
    facts = asdict(there.facts)
    return {
        "blocks": blocks_of(there.head.markdown, text) if there.head.markdown != text else [],
        "markdown": there.head.markdown,
        "number": there.head.number,
        "fields": [
            (name, facts[name], typed.get(name, ""))
            for name in facts
            if name != "markdown" and facts[name] != typed.get(name, "")
        ],
    }


async def _taken(
    session: AsyncSession,
    visitor: Visitor,
    form: FormData,
    there: Editable,
    take: Callable[[AsyncSession, str, UUID, str, Person], Awaitable[Article]],
    words: str,
) -> Response[None]:
    try:
        await take(session, there.site.slug, there.article.id, shown(form).get("seen", ""), visitor.somebody)
    except Conflict as refusal:
        return await _withdrawing(session, visitor, there, refusal.words)
    return redirect(home_of(there), notice=words)


async def _withdrawing(
    session: AsyncSession, visitor: Visitor, there: Editable, problem: str | None = None
) -> Response[None]:
    sold = await sold_in(session, there.article.id)
    running = await running_orders(session, there.article.id)
    return page(
        "catalogue/withdrawal.html",
        visitor=visitor,
        status=409 if problem else 200,
        there=there,
        obstacle=problem or obstacle(sold, running),
        orders=[*sold, *running],
        can_archive=visitor.has_role(Role.ADMIN) and not running,
        links=[one for one in sold if one.target_url],
    )

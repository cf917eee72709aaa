"""Ordering a whole article: its form and its draft. Signing in and paying are the same as for a link."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from litestar import Controller, Response, get, post
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.settings import Settings
from models.orders.article_orders import article_problems, save_article_draft, selling_site, sells_articles
from models.orders.tables import Draft, Site
from models.orders.writing.new_articles import LEAST_WORDS, MOST_WORDS
from web.forms import FormData
from web.orders import onward
from web.orders.forms import article_wish_of, empty
from web.pages import page
from web.params import Config, KeyRing, Submitted, Transaction, Who
from web.visitor import Visitor


class ArticleForm(Controller):
    """What is asked before a whole article is ordered. Nobody needs to be signed in to fill it in."""

    path = "/catalogue/{site:str}/new/order"

    @get()
    async def ask(
        self, session: Transaction, visitor: Who, settings: Config, site: FromPath[str]
    ) -> Response[None]:
        """An empty form."""
        return _form(visitor, settings, await selling_site(session, site, settings), empty(visitor))

    @post()
    async def save(
        self,
        session: Transaction,
        visitor: Who,
        settings: Config,
        keys: KeyRing,
        form: Submitted,
        site: FromPath[str],
    ) -> Response[None]:
        """Keep the wish; then on to the draft, or first to the letter that proves the address."""
        found = await selling_site(session, site, settings)
        kept = await keep(session, visitor, settings, form, found)
        return await onward.go_on(session, visitor, settings, keys, kept)


async def keep(
    session: AsyncSession,
    visitor: Visitor,
    settings: Settings,
    form: FormData,
    site: Site,
    draft: Draft | None = None,
) -> Draft | Response[None]:
    """Save what the form asks for, or show the form again."""
    wish, unread = article_wish_of(form, visitor)
    save = partial(
        save_article_draft,
        session,
        wish,
        site=site,
        browser=visitor.browser,
        person=visitor.person,
        settings=settings,
        draft_id=draft.id if draft else None,
    )
    again = partial(_form, visitor, settings, site, draft=draft)
    return await onward.keep(wish, article_problems(wish) | unread, save, again)


def site_of(draft: Draft) -> Site:
    """The site of an article's draft, which `draft_of` has read with it."""
    assert draft.site is not None, "an article's draft names its site"
    return draft.site


def _about(site: Site, settings: Settings) -> dict[str, Any]:
    return {
        "site": site,
        "href": f"/catalogue/{site.slug}/new",
        "price_cents": site.article_price_cents or 0,
        "is_for_sale": sells_articles(site, settings),
        "rules": settings.orders,
        "least_words": LEAST_WORDS,
        "most_words": MOST_WORDS,
        "is_basic": False,
    }


def edit_page(visitor: Visitor, settings: Settings, draft: Draft) -> Response[None]:
    """The form of a draft, filled in."""
    values = {name: getattr(draft, name) or "" for name in ("email", "topic", "keyword", "notes")}
    return _form(visitor, settings, site_of(draft), values, draft=draft)


def _form(
    visitor: Visitor,
    settings: Settings,
    site: Site,
    values: Mapping[str, str],
    problems: Mapping[str, str] | None = None,
    *,
    draft: Draft | None = None,
) -> Response[None]:
    facts = _about(site, settings)
    return onward.form_page("orders/article_form.html", visitor, facts, values, problems or {}, draft)


def draft_page(
    visitor: Visitor, settings: Settings, draft: Draft, *, problem: str | None = None, status: int = 200
) -> Response[None]:
    """The wish with its price."""
    return page(
        "orders/article_draft.html",
        visitor=visitor,
        status=status,
        **_about(site_of(draft), settings),
        draft=draft,
        problem=problem,
    )

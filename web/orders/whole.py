"""Ordering a whole article: its form and its draft. Signing in and paying are the same as for a link."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

from litestar import Controller, Response, get, post
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.errors import Invalid
from models.base.settings import Settings
from models.orders.article_orders import (
    MOST_TOPIC,
    ArticleWish,
    article_problems,
    save_article_draft,
    selling_site,
    sells_articles,
)
from models.orders.new_articles import LEAST_WORDS, MOST_WORDS
from models.orders.rules import MAX_NOTES
from models.orders.tables import Draft, Site
from web.forms import FormData, read, shown, text
from web.orders.onward import go_on
from web.pages import page
from web.params import Config, KeyRing, Submitted, Transaction, Who
from web.visitor import Visitor

FIELDS: Final = ("email", "topic", "keyword", "notes")
#: Above what any rule allows, so that the rule itself says what is wrong with what is too long.
_GENEROUS: Final = 20 * MOST_TOPIC


@dataclass(frozen=True, slots=True)
class Details:
    """The form of a whole article. What is missing or wrong is said by its rules, all of it at once."""

    email: Annotated[str, text(max_length=_GENEROUS)] = ""
    topic: Annotated[str, text(max_length=_GENEROUS)] = ""
    keyword: Annotated[str, text(max_length=_GENEROUS)] = ""
    notes: Annotated[str, text(max_length=20 * MAX_NOTES, is_prose=True)] = ""


class ArticleForm(Controller):
    """What is asked before a whole article is ordered. Nobody needs to be signed in to fill it in."""

    path = "/catalogue/{site:str}/new/order"

    @get()
    async def ask(
        self, session: Transaction, visitor: Who, settings: Config, site: FromPath[str]
    ) -> Response[None]:
        """An empty form."""
        found = await selling_site(session, site, settings)
        return _form(visitor, settings, found, {"email": _email(visitor)}, {})

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
        return kept if isinstance(kept, Response) else await go_on(session, visitor, settings, keys, kept)


async def keep(
    session: AsyncSession,
    visitor: Visitor,
    settings: Settings,
    form: FormData,
    site: Site,
    draft: Draft | None = None,
) -> Draft | Response[None]:
    """Save what the form asks for, or show the form again with everything that is wrong with it."""
    wish, problems = _wish(form, _email(visitor))
    problems = article_problems(wish) | problems
    if not problems:
        try:
            return await save_article_draft(
                session,
                wish,
                site=site,
                browser=visitor.browser,
                person=visitor.person,
                settings=settings,
                draft_id=draft.id if draft else None,
            )
        except Invalid as refusal:
            problems = refusal.fields
    values = {name: getattr(wish, name) for name in FIELDS}
    return _form(visitor, settings, site, values, problems, draft)


def _wish(form: FormData, email: str) -> tuple[ArticleWish, dict[str, str]]:
    fields: FormData = {**form, **({"email": [email]} if email else {})}
    try:
        details = read(Details, fields)
    except Invalid as refusal:
        raw = shown(fields)
        return ArticleWish(*(raw.get(name, "").strip() for name in FIELDS)), refusal.fields
    return ArticleWish(details.email, details.topic, details.keyword, details.notes), {}


def _email(visitor: Visitor) -> str:
    return visitor.person.email if visitor.person else ""


def site_of(draft: Draft) -> Site:
    """The site of an article's draft, which `draft_of` has read with it."""
    assert draft.site is not None, "an article's draft names its site"
    return draft.site


def _about(site: Site, settings: Settings) -> dict[str, Any]:
    return {
        "site": site,
        "price_cents": site.article_price_cents or 0,
        "is_for_sale": sells_articles(site, settings),
        "rules": settings.orders,
        "least_words": LEAST_WORDS,
        "most_words": MOST_WORDS,
        "is_basic": False,
    }


def edit_page(visitor: Visitor, settings: Settings, draft: Draft) -> Response[None]:
    """The form of a draft, filled in."""
    values = {name: getattr(draft, name) or "" for name in FIELDS}
    return _form(visitor, settings, site_of(draft), values, {}, draft)


def _form(
    visitor: Visitor,
    settings: Settings,
    site: Site,
    values: Mapping[str, str],
    problems: Mapping[str, str],
    draft: Draft | None = None,
) -> Response[None]:
    return page(
        "orders/article_form.html",
        visitor=visitor,
        status=422 if problems else 200,
        **_about(site, settings),
        action=f"/orders/drafts/{draft.id}/edit" if draft else f"/catalogue/{site.slug}/new/order",
        draft=draft,
        values=values,
        problems={name: problems[name] for name in FIELDS if name in problems},
    )


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

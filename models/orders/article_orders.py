"""Ordering a whole article: who sells them, what the form asks for, and the draft that is paid for."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.address import normal_address
from models.accounts.tables import Person
from models.base.errors import Conflict, Invalid, NotFound
from models.base.settings import Settings
from models.orders.catalogue.queries import open_site
from models.orders.drafts import draft_for, expected, must_be_unpaid
from models.orders.quality.characters import hidden, mixed_words, name_of
from models.orders.rules import MAX_NOTES
from models.orders.states import Product
from models.orders.tables import Draft, Site
from models.payments.checkouts import Expected

LEAST_TOPIC: Final = 10
MOST_TOPIC: Final = 120
MOST_KEYWORD: Final = 60

NO_MODEL: Final = (
    "Whole articles cannot be ordered here: no language model is set up, and the basic writer writes none."
)


@dataclass(frozen=True, slots=True)
class ArticleWish:
    """What the form of a whole article asks for."""

    email: str
    topic: str
    keyword: str = ""
    notes: str = ""


def sells_articles(site: Site, settings: Settings) -> bool:
    """Whether a whole article can be ordered for this site: it has a price, and there is somebody to write it."""
    return site.is_open and site.article_price_cents is not None and settings.llm.model is not None


async def selling_site(session: AsyncSession, slug: str, settings: Settings) -> Site:
    """The open site, if articles can be ordered for it. `NotFound` without the site, `Conflict` without the offer."""
    site = await open_site(session, slug)
    _must_sell(site, settings)
    return site


def _must_sell(site: Site, settings: Settings) -> None:
    if settings.llm.model is None:
        raise Conflict(NO_MODEL)
    if not sells_articles(site, settings):
        raise Conflict(
            f"{site.name} sells no whole articles at the moment. Links in its articles are for sale."
        )


def topic_problems(topic: str, keyword: str) -> dict[str, str]:
    """What is wrong with what an article is to be about, by field."""
    found: dict[str, str] = {}
    if len(topic) < LEAST_TOPIC:
        found["topic"] = f"Say in at least {LEAST_TOPIC} characters what the article is to be about."
    elif problem := _line_problem(topic, MOST_TOPIC):
        found["topic"] = problem
    if problem := _line_problem(keyword, MOST_KEYWORD):
        found["keyword"] = problem
    return found


def _line_problem(text: str, most: int) -> str | None:
    if len(text) > most:
        return f"Shorten this to {most} characters; it has {len(text)}."
    if len(text.splitlines()) > 1:
        return "Write this on one line."
    if odd := hidden(text):
        return f"Remove the character that nobody can see ({name_of(next(iter(odd)))})."
    if mixed := mixed_words(text):
        return f"The word “{mixed[0]}” mixes alphabets that look alike."
    return "Leave out web addresses: the article links to its own site alone." if "://" in text else None


def article_problems(wish: ArticleWish) -> dict[str, str]:
    """Everything that is wrong with a wish, by field."""
    found = topic_problems(wish.topic, wish.keyword)
    if len(wish.notes) > MAX_NOTES:
        found["notes"] = f"Shorten the notes to {MAX_NOTES} characters; they have {len(wish.notes)}."
    try:
        normal_address(wish.email)
    except Invalid as invalid:
        found |= invalid.fields
    return found


async def save_article_draft(
    session: AsyncSession,
    wish: ArticleWish,
    *,
    site: Site,
    browser: str,
    person: Person | None,
    settings: Settings,
    draft_id: UUID | None = None,
) -> Draft:
    """Keep a wish, new or changed. Raises `Invalid` with every problem."""
    _must_sell(site, settings)
    if problems := article_problems(wish):
        raise Invalid(problems)
    ordered = {"product": Product.ARTICLE, "site_id": site.id, "checked_url": ""}
    draft = await draft_for(session, draft_id, wish.email, browser, person, **ordered)
    draft.topic, draft.keyword, draft.notes = wish.topic, wish.keyword, wish.notes
    await session.flush()
    return draft


def payable_article(draft: Draft, person: Person, settings: Settings) -> Expected:
    """What an article's draft costs now. Raises `Conflict` or `NotFound` if it cannot be paid."""
    must_be_unpaid(draft)
    site = draft.site
    if site is None or not site.is_open:
        raise NotFound("There is no such publication.")
    _must_sell(site, settings)
    assert site.article_price_cents is not None, "a site that sells articles has a price"
    description = f"Article “{draft.topic}” for {site.name}"
    return expected(draft, person, settings, description, site.article_price_cents, site.currency)

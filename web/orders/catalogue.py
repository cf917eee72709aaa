"""The catalogue: which articles there are, what is in them, and what a link in one costs."""

from functools import lru_cache
from typing import Any, Final

from litestar import Controller, Request, Response, get
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.errors import NotFound
from models.base.settings import Settings
from models.orders.article_orders import sells_articles
from models.orders.catalogue.queries import (
    Listed,
    Offer,
    Published,
    Search,
    Sort,
    catalogue,
    moved_to,
    offers,
    open_site,
    published_article,
    sold_links,
)
from models.orders.tables import Site
from models.orders.text.markdown import href_of, is_outgoing, links, render
from web.lists import address, listed
from web.orders.forms import first_values, search_of
from web.pages import page
from web.params import Config, Transaction, Who

AnyRequest = Request[Any, Any, Any]

SORTS: Final = (
    (Sort.NEWEST, "Newest first"),
    (Sort.CHEAPEST, "Lowest price first"),
    (Sort.DEAREST, "Highest price first"),
)
#: Names of languages in their own words, for those that publications are likely to have.
LANGUAGES: Final = {
    "da": "Dansk", "de": "Deutsch", "en": "English", "es": "Español", "fi": "Suomi", "fr": "Français",
    "it": "Italiano", "nl": "Nederlands", "no": "Norsk", "pl": "Polski", "pt": "Português", "sv": "Svenska",
}  # fmt: skip
#: The fields of a search, in the order in which they stand in an address.
FIELDS: Final = ("q", "niche", "language", "site", "min", "max", "sort")


class Catalogue(Controller):
    """Articles in which a link can be bought."""

    @get("/")
    async def index(self, request: AnyRequest, session: Transaction, visitor: Who) -> Response[None]:
        """Every article of every open site, searched and filtered as the address says."""
        fields = first_values(request.query_params.multi_items())
        search, problems = search_of(fields)
        found = await catalogue(session, search, fields.get("cursor") or None)
        asked = {name: fields.get(name, "") for name in FIELDS}
        sites = await offers(session)
        return page(
            "orders/catalogue.html",
            visitor=visitor,
            status=422 if problems else 200,
            cards=[card_of(one) for one in found.items],
            fields=asked,
            problems=problems,
            chosen=_chosen(asked, search, sites),
            niches=_options("Any niche", sorted({site.niche for site in sites})),
            languages=_languages(sites),
            sites=[("", "Any publication"), *((site.slug, site.name) for site in sites)],
            sorts=SORTS,
            **listed(found, "/", fields.get("cursor"), **asked),
        )

    @get("/catalogue/{site:str}")
    async def site(
        self,
        request: AnyRequest,
        session: Transaction,
        visitor: Who,
        settings: Config,
        site: FromPath[str],
    ) -> Response[None]:
        """One publication: what it is, what it tells its readers, and its articles."""
        publication = await open_site(session, site)
        fields = first_values(request.query_params.multi_items())
        sort, cursor = {"sort": fields.get("sort", "")}, fields.get("cursor") or None
        search, _ = search_of(sort, publication.slug)
        found = await catalogue(session, search, cursor)
        return page(
            "orders/site.html",
            visitor=visitor,
            site=publication,
            language=language_words(publication.language),
            sells_articles=sells_articles(publication, settings),
            cards=[card_of(one) for one in found.items],
            **listed(found, f"/catalogue/{publication.slug}", cursor, **sort),
        )

    @get("/catalogue/{site:str}/{article:str}")
    async def article(
        self,
        session: Transaction,
        visitor: Who,
        settings: Config,
        site: FromPath[str],
        article: FromPath[str],
    ) -> Response[None]:
        """One article as it is published, with what a link in it costs and what is promised for that.

        An address that it had before leads on to the present one.
        """
        try:
            found = await published_article(session, site, article, is_for_sale=True)
        except NotFound as missing:
            return await led_on(session, site, article, missing)
        sold = await sold_links(session, found.article.id)
        return page(
            "orders/article.html",
            visitor=visitor,
            **about(found, settings),
            html=html_of(found.version.markdown, found.site, sold),
            outgoing=[link.href for link in links(found.version.markdown) if is_outgoing(link.href)],
        )


async def led_on(
    session: AsyncSession, site: str, article: str, missing: NotFound, *, below: str = "", status: int = 301
) -> Response[None]:
    """From an address that an article for sale had before to the same below its present one; else raise `missing`."""
    slug = await moved_to(session, site, article)
    if slug is None:
        raise missing
    onward = {"Location": f"/catalogue/{site}/{slug}{below}"}
    return Response(None, status_code=status, media_type="text/html", headers=onward)


def about(found: Published, settings: Settings) -> dict[str, Any]:
    """What the pages of buying say of an article and of the shop's rules."""
    return {
        "article": found.article,
        "site": found.site,
        "language": language_words(found.site.language),
        "places_left": max(0, found.site.max_links_per_article - found.article.placement_count),
        "href": f"/catalogue/{found.site.slug}/{found.article.slug}",
        "rules": settings.orders,
        "is_basic": settings.llm.model is None,
    }


def html_of(markdown: str, site: Site, sold: set[str]) -> str:
    """The text as safe HTML without its title, each sold link with the `rel` that the site gives them."""
    return _html(markdown, site.rel, frozenset(map(href_of, sold)))


@lru_cache(maxsize=256)
def _html(markdown: str, rel: str, hrefs: frozenset[str]) -> str:
    """Rendering takes longer than all the rest of a reader's page, and texts are never changed."""
    return render(markdown, rel=lambda href: rel if href_of(href) in hrefs else None)


def language_words(code: str) -> str:
    """A language as its speakers call it."""
    return LANGUAGES.get(code, code.upper())


def card_of(one: Listed) -> dict[str, Any]:
    """An article as the shell's card wants it."""
    places = f"{one.places_left} of {one.max_placements}" if one.places_left else "None"
    return {
        "title": one.title,
        "href": f"/catalogue/{one.site_slug}/{one.slug}",
        "site": one.site_name,
        "domain": one.domain,
        "price_cents": one.price_cents,
        "currency": one.currency,
        "tags": [one.niche, language_words(one.language)],
        "facts": [
            ("Words", f"{one.word_count:,}"),
            ("External links", f"{one.link_count:,}"),
            ("Places left", places),
        ],
        "excerpt": one.summary,
    }


def _options(any_words: str, values: list[str]) -> list[tuple[str, str]]:
    return [("", any_words), *((value, value) for value in values)]


def _languages(sites: list[Offer]) -> list[tuple[str, str]]:
    codes = sorted({site.language for site in sites})
    return [("", "Any language"), *((code, language_words(code)) for code in codes)]


def _chosen(asked: dict[str, str], search: Search, sites: list[Offer]) -> list[tuple[str, str]]:
    """The filters in use, each with the address of the search without it."""
    names = {site.slug: site.name for site in sites}
    words = {
        "q": f"“{search.query}”" if search.query else "",
        "niche": search.niche,
        "language": language_words(search.language) if search.language else "",
        "site": names.get(search.site, search.site),
        "min": f"from {search.min_cents // 100:,}" if search.min_cents is not None else "",
        "max": f"up to {search.max_cents // 100:,}" if search.max_cents is not None else "",
    }
    return [(said, address("/", **asked | {name: ""})) for name, said in words.items() if said]

"""Articles as their readers see them: no shop around them, the same for everybody, and quick."""

from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

import orjson
from litestar import Request, Response, get
from litestar.params import FromPath
from markupsafe import Markup

from models.base.errors import NotFound
from models.base.settings import Settings
from models.orders.catalogue.queries import Published, moved_to, published_article, sold_links
from models.orders.text.markdown import summary
from web.orders.catalogue import html_of
from web.orders.conditional import not_modified, validators
from web.params import Config, Templates, Transaction
from web.visitor import stranger

AnyRequest = Request[Any, Any, Any]

#: An article that was published anew is seen within this time wherever a copy was kept.
CACHING: Final = "public, max-age=60, stale-while-revalidate=600"
#: What would end the data block that JSON stands in, or begin markup.
_UNSAFE: Final = ((b"<", b"\\u003c"), (b">", b"\\u003e"), (b"&", b"\\u0026"))


@get("/articles/{site:str}/{article:str}", opt={"referrer": "strict-origin-when-cross-origin"})
async def read_article(
    request: AnyRequest,
    session: Transaction,
    settings: Config,
    pages: Templates,
    site: FromPath[str],
    article: FromPath[str],
) -> Response[str]:
    """The published text. Who has this very version already is told so in a few bytes."""
    try:
        found = await published_article(session, site, article)
    except NotFound:
        slug = await moved_to(session, site, article)
        if slug is None:
            raise
        onward = {"Location": address_of(settings, site, slug), "Cache-Control": CACHING}
        return Response("", status_code=301, headers=onward)
    # The style sheet's address is part of the page and changes with a deploy.
    style = request.app.state.assets.url("app.css")
    headers = validators(changed_at(found), found.version.id, found.article.revision, style)
    headers["Cache-Control"] = CACHING
    if not_modified(request, headers):
        return Response("", status_code=304, headers=headers)
    canonical = address_of(settings, found.site.slug, found.article.slug)
    description = found.article.summary or summary(found.version.markdown)
    html = pages.render(
        "orders/reading.html",
        visitor=stranger(request),
        article=found.article,
        site=found.site,
        description=description,
        html=html_of(found.version.markdown, found.site, await sold_links(session, found.article.id)),
        canonical=canonical,
        feed=f"{settings.app.public_url}/articles/{quote(found.site.slug)}/feed.xml",
        changed_at=changed_at(found),
        structured=data_block(structured(found, canonical, description)),
    )
    return Response(html, media_type="text/html", headers=headers)


def changed_at(found: Published) -> datetime:
    """When readers saw a published article change last."""
    return max(found.article.updated_at, found.site.updated_at, found.version.created_at)


def address_of(settings: Settings, site: str, article: str) -> str:
    """Where an article is read: its one canonical address."""
    return f"{settings.app.public_url}/articles/{quote(site)}/{quote(article)}"


def structured(found: Published, canonical: str, description: str) -> dict[str, Any]:
    """What search engines are told of an article (https://schema.org/Article)."""
    article, site = found.article, found.site
    return {
        "@context": "https://schema.org",
        "@type": "Article",
        "headline": article.title,
        "description": description,
        "inLanguage": site.language,
        "datePublished": article.published_at,
        "dateModified": changed_at(found),
        "author": {"@type": "Person", "name": article.author},
        "publisher": {"@type": "Organization", "name": site.name},
        "mainEntityOfPage": canonical,
        "keywords": article.keyword,
        "wordCount": article.word_count,
    }


def data_block(data: dict[str, Any]) -> Markup:
    """JSON-LD for a page's head. It is data and never run, so the content policy lets it stand in the page."""
    text = orjson.dumps(data)
    for unsafe, escaped in _UNSAFE:
        text = text.replace(unsafe, escaped)
    return Markup('<script type="application/ld+json">{}</script>').format(Markup(text.decode()))  # noqa: S704 - nothing is left in it that is markup

"""What search engines and feed readers fetch: robots.txt, sitemaps, a feed of each publication."""

import re
from datetime import datetime
from html import escape
from typing import Any, Final
from urllib.parse import quote
from xml.etree.ElementTree import Element, SubElement, register_namespace, tostring

from litestar import Request, Response, get
from litestar.params import FromPath

from models.base.errors import NotFound
from models.orders.catalogue.discovery import feed, sitemap, sitemap_pages
from models.orders.catalogue.queries import Published
from models.orders.text.markdown import summary
from web.orders.catalogue import html_of
from web.orders.conditional import not_modified, validators
from web.orders.reading import address_of, changed_at
from web.params import Config, Transaction

ATOM: Final = "http://www.w3.org/2005/Atom"
SITEMAPS: Final = "http://www.sitemaps.org/schemas/sitemap/0.9"
#: Machines ask again after an hour, and may show what they have for a day while they do.
CACHING: Final = "public, max-age=3600, stale-while-revalidate=86400"
#: What is behind a sign-in, or is nothing to be found by.
PRIVATE: Final = ("/admin", "/orders", "/account", "/sign-in", "/api/", "/dev/", "/webhooks/")

_DECLARATION: Final = '<?xml version="1.0" encoding="utf-8"?>'
_SITEMAP = re.compile(r"([1-9][0-9]{0,4})\.xml")

register_namespace("", ATOM)


@get("/robots.txt", media_type="text/plain")
async def robots(settings: Config) -> Response[str]:
    """Everything that readers may see may be found (RFC 9309)."""
    lines = ["User-agent: *", *(f"Disallow: {path}" for path in PRIVATE)]
    text = "\n".join([*lines, "", f"Sitemap: {settings.app.public_url}/sitemap.xml", ""])
    return Response(text, media_type="text/plain", headers={"Cache-Control": CACHING})


@get("/sitemap.xml")
async def sitemap_index(session: Transaction, settings: Config) -> Response[bytes]:
    """Which sitemaps there are (https://www.sitemaps.org/protocol.html)."""
    entries = [
        f"<sitemap><loc>{escape(settings.app.public_url)}/sitemaps/{page}.xml</loc></sitemap>"
        for page in range(1, await sitemap_pages(session) + 1)
    ]
    text = "\n".join([_DECLARATION, f'<sitemapindex xmlns="{SITEMAPS}">', *entries, "</sitemapindex>", ""])
    return _sent(text.encode(), "application/xml")


@get("/sitemaps/{name:str}")
async def sitemap_page(session: Transaction, settings: Config, name: FromPath[str]) -> Response[bytes]:
    """The addresses of up to ten thousand articles, and when each was changed."""
    found = _SITEMAP.fullmatch(name)
    if found is None:
        raise NotFound("There is no such sitemap.")
    # Ten thousand entries as text: a tree of them takes a second to build and write.
    entries = [
        f"<url><loc>{escape(address_of(settings, one.site, one.slug))}</loc>"
        f"<lastmod>{_moment(one.changed_at)}</lastmod></url>"
        for one in await sitemap(session, int(found[1]))
    ]
    text = "\n".join([_DECLARATION, f'<urlset xmlns="{SITEMAPS}">', *entries, "</urlset>", ""])
    return _sent(text.encode(), "application/xml")


@get("/articles/{site:str}/feed.xml")
async def feed_of(
    request: Request[Any, Any, Any], session: Transaction, settings: Config, site: FromPath[str]
) -> Response[bytes]:
    """The latest articles of a publication as an Atom feed (RFC 4287), with their whole texts."""
    wanted = await feed(session, site)
    found, articles = wanted.site, wanted.articles
    latest = max([found.updated_at, *(changed_at(one) for one, _ in articles)])
    headers = validators(latest, found.revision, *(one.version.id for one, _ in articles)) | {
        "Cache-Control": CACHING
    }
    if not_modified(request, headers):
        return Response(b"", status_code=304, headers=headers)
    here = f"{settings.app.public_url}/articles/{quote(found.slug)}/feed.xml"
    root = Element(f"{{{ATOM}}}feed", {"{http://www.w3.org/XML/1998/namespace}lang": found.language})
    _put(root, "id", here)
    _put(root, "title", found.name)
    _put(root, "subtitle", found.tagline)
    _put(root, "updated", _moment(latest))
    _put(root, "link", rel="self", type="application/atom+xml", href=here)
    for one, sold in articles:
        _entry(root, one, address_of(settings, found.slug, one.article.slug), sold)
    content = tostring(root, encoding="utf-8", xml_declaration=True)
    return _sent(content, "application/atom+xml", headers)


def _entry(root: Element, one: Published, href: str, sold: set[str]) -> None:
    entry = SubElement(root, f"{{{ATOM}}}entry")
    # The id must never change, also when the shop moves to another domain.
    _put(entry, "id", f"urn:uuid:{one.article.id}")
    _put(entry, "title", one.article.title)
    _put(entry, "link", rel="alternate", type="text/html", href=href)
    assert one.article.published_at is not None
    _put(entry, "published", _moment(one.article.published_at))
    _put(entry, "updated", _moment(changed_at(one)))
    _put(SubElement(entry, f"{{{ATOM}}}author"), "name", one.article.author)
    _put(entry, "summary", one.article.summary or summary(one.version.markdown))
    _put(entry, "content", _disclosed(one) + html_of(one.version.markdown, one.site, sold), type="html")


def _disclosed(one: Published) -> str:
    return f"<p><em>{escape(one.site.disclosure)}</em></p>\n" if one.article.placement_count else ""


def _put(parent: Element, name: str, words: str | None = None, **attributes: str) -> None:
    SubElement(parent, f"{{{ATOM}}}{name}", attributes).text = words


def _moment(at: datetime) -> str:
    return at.replace(microsecond=0).isoformat()


def _sent(content: bytes, media_type: str, headers: dict[str, str] | None = None) -> Response[bytes]:
    return Response(
        content,
        media_type=f"{media_type}; charset=utf-8",
        headers={"Cache-Control": CACHING} | (headers or {}),
    )

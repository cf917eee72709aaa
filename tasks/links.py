"""Whether a published page shows what was sold: open to search engines, and a sold link there, with its words and `rel`."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urldefrag, urljoin, urlsplit

from models.base.settings import Settings
from models.orders.care.guarantee import Promised, Sight
from models.orders.text.markdown import href_of
from tasks.fetch import NotFetched, Page, fetch

#: Either keeps a page out of the results (https://developers.google.com/search/docs/crawling-indexing/robots-meta-tag).
_HIDING: Final = frozenset({"noindex", "none"})
_ROBOTS: Final = frozenset({"robots", "googlebot", "bingbot"})
_CHARSET: Final = re.compile(r"charset=[\"']?([\w-]+)", re.IGNORECASE)


@dataclass(slots=True)
class Anchor:
    """A link as it stands on a page."""

    href: str
    rel: str
    words: str = ""

    @property
    def text(self) -> str:
        """Its words as they are read: however they are broken into lines."""
        return " ".join(self.words.split())


@dataclass(slots=True)
class Reading:
    """What of a page matters to whoever bought a link in it."""

    links: list[Anchor] = field(default_factory=list)
    robots: list[str] = field(default_factory=list)
    canonical: str | None = None


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.reading = Reading()
        self._open: Anchor | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = {name: value or "" for name, value in attrs}
        if tag == "a" and "href" in named:
            self._open = Anchor(named["href"].strip(), named.get("rel", ""))
            self.reading.links.append(self._open)
        elif tag == "meta" and named.get("name", "").lower() in _ROBOTS:
            self.reading.robots.append(named.get("content", ""))
        elif tag == "link" and "canonical" in named.get("rel", "").lower().split():
            self.reading.canonical = named.get("href", "").strip()

    def handle_endtag(self, tag: str) -> None:
        if tag == "a":
            self._open = None

    def handle_data(self, data: str) -> None:
        if self._open is not None:
            self._open.words += data


def read_page(page: Page) -> Reading:
    """The links of a page, what it tells robots, and the address that it calls its own."""
    charset = _CHARSET.search(page.content_type)
    reader = _Reader()
    try:
        text = page.body.decode(charset[1] if charset else "utf-8", errors="replace")
    except LookupError:
        text = page.body.decode("utf-8", errors="replace")
    reader.feed(text)
    return reader.reading


def judge(page: Page, promised: Promised) -> Sight:
    """Compare a page with what was sold on it: a link, or nothing but itself."""
    reading = read_page(page)
    found: dict[str, Any] = {
        "url": page.url,
        "status": page.status,
        "robots": ", ".join([*reading.robots, *([page.robots] if page.robots else [])]) or None,
        "canonical": reading.canonical,
    }
    problem = _problem_of_page(page, reading, promised)
    if promised.target_url:
        wanted = href_of(promised.target_url)
        there = [one for one in reading.links if href_of(one.href) == wanted]
        same_words = [one for one in there if one.text == promised.anchor_text]
        shown = next(iter(same_words or there), None)
        found["href"] = shown.href if shown else None
        found["anchor"] = shown.text if shown else None
        found["rel"] = shown.rel if shown else None
        if page.status == HTTPStatus.OK:
            problem = _problem_of_link(promised, shown) or problem
    return Sight(problem, found)


def _problem_of_link(promised: Promised, shown: Anchor | None) -> str | None:
    if shown is None:
        return f"The page has no link to {promised.target_url}."
    if shown.text != promised.anchor_text:
        return f"The link reads “{shown.text}” instead of “{promised.anchor_text}”."
    wanted, has = set(promised.rel.lower().split()), set(shown.rel.lower().split())
    if not wanted <= has or "nofollow" in has - wanted:
        return f"The link has rel “{shown.rel}” instead of “{promised.rel}”."
    return None


def _problem_of_page(page: Page, reading: Reading, promised: Promised) -> str | None:
    if page.status != HTTPStatus.OK:
        return f"The page answers with {page.status}."
    if any(_hides(one) for one in (*reading.robots, *page.robots.split(","))):
        return "The page asks search engines not to show it."
    if reading.canonical and _place(urljoin(page.url, reading.canonical)) != _place(promised.page_url):
        return f"The page calls {reading.canonical} its own address."
    return None


def _hides(rule: str) -> bool:
    """Whether a robots rule, of a tag or of a header (which may name a robot first), keeps the page out of results."""
    return any(part.rpartition(":")[2].strip().lower() in _HIDING for part in rule.split(","))


def _place(url: str) -> tuple[str, str, str]:
    parts = urlsplit(urldefrag(url).url)
    return parts.netloc.lower(), parts.path.rstrip("/"), parts.query


async def look(promised: Promised, settings: Settings) -> Sight:
    """Fetch the page as a stranger would and judge it. The product's own address may be a private one."""
    own = urlsplit(settings.app.public_url)
    port = own.port or (443 if own.scheme == "https" else 80)
    allowed = {f"{own.hostname}:{port}"}
    if settings.app.is_local:
        allowed |= set(settings.orders.allowed_private_targets)
    try:
        page = await fetch(promised.page_url, allowed)
    except NotFetched as error:
        return Sight(f"The page could not be opened. {error}", {"url": promised.page_url})
    return judge(page, promised)

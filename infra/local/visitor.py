"""A visitor without JavaScript: opens pages, follows links, fills in forms and presses their buttons.

    async with Browser("http://localhost:8000") as browser:
        screen = await browser.open("/sign-in")
        screen = await browser.submit(screen.form("/sign-in"), email="ada@example.com")
        assert screen.heading == "Check your mail"

It sends what a browser would send: cookies, hidden fields, ticked boxes, `Origin` and `Sec-Fetch-*`. A page with a
form that cannot be used this way cannot be used by people without scripts either.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urljoin, urlsplit

import httpx2

ACCEPT: Final = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
UNTYPED: Final = frozenset({"submit", "button", "image", "reset", "file"})
TICKED: Final = frozenset({"checkbox", "radio"})


@dataclass(slots=True)
class Form:
    """A form as it stands on a page. `fields` are what would be sent if nothing was changed."""

    action: str
    method: str
    id: str
    fields: dict[str, str] = field(default_factory=dict)
    #: The values that boxes and lists offer, by field.
    offers: dict[str, list[str]] = field(default_factory=dict)
    #: Fields of boxes that need not be ticked.
    boxes: set[str] = field(default_factory=set)
    #: The words of each button, with the field that pressing it sends.
    buttons: dict[str, tuple[str, str] | None] = field(default_factory=dict)

    def filled(self, values: Mapping[str, str | bool], press: str | None = None) -> dict[str, str]:
        """What is sent after typing `values` and pressing a button; raise KeyError for what a person cannot do."""
        sent = dict(self.fields)
        for name, value in values.items():
            known = self.offers.get(name)
            if known is None and name not in self.fields:
                raise KeyError(f"The form {self.action} has no field {name!r}, only {sorted(self.names)}")
            if isinstance(value, bool):
                value = (known or ["on"])[0] if value else ""  # noqa: PLW2901 - True is a box to tick
            elif known is not None and value not in known:
                raise KeyError(f"{name!r} offers {known}, not {value!r}")
            if value or name not in self.boxes:
                sent[name] = value
            else:
                sent.pop(name, None)
        if press is not None:
            if press not in self.buttons:
                raise KeyError(f"The form {self.action} has no button {press!r}, only {sorted(self.buttons)}")
            pressed = self.buttons[press]
            if pressed is not None:
                sent[pressed[0]] = pressed[1]
        return sent

    @property
    def names(self) -> set[str]:
        """Every field that can be filled in or chosen."""
        return self.fields.keys() | self.offers.keys()


@dataclass(frozen=True, slots=True)
class Screen:
    """What the visitor sees: the answer and, if it is a page, what can be done on it."""

    response: httpx2.Response
    title: str
    heading: str
    text: str
    forms: list[Form]
    links: dict[str, str]

    @property
    def status(self) -> int:
        """The answer's status."""
        return self.response.status_code

    @property
    def path(self) -> str:
        """Where the visitor is now."""
        return self.response.url.path

    @property
    def html(self) -> str:
        """The page's source."""
        return self.response.text

    def form(self, wanted: str) -> Form:
        """The form with this action, id or button; raise KeyError if there is none, or more than one."""
        found = [one for one in self.forms if wanted in {one.action, one.id, *one.buttons}]
        if len(found) != 1:
            offered = [(one.action, one.id, *one.buttons) for one in self.forms]
            raise KeyError(f"{len(found)} forms are called {wanted!r} on {self.path}; there are {offered}")
        return found[0]

    def link(self, words: str) -> str:
        """Where the link with these words leads."""
        if words not in self.links:
            raise KeyError(f"No link says {words!r} on {self.path}; there are {sorted(self.links)}")
        return self.links[words]


#: Reading the certificates takes longer than most pages, so that is done once.
_TLS: Final = httpx2.create_ssl_context()


class Browser:
    """One browser with its cookies. `transport` lets tests put an application in the place of a server."""

    def __init__(
        self,
        base_url: str,
        *,
        transport: httpx2.AsyncBaseTransport | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        parts = urlsplit(base_url)
        self.origin = f"{parts.scheme}://{parts.netloc}"
        self.client = httpx2.AsyncClient(
            base_url=base_url,
            transport=transport,
            verify=_TLS,
            headers={"Accept": ACCEPT, "User-Agent": "Visitor/1", **(headers or {})},
            timeout=30,
        )

    async def __aenter__(self) -> Self:
        """Open the browser."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it; its cookies are gone."""
        await self.client.aclose()

    async def open(self, url: str, *, follow: bool = True) -> Screen:
        """Go to an address, and on to where it leads if `follow`."""
        headers = {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
        return screen(await self.client.get(url, headers=headers, follow_redirects=follow))

    async def submit(
        self, form: Form, *, press: str | None = None, follow: bool = True, **values: str | bool
    ) -> Screen:
        """Fill in a form, press its button, and look at what comes."""
        return await self.send(form.action, form.method, form.filled(values, press), follow=follow)

    async def send(
        self,
        url: str,
        method: str,
        fields: Mapping[str, str],
        *,
        follow: bool = True,
        headers: Mapping[str, str] | None = None,
    ) -> Screen:
        """Send fields as a form of our own page would."""
        url = urljoin(f"{self.origin}/", url)
        ours = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate", **(headers or {})}
        if method == "get":
            return screen(
                await self.client.get(url, params=dict(fields), headers=ours, follow_redirects=follow)
            )
        answer = await self.client.request(
            method, url, data=dict(fields), headers={"Origin": self.origin, **ours}, follow_redirects=follow
        )
        return screen(answer)


def screen(response: httpx2.Response) -> Screen:
    """Read an answer as a person reads it."""
    reader = _Reader(str(response.url.path))
    if "html" in response.headers.get("content-type", ""):
        reader.feed(response.text)
        reader.close()
    return Screen(
        response=response,
        title=_squeezed(reader.title),
        heading=_squeezed(reader.heading),
        text=_squeezed(reader.text),
        forms=reader.forms,
        links=reader.links,
    )


def _squeezed(words: str) -> str:
    return " ".join(words.split())


class _Reader(HTMLParser):
    """Collects what is on a page. Forms do not nest in HTML, so one at a time is open."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path
        self.title = self.heading = self.text = ""
        self.forms: list[Form] = []
        self.links: dict[str, str] = {}
        self._inside: list[str] = []
        self._is_headed = False
        self._form: Form | None = None
        self._select: str | None = None
        self._area: str | None = None
        self._button: tuple[Form, tuple[str, str] | None] | None = None
        self._href: str | None = None
        self._words = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag in {"title", "h1", "script", "style", "template"}:
            self._inside.append(tag)
        elif tag == "form":
            method = given.get("method", "get").lower()
            self._form = Form(given.get("action") or self.path, method, given.get("id", ""))
            if method != "dialog":
                self.forms.append(self._form)
        elif tag == "a" and "href" in given:
            self._href, self._words = given["href"], ""
        elif tag in {"input", "select", "textarea", "button", "option"}:
            self._control(tag, given)

    def _control(self, tag: str, given: dict[str, str]) -> None:
        form, name = self._owner(given), given.get("name", "")
        if form is None or "disabled" in given:
            return
        if tag == "button" or given.get("type") == "submit":
            pressed = (name, given.get("value", "")) if name else None
            if tag == "button" and given.get("type", "submit") == "submit":
                self._button, self._words = (form, pressed), ""
            elif tag == "input":
                form.buttons[given.get("value", "")] = pressed
        elif tag == "option" and self._select is not None:
            form.offers[self._select].append(given.get("value", ""))
            if "selected" in given or self._select not in form.fields:
                form.fields[self._select] = given.get("value", "")
        elif name and tag == "select":
            self._select = name
            form.offers[name] = []
        elif name and tag == "textarea":
            self._area = name
            form.fields[name] = ""
        elif name and tag == "input":
            _input(form, name, given)

    def _owner(self, given: dict[str, str]) -> Form | None:
        if "form" in given:
            return next((one for one in self.forms if one.id == given["form"]), None)
        return self._form

    def handle_data(self, data: str) -> None:
        if self._form is not None and self._area is not None:
            # The line end right after the tag is not part of the text (HTML, 13.2.6.4.7).
            self._form.fields[self._area] += data
            return
        inside = self._inside[-1] if self._inside else ""
        if inside in {"script", "style", "template"}:
            return
        if inside == "title":
            self.title += data
            return
        if inside == "h1" and not self._is_headed:
            self.heading += data
        self.text += data
        self._words += data

    def handle_endtag(self, tag: str) -> None:
        if self._inside and self._inside[-1] == tag:
            self._is_headed = self._is_headed or tag == "h1"
            self._inside.pop()
        if tag == "form":
            self._form = None
        elif tag == "select":
            self._select = None
        elif tag == "textarea" and self._form is not None and self._area is not None:
            self._form.fields[self._area] = self._form.fields[self._area].removeprefix("\n")
            self._area = None
        elif tag == "a" and self._href is not None:
            self.links.setdefault(_squeezed(self._words), self._href)
            self._href = None
        elif tag == "button" and self._button is not None:
            form, pressed = self._button
            form.buttons[_squeezed(self._words)] = pressed
            self._button = None


def _input(form: Form, name: str, given: dict[str, Any]) -> None:
    kind = given.get("type", "text")
    if kind in TICKED:
        value = given.get("value", "on")
        form.offers.setdefault(name, []).append(value)
        if kind == "checkbox":
            form.boxes.add(name)
        if "checked" in given:
            form.fields[name] = value
    elif kind not in UNTYPED:
        form.fields[name] = given.get("value", "")

"""What a reader of a letter sees: its links, its buttons, its words."""

import re
from html.parser import HTMLParser

#: An address that a mail program would make a link of, in a text part.
URL = re.compile(r"https?://[^\s<>\"]+")


class Page(HTMLParser):
    """The links, tags and visible words of one HTML part."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.buttons: list[str] = []
        self.tags: set[str] = set()
        self.loaded: list[str] = []
        self.words = ""
        self._hidden = 0
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.tags.add(tag)
        self._hidden += tag in {"style", "title"}
        if "href" in given:
            self.links.append(given["href"])
            if given.get("class") == "button":
                self.buttons.append(given["href"])
        self.loaded += [given[name] for name in ("src", "background", "srcset") if name in given]

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in {"style", "title"}

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.words += data

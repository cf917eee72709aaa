"""What a reader of a letter sees: its links, its buttons, its words."""

import re
from datetime import UTC, datetime
from email import message_from_bytes, policy
from html.parser import HTMLParser

from emails import Letter

#: An address that a mail program would make a link of, in a text part.
URL = re.compile(r"https?://[^\s<>\"]+")

#: Headers whose values differ from one writing to the next, or say nothing.
_OF_THE_MIME = frozenset({"Content-Type", "MIME-Version"})


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
        self.words += " " if tag in {"br", "td", "th"} else ""
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

    @property
    def lines(self) -> str:
        """The words, a line for each that the markup has, without what only indents it."""
        lines = (" ".join(line.split()) for line in self.words.splitlines())
        return "\n".join(line for line in lines if line)


def as_read(letter: Letter) -> str:
    """A letter as a text that people can compare: its headers, its text, and the words and links of its HTML."""
    mime = letter.as_bytes(
        sender="Galley <letters@galley.example>",
        message_id="<letter@galley.example>",
        sent_at=datetime(2026, 11, 21, 9, 14, tzinfo=UTC),
    )
    headers = message_from_bytes(mime, policy=policy.default).items()
    page = Page(letter.html)
    parts = (
        "\n".join(f"{name}: {value}" for name, value in headers if name not in _OF_THE_MIME),
        f"---- text\n{letter.text.strip()}",
        f"---- HTML\n{page.lines}",
        "---- links of the HTML\n" + "".join(f"{link}\n" for link in page.links),
    )
    return "\n\n".join(parts)

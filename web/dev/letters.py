"""The letters that the product wrote, for the outbox pages: read newest first, and taken apart for the eye."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage as Mime
from email.parser import BytesHeaderParser
from html.parser import HTMLParser
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.crypto import Keys
from models.base.errors import NotFound
from models.base.paging import Page, decode_cursor, page_of
from models.mail.tables import EmailMessage

PAGE_SIZE = 30


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """A letter in the list, as `shell/letters.html` shows it."""

    href: str
    subject: str
    to: str
    state: str
    at: datetime
    kind: str


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter, opened. `mime` is None while it is not written yet, or when its key is gone."""

    row: EmailMessage
    raw: bytes | None
    headers: Sequence[tuple[str, str]]
    text: str | None
    html: str | None
    links: Sequence[tuple[str, str]]

    @property
    def subject(self) -> str | None:
        """What it is called, if it is written."""
        return self.row.subject or _subject_of(self.raw)


async def newest(session: AsyncSession, keys: Keys, cursor: str | None) -> Page[OutboxRow]:
    """A page of letters. Ids are ordered by time, so they are the cursor."""
    query = select(EmailMessage).order_by(EmailMessage.id.desc()).limit(PAGE_SIZE + 1)
    if cursor:
        query = query.where(EmailMessage.id < decode_cursor(cursor, UUID)[0])
    found = page_of((await session.scalars(query)).all(), PAGE_SIZE, lambda row: [row.id])
    return Page([_outbox_row(row, keys) for row in found.items], found.next_cursor)


def _outbox_row(row: EmailMessage, keys: Keys) -> OutboxRow:
    return OutboxRow(
        href=f"/dev/mail/{row.id}",
        subject=row.subject or _subject_of(_unsealed(keys, row.sealed_mime)) or "(not written yet)",
        to=row.to_address,
        state=row.state.value,
        at=row.created_at,
        kind=row.kind,
    )


async def open_letter(session: AsyncSession, keys: Keys, letter_id: UUID) -> Letter:
    """A letter with its parts; raise `NotFound` if there is none with this id."""
    row = await session.get(EmailMessage, letter_id)
    if row is None:
        raise NotFound
    raw = _unsealed(keys, row.sealed_mime)
    if raw is None:
        return Letter(row, None, (), None, None, ())
    return taken_apart(row, raw)


def taken_apart(row: EmailMessage, raw: bytes) -> Letter:
    """The parts of a letter's bytes."""
    mime = message_from_bytes(raw, _class=Mime, policy=policy.default)
    html = _part(mime, "html")
    return Letter(
        row=row,
        raw=raw,
        headers=[(name, str(value)) for name, value in mime.items()],
        text=_part(mime, "plain"),
        html=html,
        links=links_of(html or ""),
    )


def _subject_of(raw: bytes | None) -> str | None:
    """The subject of a letter whose row must not keep it, because it holds a code."""
    return None if raw is None else BytesHeaderParser(policy=policy.default).parsebytes(raw)["Subject"]


def _unsealed(keys: Keys, sealed: bytes | None) -> bytes | None:
    try:
        return keys.unseal(sealed) if sealed is not None else None
    except ValueError:
        return None


def _part(mime: Mime, kind: str) -> str | None:
    part = mime.get_body((kind,))
    content: Any = part.get_content() if part is not None else None
    return content if isinstance(content, str) else None


def framed(html: str, scheme: str | None) -> str:
    """A letter's markup for a frame: its links lead the whole window away, and `scheme` (`light`, `dark`) is what a
    mail program in that scheme would make of it, whatever the browser around the frame prefers.
    """
    html = html.replace("<head>", '<head><base target="_top">', 1)
    if scheme not in {"light", "dark"}:
        return html
    applies = "all" if scheme == "dark" else "not all"
    html = html.replace("(prefers-color-scheme: dark)", applies).replace(
        "(prefers-color-scheme:dark)", applies
    )
    return html.replace('content="light dark"', f'content="{scheme}"').replace(
        "color-scheme: light dark", f"color-scheme: {scheme}"
    )


def links_of(html: str) -> Sequence[tuple[str, str]]:
    """Every web link of a letter as (words, address), each address once, in the order of the letter."""
    reader = _Links()
    reader.feed(html)
    found: dict[str, str] = {}
    for words, href in reader.links:
        if href.startswith(("http://", "https://")):
            found.setdefault(href, " ".join(words.split()) or href)
    return [(words, href) for href, words in found.items()]


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[tuple[str, str]] = []
        self._href: str | None = None
        self._words = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self._href, self._words = dict(attrs).get("href"), ""

    def handle_data(self, data: str) -> None:
        self._words += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "a" and self._href:
            self.links.append((self._words, self._href))
            self._href = None

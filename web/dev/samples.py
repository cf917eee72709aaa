"""Every letter with sample facts, to look at before anything has happened that it tells of."""

from typing import Final

from litestar import Controller, Response, get
from litestar.params import FromPath, FromQuery

from models.base.clock import now
from models.base.crypto import Keys
from models.base.errors import NotFound
from models.base.settings import Settings
from models.mail.categories import ABOUT, can_be_refused, category_of
from models.mail.preferences import unsubscribe_url
from models.mail.states import LetterState
from models.mail.tables import EmailMessage
from web.dev.letters import Letter, framed, taken_apart
from web.dev.mail import LETTER_CSP
from web.pages import page
from web.params import Config, KeyRing, Who

MESSAGE_ID: Final = "<sample@galley.example>"


class Samples(Controller):
    """The gallery of letters."""

    path = "/dev/letters"

    @get()
    async def index(self, visitor: Who) -> Response[None]:
        """The subjects of all letters, by category."""
        from emails.samples import SAMPLES, sample  # the words of letters are no part of a web process

        shelves: dict[str, list[tuple[str, str]]] = {about.title: [] for about in ABOUT.values()}
        for kind in sorted(SAMPLES):
            shelves[ABOUT[category_of(kind)].title].append((kind, sample(kind).subject))
        return page("dev/letters.html", visitor=visitor, shelves=shelves)

    @get("/{kind:str}", opt={"frames": True})
    async def show(
        self, visitor: Who, settings: Config, keys: KeyRing, kind: FromPath[str]
    ) -> Response[None]:
        """One letter: on a phone, on a computer, as text, its links, its headers."""
        return page("dev/sample.html", visitor=visitor, kind=kind, letter=_opened(settings, keys, kind))

    @get("/{kind:str}/html", opt={"csp": LETTER_CSP, "referrer": "no-referrer"})
    async def html(
        self, settings: Config, keys: KeyRing, kind: FromPath[str], scheme: FromQuery[str | None] = None
    ) -> Response[str]:
        """The letter's markup, for the frames of its page."""
        return Response(framed(_opened(settings, keys, kind).html or "", scheme), media_type="text/html")


def _opened(settings: Settings, keys: Keys, kind: str) -> Letter:
    from emails.samples import SAMPLES, sample

    if kind not in SAMPLES:
        raise NotFound
    category = category_of(kind)
    url = None
    if can_be_refused(category):
        url = unsubscribe_url(keys, settings.app.public_url, "mira@hollow-hill.example", category)
    one = sample(kind, unsubscribe_url=url)
    row = EmailMessage(kind=kind, to_address=one.to, subject=one.subject, state=LetterState.QUEUED)
    return taken_apart(row, one.as_bytes(sender=settings.mail.sender, message_id=MESSAGE_ID, sent_at=now()))

"""A letter: the words of one message to one person, and the bytes that carry them."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email import policy
from email.headerregistry import Address, BaseHeader, HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.utils import format_datetime

from emails.rendering import html_of, subject_of, text_of

# What browsers accept in <input type="email">: one address, no display name, comment or list.
# https://html.spec.whatwg.org/multipage/input.html#valid-e-mail-address
_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
_ONE_ADDRESS = re.compile(rf"[a-zA-Z0-9.!#$%&'*+/=?^_`{{|}}~-]{{1,64}}@{_LABEL}(?:\.{_LABEL})*")
_LONGEST_ADDRESS = 254  # RFC 5321, section 4.5.3.1.3, less the two angle brackets
_MESSAGE_ID = re.compile(r"<[^<>\s@]+@[^<>\s@]+>", re.ASCII)
_URL = re.compile(r"https?://[!-;=?-~]+")  # printable ASCII without blanks and angle brackets


class BadAddress(ValueError):
    """Not exactly one e-mail address, so there is nobody this letter may go to."""


class _WholeHeader(UnstructuredHeader, BaseHeader):
    """A header that is never folded: the standard library encodes what is longer than a line as
    RFC 2047 words, and no mail program finds the URL in `=?utf-8?q?=3Chttps...?=`.
    """

    def fold(self, *, policy: policy.Policy) -> str:
        return f"{self.name}: {self}{policy.linesep}"


_HEADERS = HeaderRegistry()
_HEADERS.map_to_type("List-Unsubscribe", _WholeHeader)
_POLICY = policy.SMTP.clone(header_factory=_HEADERS)


@dataclass(frozen=True, kw_only=True)
class Letter:
    """One rendered letter, ready to be kept and sent. `subject` has no `[test]` mark; the bytes do."""

    kind: str
    to: str
    subject: str
    text: str
    html: str
    unsubscribe_url: str | None
    is_test: bool

    def as_bytes(self, *, sender: str, message_id: str, sent_at: datetime | None = None) -> bytes:
        """The letter as a MIME message with CRLF line ends: text first, then HTML, both 7-bit clean.

        `sender` is `Galley <letters@example.com>` or a bare address, `message_id` is
        `<unique@example.com>`, `sent_at` (now, if left out) becomes the Date.
        Raises BadAddress unless there is one recipient and one sender, ValueError for a header that
        is not one line. SES puts its own Message-ID and Date in place of these.
        """
        message = EmailMessage(policy=_POLICY)
        message["From"] = one_sender(sender)
        message["To"] = one_address(self.to)
        message["Subject"] = f"[test] {self.subject}" if self.is_test else self.subject
        message["Date"] = format_datetime(sent_at or datetime.now(UTC))
        message["Message-ID"] = _matching(_MESSAGE_ID, message_id, "a Message-ID like <id@host>")
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers, please
        message["X-Auto-Response-Suppress"] = "OOF, AutoReply"  # the same, for Exchange
        if self.unsubscribe_url is not None:  # RFC 8058
            url = _matching(_URL, self.unsubscribe_url, "an unsubscribe URL")
            message["List-Unsubscribe"] = f"<{url}>"
            message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        message.set_content(self.text, cte="quoted-printable")
        message.add_alternative(self.html, subtype="html", cte="quoted-printable")
        return message.as_bytes()


def write(
    kind: str, to: str, *, unsubscribe_url: str | None = None, is_test: bool = False, **facts: object
) -> Letter:
    """Render the letter `<slice>.<name>` from the three files in `emails/<slice>/<name>/`.

    The files see the facts, `is_test` and `unsubscribe_url`. Raises BadAddress, and
    jinja2.UndefinedError if they want a fact that is not there.
    """
    one_address(to)
    subject = subject_of(kind, facts)
    frame = {"subject": subject, "is_test": is_test, "unsubscribe_url": unsubscribe_url}
    return Letter(
        kind=kind,
        to=to,
        subject=subject,
        text=text_of(kind, facts | frame),
        html=html_of(kind, facts | frame),
        unsubscribe_url=unsubscribe_url,
        is_test=is_test,
    )


def one_address(address: str) -> str:
    """`address` itself if it is exactly one plain ASCII address of at most 254 characters, else BadAddress.

    `a@b.c, d@e.f` in a To header is two recipients, and a sign-in code must never reach the second.
    """
    if len(address) > _LONGEST_ADDRESS or not _ONE_ADDRESS.fullmatch(address):
        raise BadAddress(f"not exactly one e-mail address: {address!r}")
    return address


def one_sender(sender: str) -> Address:
    """The one address in `Galley <letters@example.com>` or `letters@example.com`, else BadAddress."""
    name, bracket, rest = sender.rpartition("<")
    address = rest.removesuffix(">") if bracket else sender
    if bool(bracket) != rest.endswith(">"):
        raise BadAddress(f"not a sender: {sender!r}")
    if not name.isprintable():
        raise BadAddress(f"a sender's name is one line: {sender!r}")
    return Address(display_name=name.strip().strip('"'), addr_spec=one_address(address.strip()))


def _matching(pattern: re.Pattern[str], value: str, what: str) -> str:
    if not pattern.fullmatch(value):
        raise ValueError(f"not {what}: {value!r}")
    return value

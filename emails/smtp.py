"""Sending through any SMTP server: a provider's submission port, or a catcher on one's own machine."""

import re
import smtplib
import ssl
from datetime import timedelta
from email.utils import parseaddr

from emails.post import AnswerLost, NotAccepted, NotSent, Refused, in_thread

_IMPLICIT_TLS_PORT = 465  # RFC 8314: encrypted from the first byte
_OUR_ACCESS = timedelta(minutes=10)
_QUEUED_AS = re.compile(r"\b(?:queued as|id=)\s*([\w.-]+)", re.IGNORECASE)


class SmtpPost:
    """One connection per letter. `starttls` refuses to go on in the clear; port 465 is TLS throughout."""

    name = "smtp"

    def __init__(
        self,
        host: str,
        port: int,
        username: str | None = None,
        password: str | None = None,
        *,
        starttls: bool = True,
        timeout: timedelta = timedelta(seconds=10),
    ) -> None:
        self._host = host
        self._port = port
        self._username = username
        self._password = password
        self._starttls = starttls
        self._timeout = timeout.total_seconds()

    async def send(self, mime: bytes, *, sender: str, to: str, tag: str) -> str | None:
        """See Post.send. The id is the server's queue id, if it names one. SMTP has no place for tags."""
        del tag
        return await in_thread(lambda: self._send(mime, parseaddr(sender)[1], to))

    def _send(self, mime: bytes, sender: str, to: str) -> str | None:
        try:
            server = self._connected()
        except (OSError, smtplib.SMTPException) as error:
            raise _before_data(error) from error
        try:
            _envelope(server, sender, to)
            return _data(server, mime)
        finally:
            server.close()  # no QUIT: its answer could only blur what DATA's has settled

    def _connected(self) -> smtplib.SMTP:
        if self._port == _IMPLICIT_TLS_PORT:
            context = ssl.create_default_context()
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                self._host, self._port, timeout=self._timeout, context=context
            )
        else:
            server = smtplib.SMTP(self._host, self._port, timeout=self._timeout)
        try:
            server.ehlo_or_helo_if_needed()
            if self._starttls and self._port != _IMPLICIT_TLS_PORT:
                server.starttls(context=ssl.create_default_context())
            if self._username is not None:
                server.login(self._username, self._password or "")
        except BaseException:
            server.close()
            raise
        return server


def _envelope(server: smtplib.SMTP, sender: str, to: str) -> None:
    try:
        _must_be_taken(*server.mail(sender))
        _must_be_taken(*server.rcpt(to))
    except (OSError, smtplib.SMTPException) as error:
        raise _before_data(error) from error


def _data(server: smtplib.SMTP, mime: bytes) -> str | None:
    try:
        code, words = server.data(mime)
    except smtplib.SMTPDataError as error:  # refused before the first byte
        raise _before_data(error) from error
    except (OSError, smtplib.SMTPException) as error:
        raise AnswerLost(f"the server did not answer the letter: {error}") from error
    _must_be_taken(code, words)
    queued = _QUEUED_AS.search(_readable(words))
    return queued[1] if queued else None


def _must_be_taken(code: int, words: bytes | str) -> None:
    """RFC 5321, section 4.2.1: 2xx yes, 4xx not now, 5xx never."""
    reason = f"{code} {_readable(words)}"
    if code >= 500:  # noqa: PLR2004 - see above
        raise Refused(reason)
    if code >= 400:  # noqa: PLR2004 - see above
        raise NotAccepted(reason)
    if not 200 <= code < 300:  # noqa: PLR2004 - smtplib says -1 where it could read no number
        raise AnswerLost(f"not an answer of SMTP: {reason}")


def _before_data(error: OSError | smtplib.SMTPException) -> NotSent:
    """Nothing of the letter had been shown yet, so it cannot have been taken."""
    if isinstance(error, smtplib.SMTPAuthenticationError | smtplib.SMTPNotSupportedError | ssl.SSLError):
        return NotAccepted(str(error), _OUR_ACCESS)
    if isinstance(error, smtplib.SMTPResponseException) and error.smtp_code >= 500:  # noqa: PLR2004 - RFC 5321
        return Refused(f"{error.smtp_code} {_readable(error.smtp_error)}")
    return NotAccepted(str(error) or type(error).__name__)


def _readable(words: bytes | str) -> str:
    return words.decode("utf-8", "replace") if isinstance(words, bytes) else words

"""Sending by SMTP: what each answer, and each missing answer, proves."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from emails.post import AnswerLost, NotAccepted, NotSent, OutboxPost, Post, Refused
from emails.smtp import SmtpPost
from tests.emails.conftest import MIRA, SENDER
from tests.mail.inbox import Answer, Inbox, served


@dataclass
class Doorman(Inbox):
    """An inbox that looks at the envelope first, and says `at_the_door` to each recipient."""

    at_the_door: str = "250 come in"
    senders: list[str] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: Any, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        if self.at_the_door.startswith("250"):
            envelope.rcpt_tos.append(address)
            self.senders.append(envelope.mail_from)
            self.recipients.append(address)
        return self.at_the_door


class Mumbler(Inbox):
    """Takes the letter and answers with something that is not SMTP."""

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        await super().handle_DATA(server, session, envelope)
        return "well, well"


def post_to(port: int, **options: Any) -> Post:
    return SmtpPost("127.0.0.1", port, starttls=False, **options)


@asynccontextmanager
async def line(*answers: bytes) -> AsyncIterator[int]:
    """A server that says one answer per line it hears, the first as its greeting, and then nothing more."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            writer.write(answer + b"\r\n")
            await reader.readline()
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


async def test_the_letter_arrives_as_it_was_written(mime: bytes) -> None:
    inbox = Doorman()
    async with served(inbox) as port:
        queue_id = await post_to(port).send(mime, sender=SENDER, to=MIRA, tag="t")
    assert inbox.letters == [mime]
    assert inbox.senders == ["letters@galley.example"]
    assert inbox.recipients == [MIRA]
    assert queue_id == "4711"


@pytest.mark.parametrize(
    ("answer", "meaning", "words"),
    [("never", Refused, "550"), ("not now", NotAccepted, "451"), ("vanish", AnswerLost, "did not answer")],
)
async def test_the_answer_to_the_letter_decides(
    mime: bytes, answer: Answer, meaning: type[NotSent], words: str
) -> None:
    inbox = Inbox([answer])
    async with served(inbox) as port:
        with pytest.raises(meaning, match=words):
            await post_to(port).send(mime, sender=SENDER, to=MIRA, tag="t")
    assert len(inbox.letters) == 1


@pytest.mark.parametrize(
    ("at_the_door", "meaning"), [("550 no such person", Refused), ("451 come back later", NotAccepted)]
)
async def test_the_answer_to_the_address_decides(
    mime: bytes, at_the_door: str, meaning: type[NotSent]
) -> None:
    inbox = Doorman(at_the_door=at_the_door)
    async with served(inbox) as port:
        with pytest.raises(meaning, match=at_the_door):
            await post_to(port).send(mime, sender=SENDER, to=MIRA, tag="t")
    assert inbox.letters == []


async def test_an_answer_nobody_understands_is_no_answer(mime: bytes) -> None:
    async with served(Mumbler()) as port:
        with pytest.raises(AnswerLost, match="not an answer"):
            await post_to(port).send(mime, sender=SENDER, to=MIRA, tag="t")


async def test_silence_after_the_letter_is_a_lost_answer(mime: bytes) -> None:
    answers = (b"220 hello", b"250 you", b"250 sender", b"250 recipient", b"354 go on")
    async with line(*answers) as port:
        with pytest.raises(AnswerLost):
            await post_to(port).send(mime, sender=SENDER, to=MIRA, tag="t")


@pytest.mark.parametrize(
    "answers",
    [
        (),
        (b"421 busy",),
        (b"554 no service here",),
        (b"220 hello", b"250 you"),
        (b"220 hello", b"250 you", b"250 sender"),
        (b"220 hello", b"250 you", b"250 sender", b"250 recipient", b"451 no room for data"),
    ],
)
async def test_before_the_letter_was_shown_it_cannot_have_been_taken(
    mime: bytes, answers: tuple[bytes, ...]
) -> None:
    async with line(*answers) as port:
        with pytest.raises((NotAccepted, Refused)) as caught:
            await post_to(port, timeout=timedelta(seconds=2)).send(mime, sender=SENDER, to=MIRA, tag="t")
    assert isinstance(caught.value, Refused) == (answers[-1:] == (b"554 no service here",))


async def test_where_nobody_listens_nothing_was_accepted(mime: bytes, unused_tcp_port: int) -> None:
    with pytest.raises(NotAccepted):
        await post_to(unused_tcp_port).send(mime, sender=SENDER, to=MIRA, tag="t")


async def test_a_server_without_tls_never_sees_letter_or_password(mime: bytes) -> None:
    inbox = Inbox()
    async with served(inbox) as port:
        post = SmtpPost("127.0.0.1", port, "galley", "secret", starttls=True)
        with pytest.raises(NotAccepted) as caught:
            await post.send(mime, sender=SENDER, to=MIRA, tag="t")
    assert caught.value.retry_after == timedelta(minutes=10)
    assert inbox.letters == []


async def test_wrong_keys_keep_the_letter_for_later(mime: bytes) -> None:
    answers = (b"220 hello", b"250-you\r\n250 AUTH PLAIN", b"535 wrong password")
    async with line(*answers) as port:
        with pytest.raises(NotAccepted, match="535") as caught:
            await post_to(port, username="galley", password="wrong").send(
                mime, sender=SENDER, to=MIRA, tag="t"
            )
    assert caught.value.retry_after == timedelta(minutes=10)


async def test_the_outbox_sends_nowhere(mime: bytes) -> None:
    outbox: Post = OutboxPost()
    assert outbox.name == "outbox"
    assert await outbox.send(mime, sender=SENDER, to=MIRA, tag="t") is None

"""Sending through SES: what each answer, and each missing answer, proves."""

import asyncio
import subprocess
import sys
from datetime import timedelta

import pytest

from emails.post import AnswerLost, NotAccepted, NotSent, Post, Refused
from emails.ses import SesPost
from tests.emails.conftest import MIRA, SENDER, Ses
from tests.emails.faults import Fault, FaultProxy

TAG = "0197a3c2-5d0e-7b44-9a51-c0ffee104200"


def post_to(url: str, read_timeout: timedelta = timedelta(seconds=10)) -> Post:
    return SesPost(
        "eu-west-1",
        endpoint_url=url,
        configuration_set="galley",
        access_key_id="key",
        secret_access_key="secret",
        read_timeout=read_timeout,
    )


async def test_ses_gets_the_very_bytes_for_one_recipient(ses: Ses, mime: bytes) -> None:
    provider_id = await post_to(ses.url).send(mime, sender=SENDER, to=MIRA, tag=TAG)
    (letter,) = ses.taken()
    assert letter["raw_data"].encode() == mime
    assert set(letter["destinations"]) == {MIRA}
    assert letter["source"] == "letters@galley.example"
    assert letter["id"] == provider_id


async def test_many_letters_at_once_share_one_client(ses: Ses, mime: bytes) -> None:
    post = post_to(ses.url)
    ids = await asyncio.gather(*(post.send(mime, sender=SENDER, to=MIRA, tag=TAG) for _ in range(20)))
    assert len(set(ids)) == len(ses.taken()) == 20


async def test_a_sender_ses_does_not_know_is_refused(ses: Ses, mime: bytes) -> None:
    with pytest.raises(Refused, match="MessageRejected"):
        await post_to(ses.url).send(mime, sender="stranger@b.example", to=MIRA, tag=TAG)
    assert ses.taken() == []


@pytest.mark.parametrize("fault", ["an error instead", "dropped", "late"])
async def test_a_lost_answer_is_said_to_be_lost_and_one_copy_has_gone(
    ses: Ses, proxy: FaultProxy, mime: bytes, fault: Fault
) -> None:
    proxy.fault = fault
    patience = timedelta(seconds=0.5 if fault == "late" else 10)
    with pytest.raises(AnswerLost):
        await post_to(proxy.url, patience).send(mime, sender=SENDER, to=MIRA, tag=TAG)
    assert proxy.asked == 1
    assert len(ses.taken()) == 1


async def test_a_whole_answer_through_the_proxy_is_an_answer(
    ses: Ses, proxy: FaultProxy, mime: bytes
) -> None:
    provider_id = await post_to(proxy.url).send(mime, sender=SENDER, to=MIRA, tag=TAG)
    assert [letter["id"] for letter in ses.taken()] == [provider_id]


@pytest.mark.parametrize(
    ("status", "code", "message", "meaning", "retry_after"),
    [
        (429, "TooManyRequestsException", "slow down", NotAccepted, timedelta(seconds=5)),
        (429, "TooManyRequestsException", "Daily message quota exceeded.", NotAccepted, timedelta(hours=1)),
        (400, "LimitExceededException", "no more", NotAccepted, timedelta(hours=1)),
        (403, "ExpiredTokenException", "expired", NotAccepted, timedelta(minutes=10)),
        (400, "MessageRejected", "contains a virus", Refused, None),
        (400, "MailFromDomainNotVerifiedException", "not verified", Refused, None),
        (400, "AccountSuspendedException", "suspended", Refused, None),
        (400, "SendingPausedException", "paused", Refused, None),
        (404, "NotFoundException", "no such configuration set", Refused, None),
        (400, "BadRequestException", "bad", Refused, None),
        (503, "ServiceUnavailable", "later", AnswerLost, None),
    ],
)
async def test_what_ses_answers_means(
    proxy: FaultProxy,
    mime: bytes,
    status: int,
    code: str,
    message: str,
    meaning: type[NotSent],
    retry_after: timedelta | None,
) -> None:
    proxy.answer = (status, code, message)
    with pytest.raises(meaning) as caught:
        await post_to(proxy.url).send(mime, sender=SENDER, to=MIRA, tag=TAG)
    assert message in caught.value.reason
    assert getattr(caught.value, "retry_after", None) == retry_after
    assert getattr(caught.value, "is_crowded", False) is (message == "slow down")
    assert proxy.asked == 1


async def test_where_nobody_listens_nothing_was_accepted(mime: bytes, unused_tcp_port: int) -> None:
    with pytest.raises(NotAccepted):
        await post_to(f"http://127.0.0.1:{unused_tcp_port}").send(mime, sender=SENDER, to=MIRA, tag=TAG)


async def test_a_tag_ses_would_not_take_is_a_mistake_of_ours(mime: bytes) -> None:
    with pytest.raises(ValueError, match="no such tag"):
        await post_to("http://127.0.0.1:9").send(mime, sender=SENDER, to=MIRA, tag="a b")


def test_boto3_is_not_loaded_before_the_first_letter() -> None:
    program = "import sys, emails.ses; emails.ses.SesPost('eu-west-1'); sys.exit('botocore' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0

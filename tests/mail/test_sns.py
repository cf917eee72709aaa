"""What counts as said by SNS, and everything that does not."""

import json
from datetime import timedelta
from typing import Any

import pytest

from models.base.clock import now
from models.mail.sns import Forged, check, endpoint_of, read_certificate, read_message, verify
from tests.mail.signer import PATH, TOPIC, Sns, certificate_of, signed

ENDPOINT = "https://sns.eu-central-1.amazonaws.com"
SNS = Sns(url=ENDPOINT)


def accept(payload: bytes, certificate: bytes | None = None, topic: str = TOPIC) -> str:
    message = read_message(payload)
    check(message, topic=topic, endpoint=endpoint_of(topic), at=now())
    verify(message, read_certificate(certificate or certificate_of("sns")), now())
    return message.text


def stamped(by: timedelta) -> str:
    return (now() + by).isoformat()


@pytest.mark.parametrize("more", [{}, {"Subject": "Amazon SES Email Event Notification"}])
def test_what_sns_signed_is_accepted(more: dict[str, str]) -> None:
    assert accept(SNS.message("delivered", **more)) == "delivered"


def test_a_signature_over_sha_1_is_refused_with_what_to_do() -> None:
    with pytest.raises(Forged, match="set the topic's SignatureVersion to 2"):
        accept(SNS.message("delivered", SignatureVersion="1"))


def test_an_invitation_is_signed_with_its_token() -> None:
    asked = json.loads(SNS.invitation())
    assert accept(json.dumps(asked).encode()) == "You have chosen to subscribe"
    with pytest.raises(Forged, match="does not fit"):
        accept(json.dumps(asked | {"Token": "another"}).encode())


@pytest.mark.parametrize("field", ["Message", "MessageId", "Timestamp"])
def test_a_field_that_was_changed_is_refused(field: str) -> None:
    said = json.loads(SNS.message("delivered"))
    changed = {"Message": "bounced", "MessageId": "another", "Timestamp": stamped(timedelta(seconds=-9))}
    with pytest.raises(Forged, match="does not fit"):
        accept(json.dumps(said | {field: changed[field]}).encode())


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"TopicArn": "arn:aws:sns:eu-central-1:123456789012:another"}, "another topic"),
        ({"TopicArn": "arn:aws:sns:eu-central-1:999999999999:letters"}, "another topic"),
        ({"Timestamp": timedelta(hours=-2)}, "not now"),
        ({"Timestamp": timedelta(minutes=10)}, "not now"),
        ({"Timestamp": "2026-11-22T04:00:00"}, "not a message"),
        ({"Type": "Announcement"}, "not a message"),
        ({"SignatureVersion": "3"}, "version 3"),
    ],
)
def test_what_is_not_for_us_or_not_of_now_is_refused(fields: dict[str, str | timedelta], reason: str) -> None:
    said = {name: stamped(one) if isinstance(one, timedelta) else one for name, one in fields.items()}
    with pytest.raises(Forged, match=reason):
        accept(SNS.message("delivered", **said))


@pytest.mark.parametrize(
    "url",
    [
        f"http://sns.eu-central-1.amazonaws.com{PATH}",
        f"https://sns.us-east-1.amazonaws.com{PATH}",
        f"https://sns.eu-central-1.amazonaws.com.evil.example{PATH}",
        f"https://evil.example/sns.eu-central-1.amazonaws.com{PATH}",
        f"https://sns.eu-central-1.amazonaws.com@evil.example{PATH}",
        f"https://user@sns.eu-central-1.amazonaws.com{PATH}",
        f"https://sns.eu-central-1.amazonaws.com:8443{PATH}",
        f"https://sns.eu-central-1.amazonaws.com{PATH}?to=evil",
        f"https://sns.eu-central-1.amazonaws.com{PATH}#there",
        "https://sns.eu-central-1.amazonaws.com/bucket/mine.pem",
        f"https://sns.eu-central-1.amazonaws.com/..{PATH}",
        "https://eu-central-1.s3.amazonaws.com/SimpleNotificationService-0123abc.pem",
        "https://[",
    ],
)
def test_a_certificate_from_anywhere_else_is_not_even_fetched(url: str) -> None:
    with pytest.raises(Forged):
        check(read_message(SNS.message("x", SigningCertURL=url)), topic=TOPIC, endpoint=ENDPOINT, at=now())


@pytest.mark.parametrize(
    "change",
    [
        {"Message": {"eventType": "Delivery"}},
        {"Message": None},
        {"MessageId": 7},
        {"Signature": "not base 64 !"},
        {"Signature": None},
        {"SigningCertURL": ["https://sns.eu-central-1.amazonaws.com"]},
        {"Subject": 7},
        {"Message": "a zero \x00"},
    ],
)
def test_a_field_that_is_not_text_is_refused(change: dict[str, Any]) -> None:
    """A Message that is an object would be signed as one thing and read as another."""
    with pytest.raises(Forged):
        accept(json.dumps(json.loads(SNS.message("x")) | change).encode())


@pytest.mark.parametrize(
    "payload", [b"", b"[]", b"null", b'"Type"', b"{", b'{"Type": "Notification"}', b"\xff"]
)
def test_what_is_no_message_at_all_is_refused(payload: bytes) -> None:
    with pytest.raises(Forged):
        read_message(payload)


def test_a_signature_of_anybody_else_is_refused() -> None:
    with pytest.raises(Forged, match="does not fit"):
        accept(SNS.message("delivered", signer="eve"))


@pytest.mark.parametrize(
    "life",
    [{"begins": timedelta(hours=1)}, {"begins": timedelta(days=-3), "ends": timedelta(days=-2)}],
)
def test_a_certificate_that_is_not_valid_now_is_refused(life: dict[str, timedelta]) -> None:
    with pytest.raises(Forged, match="not valid now"):
        accept(SNS.message("delivered"), certificate_of("sns", **life))


def test_what_is_no_certificate_is_refused() -> None:
    with pytest.raises(Forged, match="cannot be read"):
        read_certificate(b"<html>Not Found</html>")


def test_a_subject_cannot_be_added_afterwards() -> None:
    said = json.loads(SNS.message("delivered"))
    with pytest.raises(Forged, match="does not fit"):
        accept(json.dumps(said | {"Subject": "Hello"}).encode())
    assert accept(signed({**json.loads(SNS.message("delivered")), "Subject": "Hello"})) == "delivered"


@pytest.mark.parametrize(
    ("topic", "endpoint"),
    [
        (TOPIC, ENDPOINT),
        ("arn:aws-us-gov:sns:us-gov-west-1:123456789012:t", "https://sns.us-gov-west-1.amazonaws.com"),
        ("arn:aws-cn:sns:cn-north-1:123456789012:t", "https://sns.cn-north-1.amazonaws.com.cn"),
    ],
)
def test_the_topic_says_where_its_sns_is(topic: str, endpoint: str) -> None:
    assert endpoint_of(topic) == endpoint


def test_a_topic_that_is_none_has_no_address() -> None:
    with pytest.raises(ValueError, match="not the ARN"):
        endpoint_of("arn:aws:sns:evil.example/:123456789012:t")

"""Our check of signatures, held against the library's own signer and verifier."""

from datetime import UTC, datetime, timedelta

import pytest
import stripe
from hypothesis import given
from hypothesis import strategies as st

from models.payments.signatures import Forged, verify
from models.payments.stripe import API_VERSION
from tests.payments.shop import body, event, signature

AT = datetime(2026, 11, 1, tzinfo=UTC)
PAYLOAD = body(event("cs_test_1"))
SECRET = "whsec_one"


def signed(at: datetime = AT, secret: str = SECRET) -> str:
    header: str = stripe.WebhookSignature.generate_signature_header(
        PAYLOAD.decode(), secret, int(at.timestamp())
    )
    return header


def test_what_the_library_signs_is_accepted() -> None:
    facts = verify(PAYLOAD, signed(), [SECRET], AT)
    assert (facts.type, facts.object_id, facts.is_live) == ("checkout.session.completed", "cs_test_1", False)
    assert facts.api_version == API_VERSION


def test_the_version_that_we_name_is_the_one_that_the_library_was_made_for() -> None:
    assert stripe.api_version == API_VERSION


@pytest.mark.parametrize("seconds", [-300, -1, 0, 1, 300])
def test_a_clock_may_be_five_minutes_off(seconds: int) -> None:
    assert verify(PAYLOAD, signed(AT + timedelta(seconds=seconds)), [SECRET], AT)


@pytest.mark.parametrize("seconds", [-86400, -301, 301, 86400, 10**9])
def test_neither_the_past_nor_the_future_is_accepted(seconds: int) -> None:
    with pytest.raises(Forged):
        verify(PAYLOAD, signed(AT + timedelta(seconds=seconds)), [SECRET], AT)


def test_any_of_our_secrets_may_fit_any_of_their_signatures() -> None:
    old, new = signed(secret="whsec_old"), signed(secret="whsec_new")
    both = f"{old},{new.partition(',')[2]}"
    for ours in (["whsec_new"], ["whsec_old"], ["whsec_third", "whsec_new"]):
        assert verify(PAYLOAD, both, ours, AT)
    with pytest.raises(Forged):
        verify(PAYLOAD, both, ["whsec_third"], AT)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "garbage",
        "t=,v1=",
        "t=now,v1=ab",
        "v1=ab",
        f"t={int(AT.timestamp())}",
        signed().replace("v1=", "v0="),
        signed().replace("t=", "t=1,t="),
        signed().replace("t=", "t=-"),
        signed()[:-1],
        signed() + "0",
        signed(secret="whsec_other"),
        "t=²,v1=ab",
        "t=1," + "v1=ab," * 10_000,
    ],
    # Signatures differ from run to run, and the processes of one run must agree on the names of its tests.
    ids=lambda _: "header",
)
def test_a_header_that_does_not_fit_is_refused(header: str) -> None:
    with pytest.raises(Forged):
        verify(PAYLOAD, header, [SECRET], AT)


@given(st.integers(0, len(PAYLOAD) - 1), st.integers(1, 255))
def test_a_payload_with_one_byte_altered_is_refused(place: int, change: int) -> None:
    altered = PAYLOAD[:place] + bytes([PAYLOAD[place] ^ change]) + PAYLOAD[place + 1 :]
    with pytest.raises(Forged):
        verify(altered, signed(), [SECRET], AT)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"[]",
        b"[" * 100_000,
        b'"text"',
        b"null",
        b"{}",
        b"\xff\xfe",
        b"not json",
        body(event("cs_1", id=None)),
        body(event("cs_1", id="")),
        body(event("cs_1", type=7)),
        body(event("cs_1", data=[])),
        body(event("cs_1", data={"object": "cs_1"})),
        body(event("cs_1", data={"object": {"id": ["cs_1"]}})),
        body(event("cs_1\x00")),
    ],
    ids=lambda _: "payload",
)
def test_something_else_than_an_event_is_refused_even_if_it_is_signed(payload: bytes) -> None:
    with pytest.raises(Forged):
        verify(payload, signature(payload, SECRET, AT.timestamp()), [SECRET], AT)


@given(st.binary(max_size=300))
def test_signed_noise_is_refused_and_never_a_fault(payload: bytes) -> None:
    with pytest.raises(Forged):
        verify(payload, signature(payload, SECRET, AT.timestamp()), [SECRET], AT)


def test_a_thin_event_names_the_same_things() -> None:
    thin = body(
        {
            "id": "evt_thin",
            "object": "v2.core.event",
            "type": "v1.checkout.session.completed",
            "livemode": False,
            "related_object": {"id": "cs_test_9", "type": "checkout.session", "url": "/v1/…"},
        }
    )
    facts = verify(thin, signature(thin, SECRET, AT.timestamp()), [SECRET], AT)
    assert (facts.type, facts.object_id) == ("checkout.session.completed", "cs_test_9")

"""Addresses, limits, lifetimes and words."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.accounts.address import masked, normal_address
from models.accounts.rules import browser_words, is_code, lifetime, plain_code
from models.accounts.states import Role
from models.base.errors import Invalid


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("  Ada@Example.COM ", "ada@example.com"),
        ("ada+galley@example.com", "ada+galley@example.com"),
        ("o'brien@example.ie", "o'brien@example.ie"),
        ("ada@exämple.com", "ada@xn--exmple-cua.com"),
        ("ada@xn--exmple-cua.com", "ada@xn--exmple-cua.com"),
        ("ada@\uff45xample.com", "ada@example.com"),
        ("ada@mail。example。com", "ada@mail.example.com"),
        ("ada@\u0430pple.com", "ada@xn--pple-43d.com"),  # a Cyrillic a is another letter, and another domain
        (f"{'a' * 64}@{'b' * 63}.{'c' * 63}.{'d' * 61}", f"{'a' * 64}@{'b' * 63}.{'c' * 63}.{'d' * 61}"),
    ],
)
def test_an_address_has_one_form(typed: str, kept: str) -> None:
    assert normal_address(typed) == kept
    assert normal_address(kept) == kept


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "   ",
        "ada",
        "@example.com",
        "ada@",
        "a@b.c, d@e.f",
        "a@b.com,evil@example.com",
        "a@b.com;evil@example.com",
        "a@b.com evil@example.com",
        "a@b.com\r\nBcc: evil@example.com",
        "a@b.com\nevil@example.com",
        "a\x00@b.com",
        "a@b.com\x00",
        "a@b\x00.com",
        "Ada <ada@example.com>",
        "<ada@example.com>",
        '"ada"@example.com',
        '"a,b"@example.com',
        '"a@evil.example"@example.com',
        "a@evil.example@example.com",
        "ada(comment)@example.com",
        "ada@example.com.",
        "ada@.example.com",
        "ada@example..com",
        ".ada@example.com",
        "ada.@example.com",
        "a..da@example.com",
        "ada@example",
        "ada@localhost",
        "ada@127.0.0.1",
        "ada@[127.0.0.1]",
        "ada@exam_ple.com",
        "ada@-example.com",
        "ada@exa\u200dmple.com",
        "ad\u0430@example.com",
        "\uff41da@example.com",
        "ada\u202e@example.com",
        "ada@example.com\u202e",
        "%61da%40example.com",
        f"{'a' * 65}@example.com",
        f"{'a' * 64}@{'b' * 63}.{'c' * 63}.{'d' * 62}",
        f"a@{'b' * 64}.com",
        "a" * 10_000 + "@example.com",
    ],
)
def test_what_is_not_exactly_one_address_is_refused_at_its_field(typed: str) -> None:
    with pytest.raises(Invalid) as refusal:
        normal_address(typed)
    assert set(refusal.value.fields) == {"email"}
    assert refusal.value.fields["email"]


@given(st.text(max_size=80))
def test_whatever_is_typed_becomes_one_plain_address_or_none(typed: str) -> None:
    try:
        address = normal_address(typed)
    except Invalid:
        return
    assert address.isascii()
    assert address.isprintable()
    assert address.count("@") == 1
    assert not set(address) & set(' ,;<>"()[]\\')
    assert normal_address(address) == address


def test_a_masked_address_shows_its_owner_enough_and_nobody_else() -> None:
    assert masked("ada@example.com") == "a•••@example.com"
    assert masked("a@example.com") == "a•••@example.com"


def test_who_can_do_more_is_asked_more_often() -> None:
    assert lifetime(Role.CUSTOMER).idle == timedelta(days=14)
    assert lifetime(Role.CUSTOMER).whole == timedelta(days=30)
    for role in (Role.EDITOR, Role.ADMIN):
        assert (lifetime(role).idle, lifetime(role).whole) == (timedelta(minutes=30), timedelta(hours=12))


def test_a_code_may_be_typed_as_it_is_printed() -> None:
    assert plain_code(" 123 456 ") == "123456"
    assert plain_code("123-456") == "123456"
    assert is_code("000000")
    assert not is_code("12345")
    assert not is_code("\uff11\uff12\uff13\uff14\uff15\uff16")
    assert not is_code("12345a")
    assert not is_code("123456\n")


@pytest.mark.parametrize(
    ("user_agent", "words"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0", "Firefox on Linux"),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/26.0 Safari/605.1.15",
            "Safari on Mac",
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/142.0 Safari/537.36 Edg/142.0",
            "Edge on Windows",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605 CriOS/142.0 Safari/604.1",
            "Chrome on iPhone",
        ),
        ("curl/8", "An unknown browser"),
        ("visit evil.example to win", "An unknown browser"),
    ],
)
def test_a_browser_is_called_what_its_owner_calls_it(user_agent: str, words: str) -> None:
    assert browser_words(user_agent) == words

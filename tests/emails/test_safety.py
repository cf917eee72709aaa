"""Facts come from strangers, and so do addresses: neither may become markup, headers or a second recipient."""

from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest

from emails import BadAddress, Letter, write_letter
from emails.accounts import sign_in
from emails.letter import one_address
from emails.samples import SAMPLES, sample
from tests.emails.reading import URL, Page

SENDER = "Galley <letters@galley.example>"
MESSAGE_ID = "<0197a3c2-5d0e-7b44-9a51-c0ffee104200@a-rather-long-name-of-a-host.galley.example>"
MIRA = "mira@hollow-hill.example"
TWO_PEOPLE = [
    "a@b.example, d@e.example",
    "a@b.example,d@e.example",
    "a@b.example; d@e.example",
    "a@b.example d@e.example",
    "a@b.example\nd@e.example",
    "a@b.example\r\nBcc: d@e.example",
    "Mira <a@b.example>",
    "<a@b.example>",
    '"a@b.example, d"@e.example',
    "team: a@b.example, d@e.example;",
    "a@b.example (d@e.example)",
    "a@b.example\x00",
    "a@b@e.example",
    "a@[127.0.0.1]",
    "mïra@b.example",
    "mira",
    "@b.example",
    "",
    f"{'a' * 65}@b.example",
    f"a@{'b.' * 130}example",
]


def parsed(letter: Letter, *, sender: str = SENDER) -> EmailMessage:
    message = message_from_bytes(letter.as_bytes(sender=sender, message_id=MESSAGE_ID), policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def told(kind: str, **changes: object) -> Letter:
    return write_letter(kind, MIRA, {**SAMPLES[kind], **changes})


@pytest.mark.parametrize("to", TWO_PEOPLE)
def test_what_is_not_exactly_one_address_gets_no_letter(to: str) -> None:
    with pytest.raises(BadAddress):
        write_letter("accounts.sign_in", to, SAMPLES["accounts.sign_in"])
    with pytest.raises(BadAddress):
        replace(sample("accounts.sign_in"), to=to).as_bytes(sender=SENDER, message_id=MESSAGE_ID)
    with pytest.raises(BadAddress):
        parsed(sample("accounts.sign_in"), sender=f"Galley <{to}>")


@pytest.mark.parametrize("to", [MIRA, "admin@localhost", "o'neil+galley@b-c.example", "a.b_c@1.example"])
def test_one_plain_address_is_one_recipient(to: str) -> None:
    message = parsed(replace(sample("accounts.sign_in"), to=one_address(to)))
    assert [address.addr_spec for address in message["To"].addresses] == [to]


@pytest.mark.parametrize(
    ("sender", "name"),
    [
        (SENDER, "Galley"),
        ("letters@galley.example", ""),
        ('"Gällery, Books & Co." <letters@galley.example>', "Gällery, Books & Co."),
    ],
)
def test_a_sender_is_one_address_whatever_its_name_holds(sender: str, name: str) -> None:
    (address,) = parsed(sample("orders.published"), sender=sender)["From"].addresses
    assert (address.addr_spec, address.display_name) == ("letters@galley.example", name)


@pytest.mark.parametrize(
    "sender", ["Galley\r\nBcc: d@e.example <a@b.example>", "Galley <a@b.example", "Galley"]
)
def test_a_sender_that_is_not_one_line_and_one_address_is_refused(sender: str) -> None:
    with pytest.raises(BadAddress):
        parsed(sample("orders.published"), sender=sender)


@pytest.mark.parametrize("line_break", ["\r\n", "\n", "\r", "\x0b", "\x0c", "\x85", "\u2028"])
def test_a_title_cannot_add_a_header(line_break: str) -> None:
    title = f"Grinders{line_break}Bcc: everybody@b.example{line_break}{line_break}<h1>Hello</h1>"
    message = parsed(told("orders.published", article_title=title))
    assert message["Bcc"] is None
    assert "Grinders" in message["Subject"]
    assert message.get_content_type() == "multipart/alternative"
    assert len(message["Subject"].splitlines()) == 1


@pytest.mark.parametrize("bad", ["<a@b.example>\r\nBcc: d@e.example", "a@b.example", "<a b@c>", "<>"])
def test_a_malformed_message_id_is_refused(bad: str) -> None:
    with pytest.raises(ValueError, match="not a Message-ID"):
        sample("orders.published").as_bytes(sender=SENDER, message_id=bad)


@pytest.mark.parametrize(
    "bad", ["https://a.example/>,<mailto:d@e.example", "mailto:a@b.example", "https://a b"]
)
def test_a_malformed_unsubscribe_url_is_refused(bad: str) -> None:
    letter = sample("orders.published", unsubscribe_url=bad)
    with pytest.raises(ValueError, match="not an unsubscribe URL"):
        letter.as_bytes(sender=SENDER, message_id=MESSAGE_ID)


def test_html_escapes_every_fact() -> None:
    attack = '<script>alert(1)</script>"\'><a href="https://evil.example">win</a>'
    for kind, facts in SAMPLES.items():
        words = {name: attack for name, fact in facts.items() if isinstance(fact, str) and name != "currency"}
        page = Page(told(kind, **words).html)
        assert "script" not in page.tags, kind
        assert "https://evil.example" not in page.links, kind


def test_a_reason_keeps_its_lines_in_both_parts() -> None:
    letter = told("orders.sent_back", reason="Too early.\r\n<b>Try</b> the next section.")
    assert "> Too early.\n> <b>Try</b> the next section." in letter.text
    assert "Too early.<br>&lt;b&gt;Try&lt;/b&gt; the next section." in letter.html


def test_unseen_characters_are_left_out() -> None:
    letter = told("orders.published", article_title="Grin\u202eders\x00\x1b[31m\ud800 for all")
    assert "Grinders[31m for all" in letter.text
    assert letter.as_bytes(sender=SENDER, message_id=MESSAGE_ID)


def test_a_made_up_browser_name_puts_no_link_into_a_sign_in_letter() -> None:
    facts = dict(SAMPLES["accounts.sign_in"])
    facts["asked_from"] = "You won! https://evil.example/x or www.evil.example" + " now" * 50
    letter = sign_in(MIRA, **facts)  # type: ignore[arg-type]
    assert "evil" not in letter.text + letter.html
    assert set(URL.findall(letter.text)) == {facts["link"]}
    kept = sign_in(MIRA, **{**facts, "asked_from": "Firefox 141 on Linux (203.0.113.7)"})  # type: ignore[arg-type]
    assert "Firefox 141 on Linux (203.0.113.7)" in kept.text


def test_the_bytes_hold_the_words_text_first() -> None:
    letter = told("orders.published", article_title="Für Elise — ein Mahlwerk")
    text, html = parsed(letter).iter_parts()
    assert (text.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    assert text.get_content().splitlines() == letter.text.splitlines()
    assert html.get_content().splitlines() == letter.html.splitlines()


def test_the_bytes_pass_every_relay() -> None:
    raw = told("orders.published", article_title="Ж" * 300).as_bytes(sender=SENDER, message_id=MESSAGE_ID)
    assert raw.isascii()
    lines = raw.split(b"\r\n")
    assert not any(b"\n" in line or b"\r" in line for line in lines)
    assert max(map(len, lines)) <= 998  # RFC 5322, section 2.1.1


def test_headers_say_that_a_program_writes() -> None:
    message = parsed(sample("orders.published"))
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Message-ID"] == MESSAGE_ID
    assert message["Date"].datetime.tzinfo is not None


def test_a_letter_is_dated_when_it_was_sent() -> None:
    at = datetime(2026, 11, 21, 9, 14, tzinfo=UTC)
    raw = sample("orders.published").as_bytes(sender=SENDER, message_id=MESSAGE_ID, sent_at=at)
    assert message_from_bytes(raw, policy=policy.default)["Date"].datetime == at


def test_a_test_letter_says_so_in_its_subject() -> None:
    real = sample("orders.published")
    test = sample("orders.published", is_test=True)
    assert parsed(real)["Subject"] == real.subject == test.subject
    assert parsed(test)["Subject"] == f"[test] {test.subject}"


def test_one_click_unsubscribing_is_offered_where_there_is_a_url() -> None:
    url = f"https://galley.example/u/{'k' * 86}"
    letter = sample("orders.review_reminder", unsubscribe_url=url)
    assert f"\r\nList-Unsubscribe: <{url}>\r\n".encode() in letter.as_bytes(
        sender=SENDER, message_id=MESSAGE_ID
    )
    assert parsed(letter)["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_without_a_url_there_is_no_unsubscribe_header() -> None:
    message = parsed(sample("accounts.sign_in"))
    assert message["List-Unsubscribe"] is None
    assert message["List-Unsubscribe-Post"] is None

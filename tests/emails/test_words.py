"""Every letter with its sample facts: that it renders, says the same twice, and leads to one place."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from jinja2 import UndefinedError

import emails
from emails import LETTERS, Letter, UnknownLetter, WrongFacts, facts_of, write_letter
from emails.letter import write
from emails.samples import SAMPLES, sample
from models.mail.categories import can_be_refused, category_of
from tests.emails.reading import URL, Page, as_read

SNAPSHOTS = Path(__file__).parent / "snapshots"
UNSUBSCRIBE = "https://galley.example/u/8Jc2mQ"
OF_AN_ARTICLE = sorted(kind for kind, facts in SAMPLES.items() if "anchor_text" in facts)
every_letter = pytest.mark.parametrize("kind", sorted(LETTERS))


@pytest.fixture
def letter(kind: str) -> Letter:
    return sample(kind, unsubscribe_url=UNSUBSCRIBE, is_test=True)


@every_letter
def test_a_letter_is_what_was_last_agreed_on(kind: str) -> None:
    """After a wanted change: `RENEW_SNAPSHOTS=1 pytest tests/emails/test_words.py`, then read the diff."""
    words = as_read(sample(kind, unsubscribe_url=UNSUBSCRIBE if can_be_refused(category_of(kind)) else None))
    snapshot = SNAPSHOTS / f"{kind}.txt"
    if os.environ.get("RENEW_SNAPSHOTS"):
        snapshot.write_text(words, encoding="utf-8")
    assert snapshot.read_text(encoding="utf-8") == words


def test_no_snapshot_outlives_its_letter() -> None:
    assert {path.stem for path in SNAPSHOTS.glob("*.txt")} == set(LETTERS)


def test_every_letter_has_samples_and_every_folder_a_letter() -> None:
    room = Path(emails.__file__).parent
    folders = {f"{path.parent.parent.name}.{path.parent.name}" for path in room.glob("*/*/subject.txt")}
    assert set(SAMPLES) == set(LETTERS) == folders


@every_letter
def test_a_letter_is_of_the_kind_it_is_listed_as(kind: str, letter: Letter) -> None:
    assert letter.kind == kind


@every_letter
def test_text_and_html_have_the_same_links(letter: Letter) -> None:
    assert set(URL.findall(letter.text)) == set(Page(letter.html).links)


@pytest.mark.parametrize("kind", sorted(set(LETTERS) - {"notices.message"}))  # its words are its writer's
def test_there_is_one_button_and_its_address_can_be_read(kind: str, letter: Letter) -> None:
    page = Page(letter.html)
    (button,) = page.buttons
    assert button in page.words
    # Beside it there is at most the invoice.
    beside = {SAMPLES[kind]["invoice_url"]} if "invoice_url" in SAMPLES[kind] else set()
    assert set(page.links) == {button, UNSUBSCRIBE} | beside


@every_letter
def test_links_lead_only_to_our_own_host(letter: Letter) -> None:
    assert {urlsplit(link).hostname for link in Page(letter.html).links} == {"galley.example"}


@every_letter
def test_a_letter_loads_and_runs_nothing(letter: Letter) -> None:
    page = Page(letter.html)
    assert page.loaded == []
    assert not page.tags & {"script", "link", "img", "iframe", "form", "object", "base"}
    assert not any(word in letter.html for word in ("@import", "url(", "javascript:"))


@every_letter
def test_a_letter_is_small_enough_not_to_be_clipped(letter: Letter) -> None:
    assert len(letter.html.encode()) < 90_000


@every_letter
def test_dark_mode_survives_the_inlining(letter: Letter) -> None:
    assert "prefers-color-scheme: dark" in letter.html
    assert '<meta name="color-scheme" content="light dark">' in letter.html
    assert "background-color: #ffffff" in letter.html.partition('class="card"')[2][:400], "light is inlined"


@every_letter
def test_every_link_has_a_colour_that_can_be_read_on_light_and_on_dark(letter: Letter) -> None:
    dark = letter.html.partition("prefers-color-scheme: dark")[2].partition("</style>")[0]
    assert re.search(r"^\s*a \{ color: #", dark, re.MULTILINE)
    for link in re.findall(r"<a [^>]*>", letter.html):
        assert re.search(r"(?<!-)color: #", link), link


@every_letter
def test_a_text_line_fits_a_terminal(letter: Letter) -> None:
    too_long = [line for line in letter.text.splitlines() if len(line) > 76 and not URL.search(line)]
    assert too_long == []


@every_letter
def test_test_mode_is_said_in_both_parts_and_only_then(kind: str, letter: Letter) -> None:
    assert "TEST MODE" in letter.text
    assert "TEST MODE" in Page(letter.html).words
    real = sample(kind)
    assert "TEST MODE" not in real.text
    assert "TEST MODE" not in Page(real.html).words


@every_letter
def test_without_an_address_to_unsubscribe_at_none_is_offered(kind: str) -> None:
    plain = sample(kind)
    assert "Stop letters" not in plain.text
    assert "Stop letters" not in plain.html


@every_letter
@pytest.mark.parametrize("part", ["subject", "text", "html"])
def test_nothing_of_a_template_is_left_over(letter: Letter, part: str) -> None:
    words = getattr(letter, part)
    assert words.strip()
    assert not any(mark in words for mark in ("{{", "{%", "None", "Undefined"))


@pytest.mark.parametrize("kind", OF_AN_ARTICLE)
def test_an_order_of_a_whole_article_speaks_of_no_anchor(kind: str) -> None:
    facts = {**SAMPLES[kind], "anchor_text": None, "target_url": None}
    letter = write_letter(kind, "mira@hollow-hill.example", facts)
    for words in (letter.text, Page(letter.html).words):
        assert "Anchor" not in words
        assert "None" not in words


@every_letter
def test_a_missing_fact_is_named(kind: str) -> None:
    for missing in facts_of(kind):
        facts = {name: fact for name, fact in SAMPLES[kind].items() if name != missing}
        with pytest.raises(WrongFacts, match=f"{missing} is missing"):
            write_letter(kind, "mira@hollow-hill.example", facts)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"colour": "red"}, "colour is not a fact of this letter"),
        ({"is_test": True}, "is_test is not a fact of this letter"),
        ({"amount_cents": "4900"}, "amount_cents is str, not int"),
        ({"order_number": None}, "order_number is NoneType, not str"),
    ],
)
def test_a_fact_that_does_not_fit_is_named(change: Mapping[str, object], complaint: str) -> None:
    with pytest.raises(WrongFacts, match=complaint):
        write_letter("orders.refunded", "mira@hollow-hill.example", {**SAMPLES["orders.refunded"], **change})


def test_an_unknown_letter_is_refused_by_name() -> None:
    with pytest.raises(UnknownLetter, match=r"orders\.love_letter"):
        write_letter("orders.love_letter", "mira@hollow-hill.example", {})


def test_a_template_never_prints_a_fact_it_was_not_told() -> None:
    with pytest.raises(UndefinedError):
        write("orders.published", "mira@hollow-hill.example", article_title="Grinders")

"""The writer and quality control on real documents: READMEs of what is installed, the demo articles, CRLF copies."""

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.orders.quality import check_integration
from models.orders.text.comparison import changed_paragraph, edit_made
from models.orders.text.diff import changes
from models.orders.text.edits import Edit, Wrap, places, splice
from models.orders.text.markdown import href_of, links, outline, parse, render
from tasks.writing.basic import propose
from tests.writing.articles import demo_articles, readmes, with_crlf

ANCHORS = [
    "type checking",
    "community building",
    "how to choose a CRM",
    "HubSpot",
    "the documentation",
    "here",
    "What is this?",
    "50% off!",
    "[weird] *anchor*_x",
    "C++ & <b>tags</b>",
    "`code` and a\\b",
    "&copy; 2020 | more",
]
URLS = [
    "https://target.example/type-checking",
    "https://bücher.example/ü",
    "https://x.example/a_(b)",
    "https://x.example/a)b(?q[]=1&copy;=2",
    "http://sub.x.example:8080/p%20q?x=%zz#frag'*_",
]
DOCUMENTS = (*demo_articles(), *readmes())
EVERYDAY = DOCUMENTS[:: max(1, len(DOCUMENTS) // 8)]


def examine(text: str, anchor: str, url: str, tries: int) -> int:
    """Places the link in `tries` ways and proves each; returns how many there were."""
    earlier: list[Edit | Wrap] = []
    markdowns = set()
    for number in range(tries):
        proposal = propose(text, url=url, anchor=anchor, topic="software", number=number, previous=earlier)
        if proposal is None:
            return number
        report = check_integration(text, proposal.markdown, url=url, anchor=anchor)
        assert report.passed, report.failures
        added = [link for link in links(proposal.markdown) if link.href == href_of(url)]
        assert [link.text for link in added] == [anchor]
        pair = changed_paragraph(text, proposal.markdown)
        assert pair is not None
        size = len(proposal.markdown) - len(text)
        start = parse(text).position(pair[0], 0)
        end = parse(text).position(pair[0], len(pair[0].source))
        assert proposal.markdown[:start] + text[start:end] + proposal.markdown[end + size :] == text
        made = edit_made(text, proposal.markdown)
        assert made is not None
        assert made.paragraph == proposal.edit.paragraph
        shown = [
            part for block in changes(text, proposal.markdown) for part in block.segments if part.is_new_link
        ]
        assert "".join(part.text for part in shown) == anchor
        markdowns.add(proposal.markdown)
        earlier.append(proposal.edit)
    assert len(markdowns) == tries
    return tries


@pytest.mark.parametrize(
    ("name", "text"), [*EVERYDAY, *with_crlf(EVERYDAY[:3])], ids=lambda value: value[:30]
)
def test_every_edit_of_a_real_document_is_exact(name: str, text: str) -> None:
    at = len(name)
    made = sum(
        examine(text, ANCHORS[(at + k) % len(ANCHORS)], URLS[(at + k) % len(URLS)], 2) for k in range(3)
    )
    assert made > 0 or not places(text)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "text"), [*DOCUMENTS, *with_crlf(DOCUMENTS)], ids=lambda value: value[:30])
def test_every_edit_of_every_document_is_exact(name: str, text: str) -> None:
    for k in range(len(name), len(name) + 4):
        examine(text, ANCHORS[k % len(ANCHORS)], URLS[k % len(URLS)], 2)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "text"), DOCUMENTS, ids=lambda value: value[:30])
def test_every_place_of_every_document_passes_quality_control(name: str, text: str) -> None:
    for k, place in enumerate(places(text)[::8]):
        anchor, url = ANCHORS[k % len(ANCHORS)], URLS[k % len(URLS)]
        edit = Edit(place.paragraph, place.after_sentence, "Related reading: {anchor}.")
        report = check_integration(text, splice(text, edit, url=url, anchor=anchor), url=url, anchor=anchor)
        assert report.passed, (place, report.failures)


def test_the_demo_articles_take_orders_on_their_own_subject() -> None:
    for _, text in demo_articles():
        subject = " ".join(outline(text)[0].text.split()[:6]).lower()
        proposal = propose(text, url="https://target.example/", anchor=subject, topic="", number=0)
        assert proposal is not None
        assert proposal.score > 0.1


def test_every_character_of_every_document_is_where_the_outline_says() -> None:
    for _, text in EVERYDAY:
        document = parse(text)
        for block in document.paragraphs:
            start, end = document.position(block, 0), document.position(block, len(block.source))
            assert text[start:end].replace("\r\n", "\n").replace("\r", "\n") == block.source


def test_real_documents_are_shown_without_anything_unsafe() -> None:
    for _, text in EVERYDAY:
        html = render(text, rel="sponsored").lower()
        assert "<script" not in html
        assert not re.search(r"<[^>]*\sstyle=", html)


PIECES = [
    *(
        "Some words follow one another in this sentence. ",
        "**Bold. Text** ",
        "`a. b` ",
        "[l. k](/u) ",
        "e.g. this ",
        "x_y ",
        "\\* ",
        "<b> ",
    ),
    *(
        "&amp; ",
        "! ",
        "![i](p.png) ",
        "a ` tick ",
        "[ open ",
        "* star ",
        "end] ",
        "https://x.org/a ",
        '"Quoted." ',
    ),
]
BREAKS = ["\n", "\r\n", "  \n", "\n\n", "\r\n\r\n", "\n\n- ", "\n\n> ", "\n\n## ", "\n\n```\n", " "]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.tuples(st.sampled_from(PIECES), st.sampled_from([" ", *BREAKS])), min_size=3, max_size=25),
    st.sampled_from(ANCHORS),
    st.sampled_from(URLS),
)
def test_every_edit_of_a_made_up_document_is_exact(
    parts: list[tuple[str, str]], anchor: str, url: str
) -> None:
    text = "".join(piece + end for piece, end in parts)
    examine(text, anchor, url, 2)

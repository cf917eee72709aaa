"""The model writer: its sentence is spliced, judged, and sent back until it passes."""

import json
from decimal import Decimal
from typing import Any

import pytest

from models.base.db import new_id
from models.orders.quality import check_integration
from models.orders.text.edits import Edit
from tasks.llm import Llm, ModelName
from tasks.writing.model import NotPlaced, propose_with_model
from tests.llm.conftest import MakeLlm
from tests.llm.questions import ledger
from tests.llm.script import Say
from tests.llm.server import ModelServer

URL = "https://tides.example/almanac"
ANCHOR = "tide tables"
SUBJECT = "order/7"
ARTICLE = """\
# Walking the causeway

The island can be reached on foot for a few hours a day. Most visitors come by boat instead.

## When to go

Start two hours before low water, and take the long way round the sandbank. The current in the channel is \
stronger than it looks from the shore. Turn back if the posts are already wet.

- boots
- a stick
"""
GOOD = "Harbour offices print tide tables for the whole season."


def placing(sentence: str, *, paragraph: int = 2, after: int = 1) -> Say:
    return Say(json.dumps({"paragraph": paragraph, "after_sentence": after, "sentence": sentence}))


@pytest.mark.parametrize("model", ["openai:gpt-5-mini", "anthropic:claude-haiku-4-5"])
async def test_a_good_sentence_is_spliced_in_and_nothing_else_changes(
    make_llm: MakeLlm, server: ModelServer, model: str
):
    server.script = [placing(GOOD)]
    llm, job_id = make_llm(model=ModelName.parse(model)), new_id()

    proposal = await propose_with_model(
        llm, subject=SUBJECT, job_id=job_id, markdown=ARTICLE, url=URL, anchor=ANCHOR
    )

    linked = GOOD.replace(ANCHOR, f"[{ANCHOR}]({URL})")
    assert proposal.markdown == ARTICLE.replace("sandbank. The", f"sandbank. {linked} The")
    assert proposal.edit == Edit(paragraph=2, after_sentence=1, sentence=GOOD)
    assert proposal.report.passed
    assert check_integration(ARTICLE, proposal.markdown, url=URL, anchor=ANCHOR).passed
    assert proposal.asked == 1
    assert [call.job_id for call in await ledger(llm, SUBJECT)] == [job_id]


async def test_the_model_reads_numbered_paragraphs_and_gaps_but_is_never_asked_for_the_article(
    llm: Llm, server: ModelServer
):
    server.script = [placing(GOOD)]
    await propose_with_model(llm, subject=SUBJECT, markdown=ARTICLE, url=URL, anchor=ANCHOR)
    [call] = server.calls
    assert (
        "[2] Start two hours before low water, and take the long way round the sandbank. <1> The" in call.user
    )
    assert "already wet. <3>" in call.user
    assert "## When to go" in call.user
    assert set(call.body["response_format"]["json_schema"]["schema"]["properties"]) == {
        "paragraph",
        "after_sentence",
        "sentence",
    }


@pytest.mark.parametrize(
    ("bad", "complaint"),
    [
        (placing("Harbour offices print tables of the tides."), "does not contain the anchor"),
        (placing(GOOD, paragraph=9), "there is no paragraph 9"),
        (placing(GOOD, after=8), "there is no 8"),
        (placing(f"{GOOD} They are free."), "sentence"),
        (placing(f"{ANCHOR} " + "and more and more " * 8 + "words."), "words"),
    ],
    ids=["anchor missing", "no such paragraph", "no such gap", "two sentences", "too long"],
)
async def test_what_quality_control_finds_is_fed_back_and_mended(
    llm: Llm, server: ModelServer, bad: Say, complaint: str
):
    server.script = [bad, placing(GOOD)]

    proposal = await propose_with_model(llm, subject=SUBJECT, markdown=ARTICLE, url=URL, anchor=ANCHOR)

    assert proposal.report.passed
    assert proposal.asked == 2
    assert "last attempt" not in server.calls[0].user
    _, feedback = server.calls[1].user.split("begin last attempt")
    assert bad.text.replace(" ", "")[:40] in feedback.replace(" ", "")
    assert complaint in feedback
    rows = await ledger(llm, SUBJECT)
    assert [row.attempt for row in rows] == [1, 2]
    assert proposal.cost_cents == sum((row.cost_cents or Decimal() for row in rows), Decimal())


async def test_after_three_bad_sentences_it_says_so_and_shows_the_last_report(llm: Llm, server: ModelServer):
    server.script = [placing(f"{GOOD} They are free.")] * 4
    with pytest.raises(NotPlaced) as refusal:
        await propose_with_model(llm, subject=SUBJECT, markdown=ARTICLE, url=URL, anchor=ANCHOR)
    assert len(server.calls) == 3
    assert refusal.value.report is not None
    assert not refusal.value.report.passed


async def test_the_last_report_travels_as_material_and_never_as_a_rule(llm: Llm, server: ModelServer):
    failed = check_integration(ARTICLE, ARTICLE, url=URL, anchor=ANCHOR)
    server.script = [placing(GOOD)]
    await propose_with_model(
        llm, subject=SUBJECT, markdown=ARTICLE, url=URL, anchor=ANCHOR, last_report=failed
    )
    [call] = server.calls
    assert failed.reason in call.user
    assert failed.reason not in call.system


async def test_an_article_without_a_place_costs_nothing(llm: Llm, server: ModelServer):
    with pytest.raises(NotPlaced):
        await propose_with_model(
            llm, subject=SUBJECT, markdown="# Title\n\n- a list\n", url=URL, anchor=ANCHOR
        )
    assert server.calls == []


async def test_a_worker_that_begins_anew_pays_for_no_answer_twice(llm: Llm, server: ModelServer):
    server.script = [placing(f"{GOOD} They are free."), placing(GOOD)]
    asked: dict[str, Any] = {
        "subject": SUBJECT,
        "once": "1/place",
        "markdown": ARTICLE,
        "url": URL,
        "anchor": ANCHOR,
    }
    first = await propose_with_model(llm, **asked)
    again = await propose_with_model(llm, **asked)
    assert (again.markdown, again.asked, again.cost_cents) == (first.markdown, 2, Decimal(0))
    assert len(server.calls) == 2


async def test_answers_that_came_to_nothing_are_asked_for_anew(llm: Llm, server: ModelServer):
    server.script = [*[placing(f"{GOOD} They are free.")] * 3, placing(GOOD)]
    asked: dict[str, Any] = {
        "subject": SUBJECT,
        "once": "1/place",
        "markdown": ARTICLE,
        "url": URL,
        "anchor": ANCHOR,
    }
    with pytest.raises(NotPlaced):
        await propose_with_model(llm, **asked)
    assert (await propose_with_model(llm, **asked)).asked == 1

"""Answers that are paid for once: kept in the ledger with what they cost, and given again."""

from decimal import Decimal

import pytest

from models.base.errors import Temporary
from tasks.llm import Answer, Llm
from tests.llm.questions import GOOD, SUBJECT, Word, ledger
from tests.llm.script import Cut, Say, Status
from tests.llm.server import ModelServer


async def ask(llm: Llm, once: str | None, subject: str = SUBJECT) -> Answer[Word]:
    return await llm.ask(
        "find_word",
        Word,
        {"article": "The harbour."},
        subject=subject,
        instructions="Find a word.",
        once=once,
    )


async def test_the_same_need_is_answered_once_and_costs_once(llm: Llm, server: ModelServer):
    server.script = [Say(GOOD)]
    first = await ask(llm, "1/outline")
    again = await ask(llm, "1/outline")
    assert (again.output, again.model.partition(":")[0]) == (first.output, "openai")
    assert (again.cost_cents, first.cost_cents > 0) == (Decimal(), True)
    assert (len(server.calls), len(await ledger(llm))) == (1, 1)


async def test_another_need_another_subject_and_no_need_are_asked(llm: Llm, server: ModelServer):
    server.script = [Say(GOOD)] * 5
    await ask(llm, "1/outline")
    await ask(llm, "2/outline")
    await ask(llm, "1/outline", subject="order/2")
    await ask(llm, None)
    await ask(llm, None)
    assert len(server.calls) == 5


@pytest.mark.parametrize("step", [Status(503), Cut(GOOD)])
async def test_what_did_not_arrive_is_not_kept(llm: Llm, server: ModelServer, step: Status | Cut):
    server.script = [step, Say(GOOD)]
    with pytest.raises(Temporary):
        await ask(llm, "1/outline")
    assert (await ask(llm, "1/outline")).output.word == "harbour"


async def test_what_does_not_fit_is_not_kept_but_its_correction_is(llm: Llm, server: ModelServer):
    server.script = [Say('{"word": 3}'), Say(GOOD)]
    await ask(llm, "1/outline")
    await ask(llm, "1/outline")
    assert [call.answer is not None for call in await ledger(llm)] == [False, True]

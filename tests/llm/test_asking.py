"""Asking well: the answer, what is written down about it, and what goes over the wire."""

from decimal import Decimal

import pytest

from tasks.llm import Llm, ModelName
from tests.llm.conftest import MakeLlm
from tests.llm.protocols import INPUT_TOKENS, OUTPUT_TOKENS
from tests.llm.questions import GOOD, Word, ask, ledger
from tests.llm.script import Say
from tests.llm.server import ModelServer

# 1,000 tokens in and 100 out, at the price list's dollars per million tokens: 0.25 and 2; 1 and 5.
COSTS = [("openai:gpt-5-mini", Decimal("0.045")), ("anthropic:claude-haiku-4-5", Decimal("0.15"))]


@pytest.mark.parametrize(("model", "cost"), COSTS)
async def test_an_answer_comes_in_the_shape_asked_for_with_its_price(
    make_llm: MakeLlm, server: ModelServer, model: str, cost: Decimal
):
    server.script = [Say(GOOD)]
    llm = make_llm(model=ModelName.parse(model))

    answer = await ask(llm)

    assert answer.output == Word(word="harbour", count=2)
    assert (answer.input_tokens, answer.output_tokens) == (INPUT_TOKENS, OUTPUT_TOKENS)
    assert (answer.cost_cents, answer.currency) == (cost, "USD")
    assert answer.model.startswith(model)
    [row] = await ledger(llm)
    assert (row.state, row.attempt, row.kind, row.error_kind) == ("ok", 1, "find_word", None)
    assert f"{row.provider}:{row.model}" == model
    assert (row.input_tokens, row.output_tokens, row.cost_cents) == (INPUT_TOKENS, OUTPUT_TOKENS, cost)
    assert row.request_sha256 == answer.request_sha256
    assert row.duration is not None


async def test_the_schema_is_enforced_by_the_provider_and_no_tools_are_offered(llm: Llm, server: ModelServer):
    server.script = [Say(GOOD)]
    await ask(llm)
    [call] = server.calls
    assert call.body["response_format"]["json_schema"]["strict"] is True
    assert set(call.body["response_format"]["json_schema"]["schema"]["properties"]) == {"word", "count"}
    assert call.body["max_completion_tokens"] == 500
    assert "tools" not in call.body


async def test_a_model_that_cannot_be_held_to_a_schema_is_told_it_in_words(
    make_llm: MakeLlm, server: ModelServer
):
    server.script = [Say(f"```json\n{GOOD}\n```")]
    answer = await ask(make_llm(model=ModelName("anthropic", "claude-3-haiku-20240307")))
    assert answer.output.word == "harbour"
    assert '"count"' in server.calls[0].system
    assert "tools" not in server.calls[0].body


@pytest.mark.parametrize(
    "bad", ["The word is harbour.", '{"word": "harbour"}', '{"word": "harbour", "count": "two"}']
)
@pytest.mark.parametrize("model", ["openai:gpt-5-mini", "anthropic:claude-haiku-4-5"])
async def test_a_bad_answer_is_sent_back_once_with_the_reason(
    make_llm: MakeLlm, server: ModelServer, model: str, bad: str
):
    server.script = [Say(bad), Say(GOOD)]
    llm = make_llm(model=ModelName.parse(model))

    answer = await ask(llm)

    assert answer.output.word == "harbour"
    assert answer.input_tokens == 2 * INPUT_TOKENS
    roles = [role for role, _ in server.calls[1].turns]
    assert roles == ["user", "assistant", "user"]
    assert server.calls[1].turns[1][1] == bad
    assert "does not fit the schema" in server.calls[1].turns[2][1]
    first, second = await ledger(llm)
    assert (first.state, first.error_kind, second.state) == ("failed", "bad_answer", "ok")
    assert first.cost_cents == second.cost_cents
    assert first.request_sha256 != second.request_sha256
    assert (first.attempt, second.attempt) == (1, 2)


async def test_an_answer_that_hit_its_limit_is_sent_back_even_if_it_parses(llm: Llm, server: ModelServer):
    server.script = [Say(GOOD, is_too_long=True), Say('{"word": "wall", "count": 1}')]
    answer = await ask(llm)
    assert answer.output.word == "wall"
    assert "cut off" in server.calls[1].turns[2][1]


async def test_a_model_that_is_not_in_the_price_list_is_priced_dearly(make_llm: MakeLlm, server: ModelServer):
    server.script = [Say(GOOD)]
    answer = await ask(make_llm(model=ModelName("openai", "house-model-7")))
    assert answer.cost_cents == Decimal("0.75")

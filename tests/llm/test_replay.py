"""Stored answers: recorded once from a provider, given back without one."""

from pathlib import Path

import pytest

from tasks.llm import Endpoint, Llm, LlmOptions, ModelName, NothingStored
from tests.llm.conftest import MakeLlm
from tests.llm.protocols import INPUT_TOKENS
from tests.llm.questions import GOOD, ask, ledger
from tests.llm.script import Say
from tests.llm.server import ModelServer

MODEL = ModelName("openai", "gpt-5-mini")


async def test_a_recorded_answer_is_replayed_without_a_server_or_a_key_or_a_price(
    make_llm: MakeLlm, server: ModelServer, tmp_path: Path
):
    server.script = [Say("not json"), Say(GOOD)]
    recorded = make_llm(mode="record", replay_folder=tmp_path)
    first = await ask(recorded)
    assert first.cost_cents > 0
    assert first.input_tokens == 2 * INPUT_TOKENS

    replayed = Llm(recorded.database, LlmOptions(MODEL, mode="replay", replay_folder=tmp_path))
    second = await ask(replayed)

    assert second.output == first.output
    assert second.request_sha256 == first.request_sha256
    assert second.cost_cents == 0
    assert len(server.calls) == 2
    assert [row.state for row in await ledger(replayed)] == ["failed", "ok", "failed", "ok"]


async def test_replay_fails_on_a_question_it_does_not_know(make_llm: MakeLlm, tmp_path: Path):
    llm = make_llm(mode="replay", replay_folder=tmp_path)
    with pytest.raises(NothingStored):
        await ask(llm)
    [row] = await ledger(llm)
    assert (row.state, row.error_kind) == ("failed", "not_stored")


@pytest.mark.parametrize(
    ("changes", "variable"),
    [
        ({}, "LLM_OPENAI_API_KEY"),
        ({"mode": "replay"}, "LLM_REPLAY_DIR"),
        ({"mode": "record"}, "LLM_REPLAY_DIR"),
    ],
)
def test_options_that_cannot_work_are_refused_with_the_variable(changes: dict[str, str], variable: str):
    with pytest.raises(ValueError, match=variable):
        LlmOptions(MODEL, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["gpt-5", "openai:", "acme:gpt-5", ""])
def test_a_model_is_written_with_its_provider(text: str):
    with pytest.raises(ValueError, match="provider:name"):
        ModelName.parse(text)
    assert str(ModelName.parse("openai:ft:gpt-5:acme")) == "openai:ft:gpt-5:acme"


def test_the_key_is_not_in_the_options_representation():
    from pydantic import SecretStr

    options = LlmOptions(MODEL, endpoints={"openai": Endpoint(SecretStr("sk-very-secret"))})
    assert "sk-very-secret" not in repr(options)

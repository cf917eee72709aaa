"""Failing well: for good or for now, at what price, and who is asked instead."""

from datetime import timedelta

import pytest

from models.base.errors import Temporary
from models.usage.queries import spent_cents
from tasks.llm import BadAnswer, CallFailed, ContentRefused, Llm, ModelName, RequestRejected
from tests.llm.conftest import MakeLlm
from tests.llm.questions import GOOD, ask, ledger
from tests.llm.script import Cut, Drop, Garble, Refuse, Say, Silence, Status, Step, WithoutEnd
from tests.llm.server import ModelServer

BOTH = pytest.mark.parametrize("model", ["openai:gpt-5-mini", "anthropic:claude-haiku-4-5"])
FALLBACK = ModelName("anthropic", "claude-haiku-4-5")


@BOTH
@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, "rejected"), (401, "unauthorised"), (403, "unauthorised"), (404, "no_such_model")],
)
async def test_a_rejected_request_is_sent_once_and_costs_nothing(
    make_llm: MakeLlm, server: ModelServer, model: str, status: int, kind: str
):
    server.script = [Status(status, error="sk-secret")]
    llm = make_llm(model=ModelName.parse(model), fallback=FALLBACK)

    with pytest.raises(RequestRejected) as rejection:
        await ask(llm)

    assert rejection.value.kind == kind
    assert "sk-secret" not in rejection.value.words
    assert len(server.calls) == 1
    [row] = await ledger(llm)
    assert (row.state, row.error_kind) == ("failed", kind)
    assert row.cost_cents == 0


@BOTH
@pytest.mark.parametrize(
    ("step", "kind", "state"),
    [
        (Status(429), "rate_limited", "failed"),
        (Status(500), "server_error", "failed"),
        (Status(503), "unavailable", "failed"),
        (Status(409), "failed", "unknown"),
        (Drop(), "connection", "unknown"),
        (Cut(GOOD), "connection", "unknown"),
        (WithoutEnd(GOOD), "cut", "unknown"),
        (Garble(), "garbled", "unknown"),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else value,
)
async def test_a_passing_failure_is_temporary_and_never_an_answer(
    make_llm: MakeLlm, server: ModelServer, model: str, step: Step, kind: str, state: str
):
    server.script = [step]
    llm = make_llm(model=ModelName.parse(model))

    with pytest.raises(CallFailed) as failure:
        await ask(llm)

    assert failure.value.kind == kind
    assert len(server.calls) == 1
    [row] = await ledger(llm)
    assert (row.state, row.error_kind) == (state, kind)
    assert row.cost_cents == (row.reserved_cents if state == "unknown" else 0)
    assert row.reserved_cents > 0


@BOTH
async def test_a_silent_provider_is_left_after_the_time_limit(
    make_llm: MakeLlm, server: ModelServer, model: str
):
    server.script = [Silence()]
    llm = make_llm(model=ModelName.parse(model), timeout=timedelta(seconds=0.5))
    with pytest.raises(CallFailed) as failure:
        await ask(llm)
    assert (failure.value.kind, failure.value.may_be_charged) == ("timeout", True)


async def test_the_pause_that_a_provider_asks_for_reaches_the_job(llm: Llm, server: ModelServer):
    server.script = [Status(429, {"Retry-After": "37"})]
    with pytest.raises(Temporary) as failure:
        await ask(llm)
    assert failure.value.retry_after == timedelta(seconds=37)


async def test_an_unreachable_provider_costs_nothing(make_llm: MakeLlm, server: ModelServer):
    llm = make_llm()
    await server.__aexit__(None, None, None)
    with pytest.raises(CallFailed) as failure:
        await ask(llm)
    assert (failure.value.kind, failure.value.may_be_charged) == ("connection", False)


@BOTH
async def test_a_refusal_is_final_and_its_tokens_are_paid(make_llm: MakeLlm, server: ModelServer, model: str):
    server.script = [Refuse()]
    llm = make_llm(model=ModelName.parse(model), fallback=FALLBACK)
    with pytest.raises(ContentRefused):
        await ask(llm)
    assert len(server.calls) == 1
    [row] = await ledger(llm)
    assert (row.state, row.error_kind) == ("failed", "refused")
    assert row.cost_cents is not None
    assert row.cost_cents > 0


async def test_two_bad_answers_are_enough(llm: Llm, server: ModelServer):
    server.script = [Say("no"), Say("still no"), Say(GOOD)]
    with pytest.raises(BadAnswer):
        await ask(llm)
    assert len(server.calls) == 2


async def test_the_fallback_answers_when_the_first_is_down(make_llm: MakeLlm, server: ModelServer):
    server.script = [Status(503), Say(GOOD)]
    llm = make_llm(fallback=FALLBACK)

    answer = await ask(llm)

    assert answer.model.startswith("anthropic:claude-haiku-4-5")
    assert [call.is_openai for call in server.calls] == [True, False]
    assert [row.provider for row in await ledger(llm)] == ["openai", "anthropic"]


async def test_when_both_are_down_the_sooner_pause_counts(make_llm: MakeLlm, server: ModelServer):
    server.script = [Status(429, {"Retry-After": "90"}), Status(429, {"Retry-After": "20"})]
    with pytest.raises(Temporary) as failure:
        await ask(make_llm(fallback=FALLBACK))
    assert failure.value.retry_after == timedelta(seconds=20)


async def test_a_wrongly_set_up_fallback_does_not_make_an_outage_final(
    make_llm: MakeLlm, server: ModelServer
):
    server.script = [Status(503), Status(401)]
    with pytest.raises(CallFailed) as failure:
        await ask(make_llm(fallback=FALLBACK))
    assert failure.value.kind == "unavailable"


async def test_what_may_have_been_charged_counts_as_spent(llm: Llm, server: ModelServer):
    server.script = [Drop(), Status(500)]
    for _ in range(2):
        with pytest.raises(CallFailed):
            await ask(llm)
    async with llm.database.transaction() as session:
        spent = await spent_cents(session)
    dropped, failed = await ledger(llm)
    assert spent == dropped.reserved_cents
    assert failed.cost_cents == 0

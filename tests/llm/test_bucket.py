"""Pacing: a burst, then a steady rate, and a refusal to wait for long."""

from datetime import timedelta

import pytest

from models.base.errors import Temporary
from tasks.llm import ProcessBucket
from tests.llm.conftest import MakeLlm
from tests.llm.questions import GOOD, ask, ledger
from tests.llm.script import Say
from tests.llm.server import ModelServer


class Clock:
    """Hands that a test turns."""

    seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


async def test_a_burst_passes_and_then_one_each_interval():
    clock = Clock()
    bucket = ProcessBucket(per_minute=6, burst=2, clock=clock)
    assert [await bucket.take("openai") for _ in range(3)] == [
        timedelta(),
        timedelta(),
        timedelta(seconds=10),
    ]
    assert await bucket.take("anthropic") == timedelta()
    clock.seconds += 4
    assert await bucket.take("openai") == timedelta(seconds=6)
    clock.seconds += 6
    assert await bucket.take("openai") == timedelta()


async def test_an_idle_bucket_saves_no_more_than_its_burst():
    clock = Clock()
    bucket = ProcessBucket(per_minute=60, burst=2, clock=clock)
    clock.seconds += 3600
    assert await bucket.take("openai", cost=2) == timedelta()
    assert await bucket.take("openai") == timedelta(seconds=1)


async def test_a_call_whose_turn_is_far_off_is_not_made(make_llm: MakeLlm, server: ModelServer):
    server.script = [Say(GOOD), Say(GOOD)]
    llm = make_llm(bucket=ProcessBucket(per_minute=1, burst=1))
    await ask(llm)
    with pytest.raises(Temporary) as pause:
        await ask(llm)
    assert pause.value.retry_after is not None
    assert timedelta(seconds=5) < pause.value.retry_after <= timedelta(minutes=1)
    assert len(server.calls) == 1
    assert len(await ledger(llm)) == 1


async def test_a_call_whose_turn_is_near_waits_for_it(make_llm: MakeLlm, server: ModelServer):
    server.script = [Say(GOOD), Say(GOOD)]
    llm = make_llm(bucket=ProcessBucket(per_minute=600, burst=1))
    await ask(llm)
    await ask(llm)
    assert len(server.calls) == 2

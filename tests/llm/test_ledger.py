"""The ledger: what stands in it before, during and after a call, and how budgets read it."""

import asyncio
import os
import signal
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from models.base.clock import now
from models.base.db import Database
from models.base.errors import Conflict
from models.everything import SCHEDULES
from models.jobs import enqueue
from models.usage.actions import LOST_AFTER, Ending, begin_call, finish_call, give_up_lost_calls
from models.usage.jobs import GiveUpLostCalls
from models.usage.queries import spent_cents
from models.usage.rules import MOVES, Budget, BudgetSpent, CallState
from models.usage.tables import ModelCallRow
from tasks.llm import Llm
from tasks.testing import run_everything
from tasks.world import World
from tests.llm.conftest import MakeLlm
from tests.llm.questions import GOOD, SUBJECT, ask, calls_of, ledger
from tests.llm.script import Say, Silence
from tests.llm.server import ModelServer

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
CALL: dict[str, Any] = {
    "kind": "find_word",
    "provider": "openai",
    "model": "gpt-5-mini",
    "request_sha256": "0" * 64,
}
UNLIMITED = Budget(per_subject_cents=0, per_day_cents=0)


async def begin(
    database: Database,
    *,
    subject: str = SUBJECT,
    cents: str = "3",
    budget: Budget = UNLIMITED,
    at: datetime = NOON,
) -> ModelCallRow:
    async with database.transaction() as session:
        return await begin_call(
            session,
            **CALL,
            subject=subject,
            reserved_cents=Decimal(cents),
            budget=budget,
            at=at,
        )


async def finish(database: Database, call: ModelCallRow, ending: Ending) -> None:
    async with database.transaction() as session:
        await finish_call(session, call.id, ending, at=NOON + timedelta(seconds=4))


async def test_a_spent_budget_for_the_subject_stops_before_any_call(make_llm: MakeLlm, server: ModelServer):
    server.script = [Say(GOOD), Say(GOOD)]
    llm = make_llm(budget=Budget(per_subject_cents=1, per_day_cents=0))
    await begin(llm.database, cents="0.95", at=datetime.now(UTC))

    with pytest.raises(BudgetSpent, match=r"budget for order/1 is spent: 0.95 of 1 US cents are used"):
        await ask(llm)

    assert server.calls == []
    assert len(await ledger(llm)) == 1
    assert (await ask(llm, subject="order/2")).output.word == "harbour"


async def test_a_spent_day_stops_every_subject_until_midnight(database: Database):
    budget = Budget(per_subject_cents=0, per_day_cents=5)
    await begin(database, budget=budget)
    with pytest.raises(BudgetSpent, match="for today"):
        await begin(database, subject="order/2", budget=budget)
    await begin(database, subject="order/2", budget=budget, at=NOON + timedelta(hours=12))


async def test_what_a_call_reserved_too_much_is_free_again_once_it_ends(database: Database):
    budget = Budget(per_subject_cents=4, per_day_cents=0)
    call = await begin(database, budget=budget)
    with pytest.raises(BudgetSpent):
        await begin(database, budget=budget)
    await finish(database, call, Ending(CallState.OK, Decimal("0.5")))
    await begin(database, budget=budget)


async def test_two_workers_cannot_both_spend_the_last_cents(database: Database):
    budget = Budget(per_subject_cents=0, per_day_cents=5)
    blocked = text("select count(*) from pg_locks where locktype = 'advisory' and not granted")
    async with database.transaction() as first:
        await begin_call(first, **CALL, subject=SUBJECT, reserved_cents=Decimal(3), budget=budget, at=NOON)
        second = asyncio.create_task(begin(database, subject="order/2", budget=budget))
        async with asyncio.timeout(10):
            while not second.done() and not await first.scalar(blocked):
                await asyncio.sleep(0.01)
    with pytest.raises(BudgetSpent):
        await second


@pytest.mark.parametrize(("here", "there"), list(product(CallState, CallState)))
async def test_a_call_ends_only_as_it_is_drawn(database: Database, here: CallState, there: CallState):
    call = await begin(database)
    if here is not CallState.STARTED:
        await finish(database, call, Ending(here))
    if there in MOVES[here]:
        await finish(database, call, Ending(there))
    else:
        with pytest.raises(Conflict):
            await finish(database, call, Ending(there))


async def test_a_call_that_outlived_its_time_counts_as_paid_until_it_comes_home(database: Database):
    call = await begin(database)
    async with database.transaction() as session:
        assert await give_up_lost_calls(session, at=NOON + LOST_AFTER) == 0
    async with database.transaction() as session:
        assert await give_up_lost_calls(session, at=NOON + LOST_AFTER * 2) == 1
    async with database.transaction() as session:
        [lost] = await calls_of(session, SUBJECT)
    assert (lost.state, lost.error_kind, lost.cost_cents) == (CallState.UNKNOWN, "lost", Decimal(3))

    await finish(database, call, Ending(CallState.OK, Decimal(1)))
    async with database.transaction() as session:
        assert await spent_cents(session, subject=SUBJECT) == 1


async def test_a_call_that_was_given_up_may_end_without_an_answer_once(database: Database):
    """Its job has failed and is tried again, and is not buried for what the ledger says."""
    call = await begin(database)
    async with database.transaction() as session:
        await give_up_lost_calls(session, at=NOON + LOST_AFTER * 2)
    await finish(database, call, Ending(CallState.UNKNOWN, error_kind="timeout"))
    async with database.transaction() as session:
        [late] = await calls_of(session, SUBJECT)
        assert await spent_cents(session, subject=SUBJECT) == 3
    assert (late.state, late.error_kind) == (CallState.UNKNOWN, "timeout")
    with pytest.raises(Conflict):
        await finish(database, call, Ending(CallState.UNKNOWN))


async def test_the_clock_asks_for_lost_calls_to_be_given_up(world: World):
    await begin(world.database, at=now() - LOST_AFTER * 2)
    [schedule] = [one for one in SCHEDULES if isinstance(one.job, GiveUpLostCalls)]
    assert isinstance(schedule.rhythm, timedelta)
    assert schedule.rhythm <= LOST_AFTER
    async with world.database.transaction() as session:
        await enqueue(session, schedule.job)
    await run_everything(world)
    async with world.database.transaction() as session:
        [lost] = await calls_of(session, SUBJECT)
    assert lost.state is CallState.UNKNOWN


async def test_the_row_is_there_while_the_call_is_under_way(llm: Llm, server: ModelServer):
    server.script = [Silence()]
    asking = asyncio.create_task(ask(llm))
    await server.called.wait()
    [row] = await ledger(llm)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert (row.state, row.cost_cents, row.finished_at) == (CallState.STARTED, None, None)


@pytest.mark.slow
async def test_a_worker_that_is_killed_in_a_call_leaves_its_row(
    database_url: str, database: Database, server: ModelServer
):
    server.script = [Silence()]
    worker = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.llm.worker",
        cwd=Path(__file__).parents[2],
        env={**os.environ, "WORKER_DATABASE": database_url, "WORKER_PROVIDER": f"{server.url}/v1"},
    )
    try:
        async with asyncio.timeout(60):
            await server.called.wait()
    finally:
        worker.send_signal(signal.SIGKILL)
        await worker.wait()

    async with database.transaction() as session:
        [row] = await calls_of(session, SUBJECT)
        assert await spent_cents(session, subject=SUBJECT) == row.reserved_cents > 0
    assert (row.state, row.model) == (CallState.STARTED, "gpt-5-mini")

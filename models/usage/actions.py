"""Writing the ledger: a call begins, ends, or is given up as lost."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from models.base.clock import now
from models.base.errors import Conflict
from models.base.states import sources
from models.usage.queries import spent_cents
from models.usage.rules import MOVES, Budget, CallState
from models.usage.tables import ModelCallRow

BUDGET_LOCK: Final = 0x6D6F64656C  # "model"
LOST_AFTER: Final = timedelta(minutes=15)
#: `error_kind` of a call whose process is not expected to say any more how it ended.
LOST: Final = "lost"


@dataclass(frozen=True, slots=True)
class Ending:
    """How a call ended. `cost_cents` of None means that the provider may have charged all that was reserved."""

    state: CallState
    cost_cents: Decimal | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    error_kind: str | None = None
    #: The accepted answer, if it is to be kept.
    answer: str | None = None


async def begin_call(
    session: AsyncSession,
    *,
    subject: str,
    kind: str,
    provider: str,
    model: str,
    request_sha256: str,
    reserved_cents: Decimal,
    budget: Budget,
    once: str | None = None,
    job_id: UUID | None = None,
    at: datetime | None = None,
) -> ModelCallRow:
    """Write down that a call is about to be made, or raise `BudgetSpent` if it might not fit.

    Commit before calling: the row is what remains if the process dies on the way. Days are UTC days.
    """
    at = at or now()
    # Two workers that both see the last cents must not both spend them; the lock ends with the transaction.
    await session.execute(select(func.pg_advisory_xact_lock(BUDGET_LOCK)))
    budget.admit(
        subject,
        next_call=reserved_cents,
        spent_on_subject=await spent_cents(session, subject=subject),
        spent_today=await spent_cents(session, since=at.replace(hour=0, minute=0, second=0, microsecond=0)),
    )
    earlier = select(func.count()).where(ModelCallRow.subject == subject, ModelCallRow.kind == kind)
    call = ModelCallRow(
        subject=subject,
        job_id=job_id,
        kind=kind,
        attempt=(await session.execute(earlier)).scalar_one() + 1,
        provider=provider,
        model=model,
        request_sha256=request_sha256,
        once=once,
        reserved_cents=reserved_cents,
        started_at=at,
    )
    session.add(call)
    await session.flush()
    return call


async def finish_call(
    session: AsyncSession, call_id: UUID, ending: Ending, *, at: datetime | None = None
) -> None:
    """Write down how the call ended. Raises `Conflict` if its end is already known.

    A call that was given up as lost, because it took so long, may still end; also without an answer, as its job is to be
    told.
    """
    is_open: ColumnElement[bool] = ModelCallRow.state.in_(sources(MOVES, ending.state))
    if ending.state is CallState.UNKNOWN:
        is_open |= (ModelCallRow.state == CallState.UNKNOWN) & (ModelCallRow.error_kind == LOST)
    done = await session.execute(
        update(ModelCallRow)
        .where(ModelCallRow.id == call_id, is_open)
        .values(
            state=ending.state,
            cost_cents=ModelCallRow.reserved_cents if ending.cost_cents is None else ending.cost_cents,
            input_tokens=ending.input_tokens,
            output_tokens=ending.output_tokens,
            error_kind=ending.error_kind,
            answer=ending.answer,
            finished_at=at or now(),
        )
        .returning(ModelCallRow.id)
    )
    if done.first() is None:
        raise Conflict(f"The call {call_id} has ended before.")


async def let_go(session: AsyncSession, subject: str, needs: Collection[str]) -> None:
    """Keep these answers no longer: what was made of them was not good enough, and is to be asked for anew."""
    await session.execute(
        update(ModelCallRow)
        .where(
            ModelCallRow.subject == subject, ModelCallRow.once.in_(needs), ModelCallRow.answer.is_not(None)
        )
        .values(answer=None)
    )


async def give_up_lost_calls(session: AsyncSession, *, at: datetime | None = None) -> int:
    """Mark calls whose process must have died as of unknown end, with their reservation as cost.

    Returns how many there were. To be run by the schedule; running it twice does no harm.
    """
    at = at or now()
    lost = await session.execute(
        update(ModelCallRow)
        .where(ModelCallRow.state == CallState.STARTED, ModelCallRow.started_at < at - LOST_AFTER)
        .values(
            state=CallState.UNKNOWN,
            cost_cents=ModelCallRow.reserved_cents,
            error_kind=LOST,
            finished_at=at,
        )
        .returning(ModelCallRow.id)
    )
    return len(lost.all())

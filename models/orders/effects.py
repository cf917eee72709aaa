"""The calls to language models that a job has made."""

from collections.abc import Mapping
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from models.jobs.effects import Effect, Effects, Known
from models.jobs.tables import JobRow
from models.orders.jobs import IntegrateBacklink, RepairLink, WriteArticle, WriteCommission
from models.usage.rules import CallState
from models.usage.tables import ModelCallRow

#: A call that failed has cost something if its answer was no good. Providers take no key, so one that broke off leaves
#: a question.
_KNOWN: Final[Mapping[CallState, Known]] = {
    CallState.STARTED: Known.UNSURE,
    CallState.UNKNOWN: Known.UNSURE,
    CallState.OK: Known.ONCE,
    CallState.FAILED: Known.NEVER,
}
#: Calls that are told of, the latest.
_SHOWN: Final = 50


async def _calls(session: AsyncSession, job: JobRow) -> list[Effect]:
    """Those of what the job is about, since it was asked for: one job at a time writes for it."""
    mine = [ModelCallRow.subject == job.subject, ModelCallRow.started_at >= job.created_at]
    if job.finished_at is not None:
        mine.append(ModelCallRow.started_at <= job.finished_at)
    query = select(ModelCallRow).where(*mine).order_by(ModelCallRow.started_at.desc()).limit(_SHOWN)
    return [
        Effect(
            one.subject,
            one.once or job.kind,
            f"{one.kind}, asked of {one.provider}:{one.model}",
            f"{one.subject}/{one.kind}/{one.attempt}",
            Known.ONCE if one.state is CallState.FAILED and one.cost_cents else _KNOWN[one.state],
            f"{one.cost_cents if one.cost_cents is not None else one.reserved_cents:.4f} cents, {one.state.value}.",
        )
        for one in await session.scalars(query)
    ]


EFFECTS: Final[Mapping[str, Effects]] = dict.fromkeys(
    (one.kind for one in (IntegrateBacklink, RepairLink, WriteArticle, WriteCommission)), _calls
)

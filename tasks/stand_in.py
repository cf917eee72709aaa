"""Running the jobs that tell of alerts without being a worker: one after the other, settled as a worker settles them."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import structlog
from taskiq import TaskiqResult

from models.jobs.jobs import TellOfAlert
from models.jobs.message import Job
from models.jobs.progress import Progress
from models.jobs.store import Claim, Fence, Store
from models.mail.jobs import SendLetter
from tasks.jobs import tell_of_alert
from tasks.mail import send_letter
from tasks.runs import Attempt, Runner, Work
from tasks.settling import Settler
from tasks.world import World

log = structlog.get_logger(__name__)

_RUNNERS: Final[Mapping[str, tuple[type[Job], Runner]]] = {
    TellOfAlert.kind: (TellOfAlert, tell_of_alert),
    SendLetter.kind: (SendLetter, send_letter),
}


async def carry_out(world: World, store: Store, claim: Callable[[], Awaitable[list[Claim]]]) -> int:
    """Run what `claim` makes the jobs of this store's worker until it finds no more. Returns how many there were."""
    kinds = {kind: message for kind, (message, _) in _RUNNERS.items()}
    settler = Settler(world, store.worker_id, kinds, lambda _: None)
    completing = asyncio.create_task(settler.complete_in_batches())
    count = 0
    try:
        while claims := await claim():
            log.warning("alarm.told_without_workers", jobs=[str(one.id) for one in claims])
            for one in claims:
                await _run(one, settler, world)
            count += len(claims)
    finally:
        settler.close()
        await completing
        await settler.store.close()
    return count


async def _run(claim: Claim, settler: Settler, world: World) -> None:
    message, runner = _RUNNERS[claim.kind]
    fence = Fence(claim.id, claim.attempt, settler.store.worker_id, claim.flow_id)
    attempt = Attempt(claim, fence, Progress(claim.id, claim.attempt, claim.max_attempts))
    work = Work(world, attempt)
    ended: dict[str, Any] = {"is_err": False, "return_value": None, "error": None}
    try:
        async with asyncio.timeout(message.timeout.total_seconds()):
            ended["return_value"] = await runner(work.message(message), work)
    except Exception as error:  # noqa: BLE001 - whatever it is, the job is settled with it
        ended |= {"is_err": True, "error": error}
    await settler.settle(attempt, TaskiqResult(execution_time=attempt.took().total_seconds(), **ended))

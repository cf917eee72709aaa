"""Running the jobs that tell of alerts without being a worker: a few at a time, settled as a worker settles them."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import structlog

from models.jobs.jobs import TellOfAlert
from models.jobs.message import Job
from models.jobs.progress import Progress
from models.jobs.store import Claim, Fence, Store
from models.mail.jobs import SendLetter
from models.notices.jobs import DeliverWebhook
from tasks.jobs import tell_of_alert
from tasks.mail import send_letter
from tasks.notices import deliver_webhook
from tasks.runs import Attempt, Runner, Work
from tasks.settling import Settler
from tasks.world import World

log = structlog.get_logger(__name__)

_RUNNERS: Final[Mapping[str, tuple[type[Job], Runner]]] = {
    TellOfAlert.kind: (TellOfAlert, tell_of_alert),
    SendLetter.kind: (SendLetter, send_letter),
    DeliverWebhook.kind: (DeliverWebhook, deliver_webhook),
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
            await asyncio.gather(*(_run(one, settler, world) for one in claims))
            count += len(claims)
    finally:
        settler.close()
        await completing
        await settler.store.close()
    return count


async def _run(claim: Claim, settler: Settler, world: World) -> None:
    name = str(claim.id)
    structlog.contextvars.bind_contextvars(
        correlation_id=claim.correlation_id or name, job_id=name, kind=claim.kind, attempt=claim.attempt
    )
    message, runner = _RUNNERS[claim.kind]
    fence = Fence(claim.id, claim.attempt, settler.store.worker_id, claim.flow_id)
    attempt = Attempt(claim, fence, Progress(claim.id, claim.attempt, claim.max_attempts))
    work = Work(world, attempt)
    returned, error = None, None
    try:
        async with asyncio.timeout(message.timeout.total_seconds()):
            returned = await runner(work.message(message), work)
    except Exception as raised:  # noqa: BLE001 - whatever it is, the job is settled with it
        error = raised
    await settler.settle(attempt, returned, error)

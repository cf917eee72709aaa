"""Telling of alerts where no worker would: that none lives, or that a queue is paused, is what they are about.

The dispatcher carries out the very jobs that wait, under the same fence and through the same gates as a worker does, so
nobody is told twice. Letters go first, for a webhook's receiver may let it wait.
"""

import asyncio
from datetime import timedelta
from typing import Final

import structlog

from models.base.away import DATABASE_ERRORS
from models.base.db import fetch, new_id
from models.jobs import gates
from models.jobs.jobs import TellOfAlert
from models.jobs.store import TAKE, Claim, Store, claims_of
from models.mail.jobs import SendLetter
from models.notices.jobs import DeliverWebhook
from tasks.heartbeat import Heartbeat
from tasks.world import World

log = structlog.get_logger(__name__)

LOOK_SECONDS: Final = 15.0
#: What waits to be told of, or to be sent, and is in a queue that is paused or that no living worker serves. Nobody else
#: would wake what a limit has parked; whom it goes to may have asked for silence.
_UNTOLD: Final = f"""
    select id from jobs
     where subject = any(array(
               select 'alert/' || id from job_alerts where resolved_at is null or resolved_at > now() - interval '1 day'
                union all
               select 'delivery/' || id from notices_deliveries
                where state = 'waiting' and event in ('alert.raised', 'alert.ended')))
       and kind in ('{TellOfAlert.kind}', '{SendLetter.kind}', '{DeliverWebhook.kind}') and state = 'waiting'
       and (blocked_by is null
            or blocked_by = 'limit/' || limit_key
               and not exists (select from job_gates g where g.name = blocked_by and g.closed_until > clock_timestamp()))
       and not exists (select from job_queues q where q.name = jobs.queue and q.closed_until > clock_timestamp())
       and (exists (select from job_queues q where q.name = jobs.queue and q.paused_at is not null)
            or not exists (select from job_workers w where jsonb_exists(w.queues, jobs.queue) and not w.is_draining
                              and w.beat_at > clock_timestamp() - {{lease}}::interval
                              and not exists (select from jobs late
                                                join job_alerts a on a.subject = 'jobs/' || late.id and a.resolved_at is null
                                               where late.worker_id = w.id and late.state = 'active')))
     order by kind = '{DeliverWebhook.kind}', blocked_by is not null, id limit 10
"""  # noqa: S608 - our own words
_LOOK: Final = _UNTOLD.format(lease="$1")
_CLAIM: Final = TAKE.format(which=_UNTOLD.format(lease="$2") + "for update of jobs skip locked")


async def raise_alarms(world: World) -> None:
    """Look every few seconds whether there is something to tell, until cancelled."""
    while True:
        try:
            await tell(world)
        except DATABASE_ERRORS as error:
            log.warning("alarm.interrupted", error=f"{type(error).__name__}: {error}")
        except Exception:
            # The next look may have more luck; nobody else would look.
            log.exception("alarm.fault")
        await asyncio.sleep(LOOK_SECONDS)


async def tell(world: World) -> int:
    """Do what tells of alerts and what nobody else would do. Returns how many jobs that were."""
    worker_id, lease = new_id(), timedelta(seconds=world.settings.jobs.lease_seconds)
    store = Store(world.settings.database.url, worker_id, "dispatcher tells")

    async def claim() -> list[Claim]:
        claims = claims_of(await store.fetch(_CLAIM, worker_id, lease))
        return (await gates.admit(store, claims)).claims if claims else []

    async with world.database.statement() as look:
        if not await fetch(look, _LOOK, lease):
            return 0
    try:
        # What runs jobs and writes letters takes memory that a dispatcher seldom needs.
        from tasks.stand_in import carry_out

        # Without a sign of life, a rescue would take back what is being sent.
        heartbeat = Heartbeat(world.settings, worker_id, {}, lambda: 1)
        await asyncio.to_thread(heartbeat.start)
        try:
            return await carry_out(world, store, claim)
        finally:
            await asyncio.to_thread(heartbeat.stop)
    finally:
        await store.close()

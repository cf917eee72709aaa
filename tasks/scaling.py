"""How many workers there are: decided by the acting dispatcher, made true by whoever starts workers here.

On AWS each decision is told to ECS. On one machine the local runner reads what stands in `job_scalings`. Elsewhere, as
on Kubernetes, somebody reads the metric `workers_wanted`. Nobody scales where SCALING_BACKEND is none.
"""

import asyncio
import os
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from models.base import metrics
from models.base.away import DATABASE_ERRORS
from models.base.clock import now
from models.base.settings import Settings
from models.base.settings.running import ScalingSettings
from models.jobs import fleet
from models.jobs.board import queues
from models.jobs.scaling import Decision, Load, Scaler, Service, Terms
from tasks.queues import QUEUES, services
from tasks.world import World

log = structlog.get_logger(__name__)

#: Seconds between two looks. A process starts in two seconds, a task on Fargate in about a minute.
PACE: Final[Mapping[str, float]] = {"ecs": 10, "local": 0.5, "metrics": 10}
#: Seconds until ECS is told again what it was told: others, such as a person, may have changed the number meanwhile.
AGAIN: Final = 300.0


async def scale(world: World) -> None:
    """Decide again and again until cancelled. While the database or ECS is away, what is so stays so."""
    backend = world.settings.scaling.scaling_backend
    if backend == "none":
        return
    fleet_of_aws = Ecs(world.settings.scaling) if backend == "ecs" else None
    scaling = Scaling(world.settings)
    while True:
        try:
            at = time.monotonic()
            async with world.database.transaction() as session:
                decisions = await scaling.look(session, at)
            if fleet_of_aws is not None:
                await asyncio.to_thread(fleet_of_aws.become, decisions, at)
        except DATABASE_ERRORS as error:
            log.warning("scaling.interrupted", error=f"{type(error).__name__}: {error}")
        except Exception:
            # Without scaling the product goes on with the workers that there are.
            log.exception("scaling.fault")
        await asyncio.sleep(PACE[backend])


class Scaling:
    """One scaler for each service of the backend."""

    def __init__(self, settings: Settings) -> None:
        self._lease = timedelta(seconds=settings.jobs.lease_seconds)
        self._hold = settings.scaling.scaling_hold_seconds
        self._services = services_of(settings.scaling.scaling_backend)
        self._scalers: dict[str, Scaler] = {}

    async def look(self, session: AsyncSession, at: float) -> list[Decision]:
        """Decide for every service, and write down what is new."""
        loads = {queue.name: fleet.load_of(queue, now()) for queue in await queues(session, self._lease)}
        living = await fleet.present(session, self._lease)
        decisions = []
        for service in self._services:
            present = living.count(frozenset(service.queues))
            before = await fleet.wanted(session, service.name)
            if service.name not in self._scalers:
                # Whoever acted before us knew more of the last minutes: what stands counts as wished now.
                stands = max(before or 0, present)
                self._scalers[service.name] = Scaler(service, hold=self._hold, wanted=stands, at=at)
            asked = {name: loads.get(name, Load()) for name in service.queues}
            decision = self._scalers[service.name].decide(asked, present, at)
            if decision.wanted != before:
                await fleet.decided(session, decision)
                log.info(
                    "workers.wanted",
                    service=service.name,
                    wanted=decision.wanted,
                    before=before,
                    why=decision.why,
                )
            metrics.WORKERS_WANTED.labels(service.name).set(decision.wanted)
            decisions.append(decision)
        return decisions


class Ecs:
    """The worker services of a cluster. Whatever ECS refuses is asked for again at the next look."""

    def __init__(self, settings: ScalingSettings) -> None:
        import boto3
        from botocore.config import Config

        self._cluster = settings.ecs_cluster
        self._ecs: Any = boto3.client(
            "ecs",
            region_name=settings.ecs_region,
            endpoint_url=settings.ecs_endpoint_url,
            config=Config(connect_timeout=3, read_timeout=10, retries={"total_max_attempts": 2}),
        )
        self._told: dict[str, tuple[int, float]] = {}

    def become(self, decisions: Sequence[Decision], at: float) -> None:
        """Let each service have the tasks that are wanted; now and then also those that seem to have them."""
        from botocore.exceptions import BotoCoreError, ClientError

        for one in decisions:
            wanted, since = self._told.get(one.service, (None, at))
            if wanted == one.wanted and at - since < AGAIN:
                continue
            try:
                self._ecs.update_service(cluster=self._cluster, service=one.service, desiredCount=one.wanted)
            except (BotoCoreError, ClientError) as error:
                log.warning("scaling.refused", service=one.service, wanted=one.wanted, error=str(error))
            else:
                self._told[one.service] = (one.wanted, at)


def services_of(backend: str) -> list[Service]:
    """The services of a backend, with what `tasks/queues.json` says of their queues."""
    found = []
    for name, names in services(backend).items():
        terms = {
            queue: Terms(QUEUES[queue]["slots"], timedelta(seconds=QUEUES[queue]["age_seconds"]))
            for queue in names
        }
        most = max(QUEUES[queue]["max"] for queue in names)
        if backend == "local":
            most = min(most, max(2, os.cpu_count() or 1))
        found.append(Service(name, terms, max(QUEUES[queue]["min"] for queue in names), most))
    return found

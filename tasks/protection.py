"""Asks ECS not to stop this task while it runs a job that may take longer than the grace after SIGTERM.

Shorter jobs need no protection: they end within the grace. What ECS's agent understands is described at
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-scale-in-protection-endpoint.html
"""

import asyncio
from typing import Final

import httpx2
import structlog

from models.base.settings import Settings
from models.jobs.message import kinds
from tasks.receiver import JobReceiver

log = structlog.get_logger(__name__)

#: For so long protection is asked for; again at half of it, while it is needed.
MINUTES: Final = 60
#: After a refusal. A job that is stopped meanwhile goes back without losing an attempt.
RETRY_SECONDS: Final = 30.0
PATIENCE_SECONDS: Final = 5.0


async def protect(receiver: JobReceiver, settings: Settings, *, pause: float = 1) -> None:
    """Hold protection while it is needed, until cancelled, with `pause` seconds between two looks.

    Nothing happens where there is no ECS_AGENT_URI.
    """
    agent = settings.scaling.ecs_agent_uri
    if agent is None:
        return
    grace = settings.jobs.drain_seconds
    long = {kind for kind, message in kinds().items() if message.timeout.total_seconds() > grace}
    clock = asyncio.get_running_loop().time
    is_held, renew_at, retry_at = False, 0.0, 0.0
    async with httpx2.AsyncClient(timeout=PATIENCE_SECONDS, trust_env=False) as client:
        while True:
            is_needed = any(attempt.claim.kind in long for attempt in receiver.running.values())
            if clock() >= retry_at and (is_needed != is_held or (is_held and clock() >= renew_at)):
                if await _ask(client, agent, is_needed=is_needed):
                    is_held, renew_at = is_needed, clock() + MINUTES * 30
                else:
                    retry_at = clock() + RETRY_SECONDS
            await asyncio.sleep(pause)


async def _ask(client: httpx2.AsyncClient, agent: str, *, is_needed: bool) -> bool:
    """Whether ECS has agreed to protect this task, or not to."""
    wish = (
        {"ProtectionEnabled": True, "ExpiresInMinutes": MINUTES}
        if is_needed
        else {"ProtectionEnabled": False}
    )
    try:
        answer = await client.put(f"{agent}/task-protection/v1/state", json=wish)
    except httpx2.HTTPError as error:
        log.warning("worker.protection_refused", is_needed=is_needed, error=type(error).__name__)
        return False
    # A refusal by ECS itself, as during a deployment that waits for us, may come as 200 with a `failure`.
    if not answer.is_success or '"protection"' not in answer.text:
        log.warning("worker.protection_refused", is_needed=is_needed, error=answer.text)
        return False
    return True

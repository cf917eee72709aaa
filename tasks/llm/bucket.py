"""Pacing: how often a provider may be asked. The workers share one bucket per provider."""

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Final, Protocol

from models.base.errors import Temporary

PATIENCE: Final = timedelta(seconds=5)


class Bucket(Protocol):
    """A bucket of tokens per key, refilled at a steady rate."""

    async def take(self, key: str, cost: int = 1) -> timedelta:
        """Take `cost` tokens and return zero; or take nothing and return how long until there are enough."""


class ProcessBucket:
    """A bucket for one process, by the generic cell rate algorithm (ITU-T I.371): one moment is all it keeps.

    `per_minute` tokens flow in, at most `burst` wait for use.
    """

    def __init__(self, *, per_minute: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval = 60 / per_minute
        self._burst = burst
        self._clock = clock
        self._full_at: dict[str, float] = {}

    async def take(self, key: str, cost: int = 1) -> timedelta:
        """See `Bucket.take`."""
        at = self._clock()
        full_at = max(self._full_at.get(key, at), at) + cost * self._interval
        wait = full_at - at - self._burst * self._interval
        if wait > 0:
            return timedelta(seconds=wait)
        self._full_at[key] = full_at
        return timedelta()


async def wait_for_turn(bucket: Bucket, key: str) -> None:
    """Wait until the bucket gives a token, up to `PATIENCE`; then raise `Temporary` with the time to come back."""
    waited = timedelta()
    while wait := await bucket.take(key):
        if waited + wait > PATIENCE:
            raise Temporary(f"Asking {key} is paced, and it is not our turn yet.", retry_after=wait)
        await asyncio.sleep(wait.total_seconds())
        waited += wait

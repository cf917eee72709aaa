"""Stock taskiq as its documentation shows it: what somebody would pick instead. Run by `taskiq worker`."""

import os
from typing import Any

from taskiq_redis import ListQueueBroker, RedisStreamBroker

from tests.benchmarks.record import record


def build(kind: str, url: str) -> tuple[Any, Any]:
    """A stock broker, `stream` or `list`, and the task that does nothing."""
    broker_class = {"stream": RedisStreamBroker, "list": ListQueueBroker}[kind]
    # redis-py 8 cuts blocking reads off after 5 s by default, which ends a stock list worker when it is idle.
    made = broker_class(url, queue_name="bench", socket_timeout=None)

    @made.task(task_name="noop")
    async def noop(asked_ns: int, padding: str) -> None:
        record(asked_ns)

    return made, noop


if "BENCH_STOCK" in os.environ:
    broker, noop = build(os.environ["BENCH_STOCK"], os.environ["REDIS_URL"])

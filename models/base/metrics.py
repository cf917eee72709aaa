"""What a process counts, for Prometheus to fetch from a private port: see `infra/observe` for what is made of it.

Every log event is counted by its name, so whatever is worth a line can be alerted on; only what needs a distribution
or a level has a metric of its own. Labels take few values: queues, kinds, routes, never ids.
"""

import sys
from typing import Final
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

from models.base.settings.running import CollectorSettings

REGISTRY: Final = CollectorRegistry()
#: From a job that does nothing to one of half an hour, in seconds.
_SPANS: Final = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 1800)

EVENTS = Counter(
    "events", "Lines written to the log, by the event's name.", ["event", "level"], registry=REGISTRY
)

HTTP_SECONDS = Histogram(
    "http_seconds",
    "How long answers took until their last byte; streams are left out.",
    ["method", "route", "status"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5),
    registry=REGISTRY,
)
SSE_STREAMS = Gauge("sse_streams", "Streams that are open in this process.", registry=REGISTRY)

JOBS_WAIT_SECONDS = Histogram(
    "jobs_wait_seconds",
    "From when a job was due until an attempt began.",
    ["queue"],
    buckets=_SPANS,
    registry=REGISTRY,
)
JOBS_RUN_SECONDS = Histogram(
    "jobs_run_seconds",
    "How long attempts took, by how they ended: completed, failed, dead, snoozed, cancelled, released, lost.",
    ["queue", "kind", "outcome"],
    buckets=_SPANS,
    registry=REGISTRY,
)

# The whole installation, told by the one dispatcher that acts: `tasks/gauges.py`.
JOBS_WAITING = Gauge(
    "jobs_waiting", "Jobs that could be claimed now, counted to 5,001.", ["queue"], registry=REGISTRY
)
JOBS_OLDEST_WAITING_SECONDS = Gauge(
    "jobs_oldest_waiting_seconds", "How long the first of them has been due.", ["queue"], registry=REGISTRY
)
JOBS_RUNNING = Gauge("jobs_running", "Jobs that workers hold.", ["queue"], registry=REGISTRY)
JOBS_SLOTS = Gauge("jobs_slots", "Jobs that living workers could hold.", ["queue"], registry=REGISTRY)
WORKERS_WANTED = Gauge(
    "workers_wanted",
    "How many workers there are to be, for whoever starts them.",
    ["service"],
    registry=REGISTRY,
)
JOBS_DEAD = Gauge("jobs_dead", "Jobs that were given up and wait for somebody to look.", registry=REGISTRY)
MAIL_UNSETTLED = Gauge(
    "mail_unsettled", "Letters of which nobody knows whether they were sent.", registry=REGISTRY
)
WEBHOOKS_UNHANDLED = Gauge(
    "webhooks_unhandled", "Events of Stripe that were written down and not handled yet.", registry=REGISTRY
)


def serve(settings: CollectorSettings) -> WSGIServer | None:
    """Answer Prometheus on this process's private port, if it has one; or one plain sentence and exit status 2."""
    if settings.metrics_port is None:
        return None
    try:
        return start_http_server(settings.metrics_port, addr=settings.metrics_host, registry=REGISTRY)[0]
    except OSError as error:
        sys.stderr.write(
            f"METRICS_PORT: {settings.metrics_host}:{settings.metrics_port} cannot be opened ({error.strerror})."
            " Each process on a machine needs one of its own.\n"
        )
        raise SystemExit(2) from None

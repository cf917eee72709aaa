"""Spans for OpenTelemetry and faults for Sentry, when somebody collects them; otherwise nothing is even imported.

One trace is what one correlation id runs through: the request, the jobs that it asked for, the letters of these. The
trace's id is made from it, so that no row has to carry a second one.
"""

import hashlib
import re
import sys
import time
from typing import TYPE_CHECKING, Any, Final

import structlog

from models.base.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

_TRACE_ID: Final = re.compile(r"[0-9a-f]{32}")
_tracer: "Tracer | None" = None


def trace_id(correlation_id: str) -> int:
    """The id of the trace: what a caller's `traceparent` (W3C Trace Context) named, or a digest of our own id."""
    if _TRACE_ID.fullmatch(correlation_id):
        return int(correlation_id, 16)
    return int.from_bytes(hashlib.sha256(correlation_id.encode()).digest()[:16])


def configure(settings: Settings, *, process: str) -> None:
    """Send spans and faults of this process where the settings say; or one plain sentence and exit status 2."""
    collectors = settings.collectors
    try:
        if collectors.otel_exporter_otlp_endpoint:
            _send_spans(collectors.otel_exporter_otlp_endpoint, process)
        if collectors.sentry_dsn:
            _send_faults(collectors.sentry_dsn.get_secret_value(), settings, process)
    except ImportError as error:
        sys.stderr.write(
            f"OTEL_EXPORTER_OTLP_ENDPOINT or SENTRY_DSN is set, but {error.name} is not installed. Install what"
            " requirements/image.lock names, or unset them.\n"
        )
        raise SystemExit(2) from None


def record(name: str, seconds: float, *, is_error: bool = False, **attributes: str | int) -> None:
    """A span that ends now and began so long ago, in the trace of the correlation id that is bound."""
    if _tracer is None:
        return
    from opentelemetry.trace import StatusCode

    end = time.time_ns()
    bound = structlog.contextvars.get_contextvars()
    told = {"correlation_id": bound["correlation_id"], **attributes}
    span = _tracer.start_span(name, attributes=told, start_time=end - int(seconds * 1e9))
    span.set_status(StatusCode.ERROR if is_error else StatusCode.OK)
    span.end(end)


def _send_spans(endpoint: str, process: str) -> None:
    global _tracer  # noqa: PLW0603 - one per process, as OpenTelemetry has it too
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

    class Ids(RandomIdGenerator):
        """Traces are named by what they follow."""

        def generate_trace_id(self) -> int:
            return trace_id(structlog.contextvars.get_contextvars()["correlation_id"])

    resource = Resource.create({"service.name": f"galley-{process}"})
    provider = TracerProvider(resource=resource, id_generator=Ids())
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{endpoint}/v1/traces")))
    _tracer = provider.get_tracer("galley")


def _send_faults(dsn: str, settings: Settings, process: str) -> None:
    import sentry_sdk

    def named(event: Any, _hint: Any) -> Any:
        bound = structlog.contextvars.get_contextvars()
        event["tags"] = {"process": process, "correlation_id": bound.get("correlation_id", "")}
        return event

    # Errors that are logged are what it is told. No values of variables, no request: tokens and addresses are in both.
    sentry_sdk.init(
        dsn,
        environment=settings.app.environment,
        release=settings.collectors.release,
        before_send=named,
        include_local_variables=False,
        max_request_body_size="never",
        send_default_pii=False,
        auto_enabling_integrations=False,
    )

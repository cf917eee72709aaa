"""Traces and faults arrive where the settings say, and carry nothing that is nobody's business."""

import gzip
import os
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from models.base.tracing import trace_id

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PROGRAM = """
import structlog
from models.base import tracing
from models.base.process import begin
begin("worker")
log = structlog.get_logger("models.orders")
structlog.contextvars.bind_contextvars(correlation_id="a-page-of-ours")
tracing.record("orders.write", 2.0, is_error=True, attempt=3)
def fail(token):
    raise RuntimeError("went wrong")
try:
    fail("swordfish")
except RuntimeError:
    log.exception("order.failed", token="swordfish")
"""


class Collector:
    """A server that takes whatever it is sent."""

    def __init__(self) -> None:
        self.bodies: dict[str, bytes] = {}
        bodies = self.bodies

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                is_small = self.headers.get("content-encoding") == "gzip"
                bodies[self.path] = gzip.decompress(body) if is_small else body
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self._server.server_port}"
        self._thread = Thread(target=self._server.serve_forever)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def collector() -> Iterator[Collector]:
    one = Collector()
    yield one
    one.stop()


def run(settings: object, **variables: str) -> subprocess.CompletedProcess[str]:
    """The program in a process of its own, with the settings of a test."""
    assert settings is not None
    return subprocess.run(
        [sys.executable, "-c", PROGRAM],
        check=False,
        cwd=ROOT,
        env=os.environ | variables,
        capture_output=True,
        text=True,
    )


def test_a_span_arrives_in_the_trace_of_its_correlation_id(settings: object, collector: Collector) -> None:
    done = run(settings, OTEL_EXPORTER_OTLP_ENDPOINT=f"http://{collector.host}")
    assert done.returncode == 0, done.stderr
    sent = ExportTraceServiceRequest.FromString(collector.bodies["/v1/traces"]).resource_spans[0]
    (span,) = sent.scope_spans[0].spans
    assert span.name == "orders.write"
    assert int.from_bytes(span.trace_id) == trace_id("a-page-of-ours")
    assert span.end_time_unix_nano - span.start_time_unix_nano == 2_000_000_000
    assert {one.key: one.value.string_value or one.value.int_value for one in span.attributes} == {
        "correlation_id": "a-page-of-ours",
        "attempt": 3,
    }
    assert {one.key: one.value.string_value for one in sent.resource.attributes}[
        "service.name"
    ] == "galley-worker"


def test_a_fault_arrives_with_its_correlation_id_and_without_secrets(
    settings: object, collector: Collector
) -> None:
    done = run(settings, SENTRY_DSN=f"http://key@{collector.host}/1")
    assert done.returncode == 0, done.stderr
    told = collector.bodies["/api/1/envelope/"].decode()
    assert "went wrong" in told
    assert "a-page-of-ours" in told
    assert "swordfish" not in told.replace('fail(\\"swordfish\\")', "")
    assert "swordfish" not in done.stdout.replace('fail("swordfish")', "")


def test_a_callers_trace_is_gone_on_with() -> None:
    assert trace_id("0af7651916cd43dd8448eb211c80319c") == 0x0AF7651916CD43DD8448EB211C80319C

"""Every process and every library logs in one shape, and no secret is ever in it."""

import subprocess
import sys
from pathlib import Path

import orjson
import pytest

ROOT = Path(__file__).parents[2]

PROGRAM = """
import logging, structlog
from models.base import logs
from tests.web.site import settings_for
logs.configure(settings_for("postgresql://x", "redis://x", log_format={format!r}, log_level="info"), process="worker")
log = structlog.get_logger("models.orders")
structlog.contextvars.bind_contextvars(correlation_id="trace-0123456789")
log.debug("order.unseen")
log.info("order.paid", order="1", token="swordfish", code="123456")
logging.getLogger("some.library").warning("it says %s", "this")
logging.getLogger("uvicorn.access").info("GET /secret?token=1")
def fail():
    password = "swordfish"
    raise RuntimeError("went wrong")
try:
    fail()
except RuntimeError:
    log.exception("order.failed")
from models.base.metrics import REGISTRY
for event in ("order.paid", "order.failed", "it says this"):
    print(REGISTRY.get_sample_value("events_total", {"event": event, "level": "info" if "paid" in event else "error"}))
"""


def said(log_format: str) -> str:
    program = PROGRAM.replace("{format!r}", repr(log_format))
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.mark.slow
def test_json_is_one_object_per_line_with_everything_to_find_it_by():
    ours, library, failed = [orjson.loads(line) for line in said("json").splitlines()[:3]]

    assert (ours["event"], ours["order"], ours["level"]) == ("order.paid", "1", "info")
    assert ours["logger"] == "models.orders"
    assert ours["at"].endswith("Z")
    assert (ours["token"], ours["code"]) == ("[withheld]", "[withheld]")
    assert (library["event"], library["logger"]) == ("it says this", "some.library")
    assert {line["process"] for line in (ours, library, failed)} == {"worker"}
    assert {line["correlation_id"] for line in (ours, library, failed)} == {"trace-0123456789"}
    assert failed["exception"][0]["exc_value"] == "went wrong"


@pytest.mark.slow
def test_every_line_of_ours_is_counted_by_its_name():
    assert said("json").splitlines()[3:] == ["1.0", "1.0", "None"]


@pytest.mark.slow
def test_no_secret_is_written_in_either_format():
    for log_format in ("json", "console"):
        words = said(log_format)
        assert "order.paid" in words
        assert "went wrong" in words
        assert "swordfish" not in words
        assert "123456" not in words.replace("trace-0123456789", "")
        assert "/secret" not in words

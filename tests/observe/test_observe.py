"""What is made of the metrics asks for what the processes really tell: the rules and the dashboard beside `/metrics`."""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import promql_parser
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from infra.local.embedded import free_port
from models.base import metrics
from models.base.clock import now
from models.base.settings_group import CollectorSettings
from models.jobs import enqueue
from models.orders.jobs import CheckTruths
from tasks.gauges import measure
from tasks.testing import run_everything
from tasks.world import World
from tests.web.site import lasting_site

ROOT = Path(__file__).parents[2]
RULES = yaml.safe_load((ROOT / "infra/observe/alerts.yml").read_text())["groups"][0]["rules"]
PANELS = json.loads((ROOT / "infra/observe/dashboard.json").read_text())["panels"]
QUERIES = [one["expr"] for one in RULES] + [one["expr"] for panel in PANELS for one in panel["targets"]]


def parts(query: Any) -> Iterator[Any]:
    """Every part of a parsed query."""
    yield query
    for name in ("lhs", "rhs", "expr", "param", "vector_selector", "args"):
        found = getattr(query, name, None)
        for one in found if isinstance(found, list) else [found]:
            if one is not None:
                yield from parts(one)


@pytest.fixture
def port() -> Iterator[int]:
    """Where this process answers Prometheus."""
    free = free_port()
    server = metrics.serve(CollectorSettings(metrics_port=free))
    assert server is not None
    yield free
    server.shutdown()
    server.server_close()


@pytest.fixture
async def told(world: World, port: int) -> dict[str, set[str]]:
    """The names of what a process tells after some work, each with its labels, fetched as Prometheus does."""
    metrics.EVENTS.labels(
        "web.answered", "info"
    ).inc()  # as a configured process does: tests/web/test_logs.py
    page = (await lasting_site(world.settings, world.database, world.redis)).browser()
    await page.open("/")
    async with world.database.transaction() as session:
        await enqueue(session, CheckTruths())
    await run_everything(world)
    async with world.database.transaction() as session:
        await enqueue(session, CheckTruths())
        await measure(session, timedelta(seconds=30), now())
    async with httpx2.AsyncClient() as client:
        text = (await client.get(f"http://127.0.0.1:{port}/metrics")).text
    return {
        sample.name: set(sample.labels)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_each_query_asks_for_what_is_told(told: dict[str, set[str]]) -> None:
    for query in QUERIES:
        selected: set[str] = set()
        for part in parts(promql_parser.parse(query)):
            if isinstance(part, promql_parser.VectorSelector):
                assert part.name in told, query
                selected |= told[part.name]
                assert {one.name for one in part.matchers.matchers} <= told[part.name], query
        grouped = {
            name for names in re.findall(r"by \(([^)]*)\)", query) for name in re.split(r",\s*", names)
        }
        assert grouped <= selected, query


def test_the_events_that_are_asked_for_are_written_by_the_product() -> None:
    source = "".join(
        one.read_text() for room in ("models", "tasks", "web") for one in (ROOT / room).rglob("*.py")
    )
    asked = " ".join(one["expr"] for one in RULES)
    for area, names in re.findall(r'event=~?"(\w+)\\*\.\(?([\w|]+)\)?"', asked):
        for name in names.split("|"):
            assert f'"{area}.{name}"' in source


def test_every_alert_has_its_part_in_the_runbooks() -> None:
    runbooks = (ROOT / "docs/runbooks.md").read_text()
    for rule in RULES:
        assert re.search(rf"^#+ `{rule['alert']}`$", runbooks, re.MULTILINE), rule["alert"]


def test_a_port_that_is_taken_is_said_in_one_sentence(port: int, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        metrics.serve(CollectorSettings(metrics_port=port))
    assert f"METRICS_PORT: 127.0.0.1:{port}" in capsys.readouterr().err

"""What is made of the metrics asks for what the processes really tell: the rules and the dashboard beside `/metrics`."""

import asyncio
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
from sqlalchemy import text

from infra.local.embedded import free_port
from models.base import metrics
from models.base.away import DATABASE_ERRORS
from models.base.clock import now
from models.base.settings.running import CollectorSettings
from models.jobs import enqueue
from models.orders.jobs import CheckTruths
from tasks.dispatcher import hold_and_act
from tasks.gauges import measure
from tasks.testing import run_everything
from tasks.world import World
from tests.web.site import lasting_site

ROOT = Path(__file__).parents[2]
RULES = yaml.safe_load((ROOT / "infra/observe/alerts.yml").read_text())["groups"][0]["rules"]
PANELS = json.loads((ROOT / "infra/observe/dashboard.json").read_text())["panels"]
CUT = """
select pg_terminate_backend(pid) from pg_stat_activity
 where application_name = 'dispatcher lock' and datname = current_database()
"""
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
        answered = (await client.get(f"http://127.0.0.1:{port}/metrics")).text
    return {
        sample.name: set(sample.labels)
        for family in text_string_to_metric_families(answered)
        for sample in family.samples
    }


async def test_each_query_asks_for_what_is_told(told: dict[str, set[str]]) -> None:
    scrape = yaml.safe_load((ROOT / "infra/observe/prometheus.yml").read_text())["scrape_configs"]
    # Prometheus' own word of whether a process answers, with the labels that it was given for it.
    told["up"] = {one["target_label"] for one in scrape[0]["relabel_configs"]}
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
    said = set(re.findall(r'log\.\w+\(\s*"([\w.]+)"', source))
    asked = [
        one.value
        for query in QUERIES
        for part in parts(promql_parser.parse(query))
        if isinstance(part, promql_parser.VectorSelector)
        for one in part.matchers.matchers
        if one.name == "event"
    ]
    assert len(asked) > 5
    for pattern in asked:
        found = {one for one in said if re.fullmatch(pattern, one)}
        assert len(found) == pattern.count("|") + 1, pattern


def test_every_alert_has_its_part_in_the_runbooks() -> None:
    runbooks = (ROOT / "docs/runbooks.md").read_text()
    for rule in RULES:
        assert re.search(rf"^#+ `{rule['alert']}`$", runbooks, re.MULTILINE), rule["alert"]


async def ended(world: World) -> None:
    with pytest.raises(DATABASE_ERRORS):
        await hold_and_act(world)


async def test_a_dispatcher_that_does_not_act_tells_nothing_of_the_whole(world: World) -> None:
    """Or Prometheus would believe its last word for as long as it lives, beside the one that acts."""

    def slots() -> int:
        return sum(len(one.samples) for one in metrics.JOBS_SLOTS.collect())

    metrics.JOBS_SLOTS.clear()
    async with world.database.transaction() as session:
        await enqueue(session, CheckTruths())
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        acting = tasks.create_task(ended(world))
        while not slots():
            await asyncio.sleep(0.01)
        metrics.WORKERS_WANTED.labels("worker").set(3)
        async with world.database.transaction() as session:
            await session.execute(text(CUT))
        await acting
    assert slots() == 0
    assert [one.samples for one in metrics.WORKERS_WANTED.collect()] == [[]]


def test_a_port_that_is_taken_is_said_in_one_sentence(port: int, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        metrics.serve(CollectorSettings(metrics_port=port))
    assert f"METRICS_PORT: 127.0.0.1:{port}" in capsys.readouterr().err

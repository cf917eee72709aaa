"""One release after the other: both at once, workers that are replaced, a schema that is taken back."""

import asyncio
from datetime import timedelta
from signal import SIGTERM
from typing import Any

from alembic import command

from models import migrations
from tests.orders.builders import make_article, make_draft, make_paid, make_people
from tests.reliability.messages import Later
from tests.reliability.stage import Stage

FIRST = "0001"
_SCHEMA = """
select table_name, array_agg(column_name::text) as columns
  from information_schema.columns where table_schema = 'public' group by table_name
"""


async def releases_together(stage: Stage) -> None:
    """A release and the one before it: kinds with former names, kinds not known yet, arguments not known any more."""
    old = stage.start("worker", without="newer_kinds")
    await stage.insert("reliability.former", stage.take(stage.size.jobs // 3))
    await stage.ask(stage.size.jobs // 3, kind=Later, seconds=0)
    # Asked for so long ago that no release of today can have written it.
    await stage.insert("reliability.do", [0], asked_ago=timedelta(hours=2), colour="red")
    await stage.until_none("state in ('waiting', 'active')")
    stage.send(old, SIGTERM)
    refused = await stage.fetch("select state, error from jobs where args ? 'colour'")
    assert [(row["state"], "colour" in row["error"]) for row in refused] == [("dead", True)]
    await stage.fetch("delete from jobs where args ? 'colour'")
    stage.answered.discard(0)
    # The half minute that a kind waits for a release which knows it.
    await stage.fetch("update jobs set run_at = now() where state = 'scheduled'")
    stage.start("worker")
    await stage.ask(stage.size.jobs // 3)
    await stage.until_done()


async def drained(stage: Stage) -> None:
    """Workers are replaced one by one under load, as a deployment does: nobody's attempt is lost."""
    stage.start("dispatcher")
    worker = stage.start("worker")
    for _ in range(3):
        await stage.ask(stage.size.jobs // 3, seconds=0.1)
        await stage.until_active(1)
        stage.send(worker, SIGTERM)
        assert await stage.ended(worker) == 0
        worker = stage.start("worker")
    await stage.until_done()


async def taken_back(stage: Stage) -> None:
    """The schema goes back to that of the first release and comes again: what that one knew is all there."""
    await stage.ask(stage.size.jobs // 2)
    await stage.ask(stage.size.jobs // 2, after=1)
    async with stage.transaction() as session:
        people, article = await make_people(session), await make_article(session)
        await make_paid(session, await make_draft(session, article, people.owner))
    schema, rows = await _schema(stage), await _rows(stage)
    configuration = migrations.configuration(stage.url)
    await asyncio.to_thread(command.downgrade, configuration, FIRST)
    known = await _schema(stage)
    await asyncio.to_thread(command.upgrade, configuration, "head")
    assert await _schema(stage) == schema
    again = await _rows(stage)
    for table in known.keys() - {"alembic_version"}:
        assert _told(again[table], known[table]) == _told(rows[table], known[table]), table
    stage.start("dispatcher")
    stage.start("worker")
    await stage.until_done()


async def _schema(stage: Stage) -> dict[str, set[str]]:
    """The columns of each table."""
    return {row["table_name"]: set(row["columns"]) for row in await stage.fetch(_SCHEMA)}


async def _rows(stage: Stage) -> dict[str, list[dict[str, Any]]]:
    """The rows of each table."""
    return {
        table: [dict(row) for row in await stage.fetch(f'select * from "{table}"')]
        for table in await _schema(stage)
    }


def _told(rows: list[dict[str, Any]], columns: set[str]) -> list[str]:
    """What these columns say, in one order."""
    return sorted(repr(sorted((name, row[name]) for name in columns & row.keys())) for row in rows)

"""Arguments that are nobody's business: sealed in the row, opened for the runner, and nowhere else."""

from typing import Any, ClassVar
from uuid import UUID

import pytest
from sqlalchemy import text

from models.base.db import Database
from models.jobs import Job, enqueue
from models.jobs.tables import JobRow
from tasks.runs import Work, runs
from tasks.testing import run_everything
from tasks.world import World

TOKEN = "tok_of_somebody_else"


class Visit(Job, frozen=True):
    kind: ClassVar[str] = "test.visit"
    queue: ClassVar[str] = "test"
    attempts: ClassVar[int] = 1
    secrets: ClassVar[tuple[str, ...]] = ("token",)
    url: str
    token: str


@runs(Visit)
async def visit(job: Visit, work: Work) -> dict[str, Any]:
    work.log(f"with {job.token}")
    if job.url == "bad":
        raise ConnectionError(f"refused {job.token}")
    return {"length": len(job.token)}


async def ask(world: World, url: str) -> UUID:
    async with world.database.transaction() as session:
        job = await enqueue(session, Visit(url=url, token=TOKEN), keys=world.keys)
    assert job is not None
    return job


async def everything(database: Database) -> str:
    """All that is written anywhere about jobs."""
    async with database.transaction() as session:
        rows = [
            (await session.execute(text(f"select {table}::text from {table}"))).scalars().all()
            for table in ("jobs", "job_attempts", "job_logs")
        ]
    return "\n".join(row for found in rows for row in found)


async def test_a_runner_gets_the_secret_and_the_row_shows_no_trace_of_it(world: World) -> None:
    job = await ask(world, "good")
    assert TOKEN not in await everything(world.database)
    await run_everything(world)
    async with world.database.transaction() as session:
        row = await session.get_one(JobRow, job)
    assert (row.args, row.result) == ({"url": "good"}, {"length": len(TOKEN)})
    assert TOKEN not in await everything(world.database)


async def test_an_error_that_quotes_the_secret_is_kept_without_it(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    await ask(world, "bad")
    await run_everything(world)
    written = await everything(world.database)
    assert "ConnectionError: refused •••" in written
    assert "with •••" in written
    assert TOKEN not in written + "".join(capsys.readouterr())


async def test_it_cannot_be_asked_for_or_stored_in_the_open(world: World) -> None:
    with pytest.raises(TypeError, match="keys"):
        async with world.database.transaction() as session:
            await enqueue(session, Visit(url="good", token=TOKEN))
    with pytest.raises(TypeError, match="in the open"):
        Visit(url="good", token=TOKEN).packed()

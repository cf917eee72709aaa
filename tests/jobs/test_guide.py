"""The code in docs/jobs.md works as it stands there."""

import ast
import inspect
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from models.accounts.tables import Person
from models.base.errors import Invalid
from models.jobs.states import JobState
from models.jobs.tables import JobRow, LogRow
from models.notices import jobs as notices_jobs
from models.notices.tables import Notice
from tasks.testing import run_everything
from tasks.world import World

GUIDE = Path(__file__).parents[2] / "docs" / "jobs.md"


async def test_the_code_of_the_guide_sends_a_postcard(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async with world.database.transaction() as session:
        eve = Person(email="eve@example.com")
        session.add(eve)
    names: dict[str, Any] = {
        "__name__": __name__,
        # What the guide's code takes for granted.
        "world": world,
        "database": world.database,
        "person_id": eve.id,
    }

    blocks = re.findall(r"```python\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)
    for block in blocks:
        done = eval(
            compile(block, GUIDE.name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True), names
        )
        if inspect.isawaitable(done):
            await done
        # Where the guide has the message put, for the blocks that import it from there.
        monkeypatch.setattr(notices_jobs, "SendPostcard", names["SendPostcard"], raising=False)

    await run_everything(world, hurry=True)
    async with world.database.transaction() as session:
        notice = (await session.scalars(select(Notice))).one()
        assert (notice.person_id, notice.body) == (eve.id, "Wish you were here, eve@example.com!")
        await session.delete(notice)
        jobs = (await session.scalars(select(JobRow))).all()
        assert {one.state for one in jobs} == {JobState.COMPLETED}
        bound = Counter(one.args["title"] for one in jobs if one.kind == "postcards.bind")
        assert set(bound.values()) == {1}
        assert {"The year", "All pages", "today", "the last draft", "a question"} < bound.keys()
        assert "a draft" not in bound
        (year,) = [one for one in jobs if one.args.get("title") == "The year"]
        assert year.result == {"title": "The year", "chapters": ["spring", "summer"]}
        assert list(await session.scalars(select(LogRow.line))) == ["Announced at the club with •••"]
    await names["test_a_postcard_is_sent"](world)
    assert isinstance(names["refusal"], Invalid)
    assert [one.name for one in names["SCHEDULES"]] == ["postcards.often", "postcards.weekly"]

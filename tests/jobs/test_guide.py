"""The code in docs/jobs.md works as it stands there."""

import ast
import inspect
import re
from collections import Counter
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from models.base.db import new_id
from models.jobs.states import JobState
from models.jobs.tables import JobRow, LogRow
from tasks.testing import run_everything
from tasks.world import World

GUIDE = Path(__file__).parents[2] / "docs" / "jobs.md"


class Base(DeclarativeBase):
    """Apart from the product's tables, which a test compares with the migrations."""


class Postcard(Base):
    __tablename__ = "postcards"
    order_id: Mapped[UUID] = mapped_column(primary_key=True)
    picture: Mapped[str]


async def draw(order_id: UUID) -> str:
    return f"a picture for {order_id}"


async def test_the_code_of_the_guide_sends_a_postcard(world: World) -> None:
    order_id = new_id()
    names: dict[str, Any] = {
        "__name__": __name__,
        # What the guide's code takes for granted.
        "Postcard": Postcard,
        "draw": draw,
        "world": world,
        "database": world.database,
        "order_id": order_id,
    }
    async with world.database.transaction() as session:
        await session.execute(
            text("create table postcards (order_id uuid primary key, picture text not null)")
        )

    blocks = re.findall(r"```python\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)
    for block in blocks:
        done = eval(
            compile(block, GUIDE.name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True), names
        )
        if inspect.isawaitable(done):
            await done

    await run_everything(world, hurry=True)
    async with world.database.transaction() as session:
        assert list(await session.scalars(select(Postcard.picture))) == [f"a picture for {order_id}"]
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
    assert [one.name for one in names["SCHEDULES"]] == ["postcards.often", "postcards.weekly"]

"""The program in docs/jobs-api.md works as it stands there, and the page names what there is."""

import asyncio
import os
import re
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from models.everything import DATA_SETS
from models.notices.rules import PATIENCE
from tasks.testing import working
from tests.jobs_api.programs import Bureau
from tests.web.site import serving
from web.jobs.types import OFFERS

GUIDE = (Path(__file__).parents[2] / "docs" / "jobs-api.md").read_text("utf-8")


@pytest.mark.slow
async def test_the_program_of_the_guide_makes_a_report(bureau: Bureau):
    (program,) = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    ada = await bureau.program("ada@example.com")
    secret = ada.client.headers["authorization"].removeprefix("Bearer ")
    given: dict[str, Any] = {"database": bureau.world.database, "redis": bureau.world.redis}
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        env = {"PATH": os.environ["PATH"], "GALLEY_URL": url, "GALLEY_TOKEN": secret}
        async with serving(bureau.world.settings, listening, **given), working(bureau.world):
            said, status = await _run(program, env)

    assert status == 0
    assert said.splitlines() == ["completed 0 rows", ",".join(DATA_SETS["my-orders"].columns)]


async def _run(program: str, env: dict[str, str]) -> tuple[str, int | None]:
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, env=env, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await asyncio.wait_for(running.communicate(), 30)
    return said.decode(), running.returncode


def test_the_guide_names_every_type_and_every_set_of_data():
    for name in (*OFFERS, *DATA_SETS):
        assert f"`{name}`" in GUIDE
    assert PATIENCE.days == 5

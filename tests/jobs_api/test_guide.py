"""The programs in docs/jobs-api.md work as they stand there, and the page names what there is."""

import asyncio
import os
import re
import socket
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from models.base.clock import now
from models.everything import DATA_SETS
from models.notices.events import EVENTS
from models.notices.rules import PATIENCE
from models.notices.signing import headers, new_secret
from tasks.testing import working
from tests.jobs_api.programs import Bureau
from tests.web.site import serving
from web.jobs.types import OFFERS

GUIDE = (Path(__file__).parents[2] / "docs" / "jobs-api.md").read_text("utf-8")
FOLLOWING, VERIFYING = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)


@pytest.mark.slow
async def test_the_program_of_the_guide_makes_a_report_however_often_it_runs(bureau: Bureau):
    ada = await bureau.program("ada@example.com")
    secret = ada.client.headers["authorization"].removeprefix("Bearer ")
    given: dict[str, Any] = {"database": bureau.world.database, "redis": bureau.world.redis}
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        env = {"PATH": os.environ["PATH"], "GALLEY_URL": url, "GALLEY_TOKEN": secret}
        async with serving(bureau.world.settings, listening, **given), working(bureau.world):
            runs = [await _run(FOLLOWING, env) for _ in range(2)]

    for said, status in runs:
        assert status == 0
        assert said.splitlines() == ["completed 0 rows", ",".join(DATA_SETS["my-orders"].columns)]


async def _run(program: str, env: dict[str, str]) -> tuple[str, int | None]:
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, env=env, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await asyncio.wait_for(running.communicate(), 30)
    return said.decode(), running.returncode


def test_the_receiver_of_the_guide_takes_what_we_sign_and_nothing_else():
    names: dict[str, Any] = {}
    exec(VERIFYING, names)
    verified, secret, body, at = names["verified"], new_secret(), b'{"type": "report.ready"}', now()
    signed = headers("an id", at, body, [new_secret(), secret])

    assert verified(signed, body, secret) == {"type": "report.ready"}
    for other in (
        (signed, body + b" ", secret),
        (signed, body, new_secret()),
        (signed | {"webhook-id": "another"}, body, secret),
        (headers("an id", at - timedelta(minutes=6), body, [secret]), body, secret),
    ):
        with pytest.raises(ValueError, match="This"):
            verified(*other)


def test_the_guide_names_every_type_every_set_of_data_and_every_event():
    for name in (*OFFERS, *DATA_SETS, *EVENTS):
        assert f"`{name}`" in GUIDE
    assert PATIENCE.days == 5

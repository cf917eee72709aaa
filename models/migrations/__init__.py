"""The history of the schema, and how to bring a database up to it.

`python -m models.migrations` migrates the database of DATABASE_URL to the newest revision.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING

# Alembic takes a second to load, and most who ask here only want the newest revision.
if TYPE_CHECKING:
    from alembic.config import Config

HERE = Path(__file__).parent
_REVISION = re.compile(r"^(down_revision|revision)\b[^=]*= *\"(.+)\"", re.MULTILINE)


def newest_revision() -> str:
    """The revision that no other builds on: the schema that this code was written for. Read from the files."""
    found: dict[str, set[str]] = {"revision": set(), "down_revision": set()}
    for file in (HERE / "versions").glob("*.py"):
        for kind, revision in _REVISION.findall(file.read_text()):
            found[kind].add(revision)
    (newest,) = found["revision"] - found["down_revision"]
    return newest


def configuration(url: str | None = None) -> "Config":
    """Alembic's configuration, without an ini file. `url` defaults to DATABASE_URL."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(HERE))
    config.set_main_option("path_separator", "os")
    config.attributes["url"] = url
    return config


def migrate(url: str | None = None) -> None:
    """Bring the database to the newest revision; a second process waits for the first and finds nothing to do."""
    from alembic import command

    command.upgrade(configuration(url), "head")

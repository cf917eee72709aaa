"""The history of the schema, and how to bring a database up to it.

`python -m models.migrations` migrates the database of DATABASE_URL to the newest revision.
"""

from pathlib import Path

from alembic import command
from alembic.config import Config

HERE = Path(__file__).parent


def configuration(url: str | None = None) -> Config:
    """Alembic's configuration, without an ini file. `url` defaults to DATABASE_URL."""
    config = Config()
    config.set_main_option("script_location", str(HERE))
    config.set_main_option("path_separator", "os")
    config.attributes["url"] = url
    return config


def migrate(url: str | None = None) -> None:
    """Bring the database to the newest revision; a second process waits for the first and finds nothing to do."""
    command.upgrade(configuration(url), "head")

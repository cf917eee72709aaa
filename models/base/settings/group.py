"""What every group of settings is made of."""

from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict


def words(value: object) -> object:
    """The parts of a comma-separated variable."""
    return (
        tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value
    )


def _bare(url: str) -> str:
    return url.rstrip("/")


def _lines(value: str) -> str:
    return value.replace("\\n", "\n")


Url = Annotated[str, Field(pattern=r"^https?://[^\s/]+"), AfterValidator(_bare)]
#: Several lines in one variable, told apart by a written \n.
Lines = Annotated[str, AfterValidator(_lines)]


class Group(BaseSettings):
    """A group of variables with a common prefix. An empty variable counts as not set."""

    model_config = SettingsConfigDict(env_ignore_empty=True, frozen=True, extra="ignore")


def prefix_of(group: type[BaseSettings]) -> str:
    """What stands in front of the group's field names in the environment."""
    return str(group.model_config.get("env_prefix") or "")

"""`.env.example`, made of the settings themselves."""

from types import UnionType
from typing import Any, Literal, get_args, get_origin

from pydantic import SecretStr
from pydantic_settings import BaseSettings

from models.base.settings import Settings
from models.base.settings.group import prefix_of


def _default(value: Any) -> str:
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return "" if value is None else str(value)


def _kind(annotation: Any) -> str:
    if get_origin(annotation) is Literal:
        return " | ".join(map(str, get_args(annotation)))
    return _kind(get_args(annotation)[0]) if get_origin(annotation) is UnionType else ""


def example() -> str:
    """The text of `.env.example`: every variable, its default, and what it is for."""
    lines = ["# Every setting of Galley. Written by `python -m models.base.settings`; a test compares.", ""]
    for info in Settings.model_fields.values():
        group = info.annotation
        assert isinstance(group, type)
        assert issubclass(group, BaseSettings)
        lines.append(f"# ---- {group.__doc__}")
        for name, field in group.model_fields.items():
            choices = _kind(field.annotation)
            lines.append(f"# {field.description}" + (f" ({choices})" if choices else ""))
            lines.append(f"{prefix_of(group)}{name}".upper() + f"={_default(field.default)}")
        lines.append("")
    return "\n".join(lines)

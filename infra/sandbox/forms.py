"""Form-encoded parameters with brackets, as Stripe takes them, read by declared shapes.

A shape reads one value and names the parameter in its refusal the way Stripe does
(`line_items[0][price_data][currency]`). The shapes of all calls stand in `calls.py`, where the contract test
compares them with the parameter classes of the pinned library.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlsplit

from infra.sandbox.errors import invalid

Raw = str | dict[str, "Raw"]
_KEY = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
_MAX_INTEGER = 99_999_999


class Shape(Protocol):
    def read(self, value: Raw, param: str) -> Any: ...


def nested(pairs: Iterable[tuple[str, str]]) -> dict[str, Raw]:
    """`[("a[0][b]", "1")]` becomes `{"a": {"0": {"b": "1"}}}`; `a[]` takes the next number."""
    tree: dict[str, Raw] = {}
    for key, value in pairs:
        match = _KEY.fullmatch(key)
        if match is None:
            raise invalid(f"Invalid parameter name: {key}", param=key)
        path = [match[1], *re.findall(r"\[([^\[\]]*)\]", match[2])]
        branch = tree
        for index, part in enumerate(path):
            name = part or str(len(branch))
            if index == len(path) - 1:
                branch[name] = value
                break
            below = branch.setdefault(name, {})
            if isinstance(below, str):
                raise invalid(f"Invalid object: {key}", param=key)
            branch = below
    return tree


@dataclass(frozen=True, slots=True)
class Text:
    maximum: int = 5000
    minimum: int = 1

    def read(self, value: Raw, param: str) -> str:
        if not isinstance(value, str):
            raise invalid(f"Invalid string: {param}", param=param)
        if len(value) < self.minimum:
            raise invalid(
                f"You passed an empty string for '{param}'. We assume empty values are an attempt to unset a "
                f"parameter; however '{param}' cannot be unset.",
                param=param,
                code="parameter_invalid_empty",
            )
        if len(value) > self.maximum:
            raise invalid(f"Invalid string: {param} must be at most {self.maximum} characters", param=param)
        if "\0" in value:
            raise invalid(f"Invalid string: {param} holds a NUL character", param=param)
        return value


@dataclass(frozen=True, slots=True)
class Email:
    def read(self, value: Raw, param: str) -> str:
        text = Text(maximum=512).read(value, param)
        if not is_email(text):
            raise invalid(f"Invalid email address: {text}", param=param, code="email_invalid")
        return text


@dataclass(frozen=True, slots=True)
class Url:
    """An absolute http(s) address in ASCII: it ends in headers."""

    def read(self, value: Raw, param: str) -> str:
        text = Text().read(value, param)
        try:
            parts = urlsplit(text)
            is_good = parts.scheme in {"http", "https"} and parts.port != 0
        except ValueError:
            is_good = False
        if not (
            is_good and re.fullmatch(r"[!-~]+", text) and re.fullmatch(r"[\w.:-]+", parts.hostname or "")
        ):
            raise invalid("Not a valid URL", param=param, code="url_invalid")
        return text


@dataclass(frozen=True, slots=True)
class Number:
    minimum: int = 0
    maximum: int = _MAX_INTEGER

    def read(self, value: Raw, param: str) -> int:
        if not isinstance(value, str) or not re.fullmatch(r"-?[0-9]{1,15}", value):
            raise invalid(f"Invalid integer: {value}", param=param, code="parameter_invalid_integer")
        number = int(value)
        if number < self.minimum:
            raise invalid(
                f"This value must be greater than or equal to {self.minimum}.",
                param=param,
                code="parameter_invalid_integer",
            )
        if number > self.maximum:
            raise invalid(
                f"This value must be less than or equal to {self.maximum}.",
                param=param,
                code="parameter_invalid_integer",
            )
        return number


@dataclass(frozen=True, slots=True)
class Flag:
    only: bool | None = None
    """The one value that the sandbox can honour, when it does not imitate the other."""

    def read(self, value: Raw, param: str) -> bool:
        if value not in ("true", "false"):
            raise invalid(f"Invalid boolean: {value}", param=param)
        flag = value == "true"
        if self.only is not None and flag is not self.only:
            raise invalid(f"{param}={value} is not implemented by the sandbox.", param=param)
        return flag


@dataclass(frozen=True, slots=True)
class Choice:
    values: tuple[str, ...]

    def read(self, value: Raw, param: str) -> str:
        if not isinstance(value, str) or value not in self.values:
            raise invalid(
                f"Invalid {param}: the sandbox takes {', '.join(self.values)}; not {value!r}.", param=param
            )
        return value


@dataclass(frozen=True, slots=True)
class Metadata:
    """At most 50 keys of 40 characters with values of 500 (docs.stripe.com/api/metadata)."""

    def read(self, value: Raw, param: str) -> dict[str, str]:
        if value == "":
            return {}
        if isinstance(value, str) or any(not isinstance(text, str) for text in value.values()):
            raise invalid("Metadata must be a flat hash of strings.", param=param)
        entries = {key: str(text) for key, text in value.items() if text != ""}
        if len(entries) > 50:  # noqa: PLR2004  the limits stand in the docstring, with their source
            raise invalid("Metadata can have up to 50 keys.", param=param)
        for key, text in entries.items():
            if len(key) > 40 or len(text) > 500:  # noqa: PLR2004  as above
                raise invalid(
                    "Metadata keys can have up to 40 characters and values up to 500.",
                    param=f"{param}[{key}]",
                )
            Text().read(text, f"{param}[{key}]")
        return entries


@dataclass(frozen=True, slots=True)
class Items:
    of: Shape
    maximum: int = 100

    def read(self, value: Raw, param: str) -> list[Any]:
        if isinstance(value, str) or any(not key.isdigit() for key in value):
            raise invalid(f"Invalid array: {param}", param=param)
        if len(value) > self.maximum:
            raise invalid(f"Array {param} exceeded maximum {self.maximum} allowed elements.", param=param)
        ordered = sorted(value.items(), key=lambda item: int(item[0]))
        return [self.of.read(item, f"{param}[{index}]") for index, item in ordered]


@dataclass(frozen=True, slots=True)
class Record:
    fields: Mapping[str, Shape]
    required: frozenset[str] = field(default_factory=frozenset)

    def read(self, value: Raw, param: str) -> dict[str, Any]:
        if isinstance(value, str):
            raise invalid(f"Invalid object: {param}", param=param)
        names = {name: f"{param}[{name}]" if param else name for name in (*value, *self.required)}
        for name in value:
            if name not in self.fields:
                raise invalid(
                    f"Received unknown parameter: {names[name]}", param=names[name], code="parameter_unknown"
                )
        for name in sorted(self.required):
            if name not in value:
                raise invalid(
                    f"Missing required param: {names[name]}.", param=names[name], code="parameter_missing"
                )
        return {name: self.fields[name].read(raw, names[name]) for name, raw in value.items()}


@dataclass(frozen=True, slots=True)
class Created:
    """A filter by creation time: a Unix time, or bounds. Read as the inclusive pair `(first, last)`."""

    bounds = Record({name: Number(maximum=2**40) for name in ("gt", "gte", "lt", "lte")})

    def read(self, value: Raw, param: str) -> tuple[int, int]:
        if isinstance(value, str):
            at = Number(maximum=2**40).read(value, param)
            return at, at
        given = self.bounds.read(value, param)
        first = max(given.get("gte", 0), given.get("gt", -1) + 1)
        last = min(given.get("lte", 2**40), given.get("lt", 2**40 + 1) - 1)
        return first, last


def is_email(text: str) -> bool:
    return re.fullmatch(r"[^\s@<>,;\"]{1,64}@[^\s@<>,;\"]+\.[^\s@<>,;\".]{2,}", text) is not None

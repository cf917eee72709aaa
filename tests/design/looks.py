"""The design system by itself: its templates with the globals an app gives them, without the app."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2
from jinja2 import nodes

from web.shell.tags import TableTags

ROOT = Path(__file__).parents[2]
WEB = ROOT / "web"
STATIC = WEB / "static"
SHELL = WEB / "shell" / "templates" / "shell"

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; font-src 'none'"
)


@dataclass(frozen=True)
class Person:
    email: str = "ada@lovelace.example"
    role: str = "customer"
    unread: int = 2


@dataclass(frozen=True)
class Page:
    person: Person | None = Person()
    is_test_mode: bool = True
    notice: str = ""
    is_refusal: bool = False
    nav: list[tuple[str, str, bool]] = field(
        default_factory=lambda: [("Articles", "/articles", False), ("Your orders", "/orders", True)]
    )
    degraded: bool = False


@dataclass(frozen=True)
class Trouble:
    title: str = "Sorry, there is a problem with the service"
    happened: str = "The page could not be made. No money moved."
    todo: str = "Try again in a few minutes."
    reference: str | None = "01JD-7F3K"
    words: str = "Back to your orders"
    href: str = "/orders"


def environment(*more: Path) -> jinja2.Environment:
    env = jinja2.Environment(
        loader=jinja2.FileSystemLoader([SHELL.parent, *more]),
        extensions=[TableTags],
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.globals.update(asset=lambda path: f"/static/{path}", csrf_token=lambda: "a'token")
    return env


def templates_of_web() -> list[Path]:
    return sorted(WEB.glob("**/templates/**/*.html"))


def macros(path: Path) -> dict[str, nodes.Macro]:
    tree = environment().parse(path.read_text("utf-8"))
    return {macro.name: macro for macro in tree.find_all(nodes.Macro)}


def called(tree: nodes.Node) -> Iterator[str]:
    """The last name of everything called in a template: `forms.text(...)` is `text`."""
    for call in tree.find_all(nodes.Call):
        target: Any = call.node
        if isinstance(target, nodes.Getattr):
            yield target.attr
        elif isinstance(target, nodes.Name):
            yield target.name.removeprefix("_") if target.name in {"_icon", "_words"} else target.name

"""From a letter's files and facts to its subject, text and HTML."""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from textwrap import fill

import css_inline
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markdown_it import MarkdownIt
from markupsafe import Markup

from emails.money import money

# Control characters and bidirectional overrides: they let one fact rewrite how the others read.
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_SCHEME = re.compile(r"^https?://", re.IGNORECASE)
_HANGING = re.compile(r"> |[A-Z][a-z ]{2,7}: {1,5}")  # a quoted line, or a row of the fact table
_EMPTY_LINES = re.compile(r"\n{3,}")


def subject_of(kind: str, facts: Mapping[str, object]) -> str:
    """One line, whatever line breaks the facts may hold."""
    return " ".join(_rendered(kind, "subject.txt", facts).split())


def text_of(kind: str, context: Mapping[str, object]) -> str:
    """Lines of at most 76 characters, except where one word (a URL) is longer."""
    lines = (_wrapped(line) for line in _rendered(kind, "body.txt", context).splitlines())
    return _EMPTY_LINES.sub("\n\n", "\n".join(lines)).strip() + "\n"


def html_of(kind: str, context: Mapping[str, object]) -> str:
    """A whole page with its CSS on the elements; what only `<style>` can say (dark mode) stays there."""
    return _inliner().inline(_rendered(kind, "body.html", context))


def bare_url(url: str) -> str:
    """`https://example.com/a` as `example.com/a`: an address to read, not a link of ours to follow."""
    return _SCHEME.sub("", url)


def html_of_markdown(markdown: str) -> Markup:
    """CommonMark as HTML. HTML inside is text, pictures are left as they were typed, and a link that could run
    something is none.
    """
    return Markup(_markdown().render(markdown))  # noqa: S704 - the parser escapes whatever it does not make itself


def _rendered(kind: str, file: str, context: Mapping[str, object]) -> str:
    template = _environment().get_template(f"{kind.replace('.', '/')}/{file}")
    return template.render({name: _seen(value) for name, value in context.items()})


def _wrapped(line: str) -> str:
    if line == "-- ":  # the signature mark, which mail programs know by its blank
        return line
    hanging = _HANGING.match(line)
    indent = "" if hanging is None else "> " if line.startswith(">") else " " * hanging.end()
    return fill(line.rstrip(), 76, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _seen(value: object) -> object:
    return _UNSEEN.sub("", value.replace("\r\n", "\n")) if isinstance(value, str) else value


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=select_autoescape(enabled_extensions=("html",), default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"money": money, "bare_url": bare_url, "markdown": html_of_markdown}
    return environment


@cache
def _markdown() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False}).disable("image")


@cache
def _inliner() -> css_inline.CSSInliner:
    # By default it would fetch any <link> it meets: from the machine that sends our letters.
    return css_inline.CSSInliner(
        load_remote_stylesheets=False, keep_style_tags=True, remove_inlined_selectors=True
    )

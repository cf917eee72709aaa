import re
from pathlib import Path

import jinja2
import pytest

from tests.design.looks import (
    SHELL,
    WEB,
    Page,
    Person,
    Trouble,
    called,
    environment,
    macros,
    templates_of_web,
)
from web.shell import gallery

FORBIDDEN = {
    "an inline style": re.compile(r"\sstyle\s*=", re.IGNORECASE),
    "a style element": re.compile(r"<style\b", re.IGNORECASE),
    "an inline handler": re.compile(r"<[^>]*\s(?:on[a-z]+|hx-on[:a-z-]*)\s*=", re.IGNORECASE),
    "an inline script": re.compile(r"<script\b(?![^>]*\ssrc=)", re.IGNORECASE),
    "a script in an address": re.compile(r"[\"']\s*(?:javascript|js):", re.IGNORECASE),
    "a trigger filter": re.compile(r"hx-trigger=[\"'][^\"']*\["),
}
JINJA = re.compile(r"\{#.*?#\}|\{%.*?%\}", re.DOTALL)
ROOT_ID = re.compile(r"\A\s*<[a-z]+\b[^>]*?\sid=\"([a-z0-9-]+)\"")


def faults(source: str) -> list[str]:
    return [fault for fault, pattern in FORBIDDEN.items() if pattern.search(source)]


def root_id(source: str) -> str | None:
    found = ROOT_ID.match(JINJA.sub("", source))
    return found.group(1) if found else None


@pytest.mark.parametrize("path", templates_of_web(), ids=lambda path: str(path.relative_to(WEB)))
def test_a_template_holds_nothing_that_the_content_policy_blocks(path: Path):
    assert faults(path.read_text("utf-8")) == []


def test_what_the_content_policy_blocks_is_recognised():
    blocked = [
        '<p style="color: red">',
        "<style>p {}</style>",
        '<button onclick="go()">',
        '<a hx-on:click="go()">',
        "<script>go()</script>",
        '<a href="javascript:go()">',
        "<a hx-vals='js:{a: 1}'>",
        '<a hx-trigger="click[ctrlKey]">',
    ]
    assert [source for source in blocked if not faults(source)] == []


@pytest.mark.parametrize("path", templates_of_web(), ids=lambda path: str(path.relative_to(WEB)))
def test_a_template_parses(path: Path):
    environment().parse(path.read_text("utf-8"), filename=str(path))


@pytest.mark.parametrize("name", sorted(path.name for path in SHELL.glob("*.html")))
def test_a_template_of_the_shell_compiles(name: str):
    environment().get_template(f"shell/{name}")


def test_every_fragment_has_the_id_of_its_file():
    fragments = [path for path in templates_of_web() if path.name.startswith("_")]
    ids = {path: root_id(path.read_text("utf-8")) for path in fragments}
    assert {p.name: found for p, found in ids.items() if found != p.stem[1:].replace("_", "-")} == {}


def test_the_id_of_a_fragment_is_read_from_its_root():
    assert root_id('{# why #}\n{% import "a" as a %}\n<div class="x" id="order-status">') == "order-status"
    assert root_id('<p>Before</p><div id="order-status">') is None


def test_every_macro_is_shown_in_the_gallery():
    known = {name: macro for path in SHELL.glob("*.html") for name, macro in macros(path).items()}
    parser = environment()
    pages = [parser.parse((SHELL / name).read_text("utf-8")) for name in ("gallery.html", "page.html")]
    shown: set[str] = set()
    pending = {name for page in pages for name in called(page)}
    while pending:
        shown |= pending
        pending = {name for macro in pending & known.keys() for name in called(known[macro])} - shown
    assert sorted(known.keys() - shown) == []


@pytest.mark.parametrize(
    "page",
    [
        Page(),
        Page(person=None, nav=[], is_test_mode=False),
        Page(degraded=True, notice="Your choice is saved.", person=Person("editor@press.example", "editor")),
    ],
    ids=["customer", "anonymous", "editor-degraded"],
)
def test_the_gallery_and_the_error_page_render_for_everybody(page: Page):
    env = environment()
    shown = env.get_template("shell/gallery.html").render(page=page, **gallery.contents())
    failed = env.get_template("shell/error.html").render(page=page, error=Trouble())
    for html in (shown, failed):
        assert html.count("<h1") >= 1
        assert ("TEST MODE</strong> <span>" in html.split("</header>")[0]) is page.is_test_mode
        assert ("Live updates are paused" in html.split("</header>")[0]) is page.degraded
        assert ('href="/sign-in"' in html) is (page.person is None)
    assert "01JD-7F3K" in failed
    assert page.notice is None or page.notice in failed


def test_the_words_of_people_are_escaped():
    source = '{% import "shell/forms.html" as forms %}{{ forms.text("name", "Name", value, error=value, hint=value) }}'
    html = environment().from_string(source).render(value='"><script>alert(1)</script>')
    assert "<script>" not in html


def test_a_refused_field_is_named_to_a_screen_reader():
    source = '{% import "shell/forms.html" as forms %}{{ forms.text("name", "Name", hint="As printed", error="Enter it") }}'
    html = environment().from_string(source).render()
    assert 'aria-invalid="true"' in html
    assert 'aria-describedby="name-hint name-error"' in html
    assert 'id="name-hint"' in html
    assert 'id="name-error"' in html


@pytest.mark.parametrize(
    ("cents", "currency", "written"),
    [
        (12900, "eur", "€129.00"),
        (-5, "usd", "\N{MINUS SIGN}$0.05"),
        (123456789, "chf", "1,234,567.89 CHF"),
        (0, "gbp", "£0.00"),
    ],
)
def test_money_is_written_to_the_cent(cents: int, currency: str, written: str):
    source = '{% import "shell/values.html" as values %}{{ values.money(cents, currency) }}'
    html = environment().from_string(source).render(cents=cents, currency=currency)
    assert html == f'<span class="money">{written}</span>'


@pytest.mark.parametrize(
    ("source", "html"),
    [
        (
            '{% row %}{% cell "Price" %}{{ value }}{% endcell %}{% endrow %}',
            '<tr role="row"><td role="cell" class="cell-text" data-label="Price">1 &lt; 2</td></tr>',
        ),
        (
            '{% cell label, "numeric" %}2{% endcell %}',
            '<td role="cell" class="cell-numeric" data-label="&#34;Price&#34;">2</td>',
        ),
        ('{% row "order-%s" % value %}{% endrow %}', '<tr role="row" id="order-1 &lt; 2"></tr>'),
        (
            '{% for one in [1] %}{% cell "A" %}{% set value = one %}{{ value }}{% endcell %}{{ value }}{% endfor %}',
            '<td role="cell" class="cell-text" data-label="A">1</td>1 &lt; 2',
        ),
    ],
    ids=["a row of a cell", "a kind, and a label that is not ours", "a row with an id", "a name in a cell"],
)
def test_rows_and_cells_are_tags(source: str, html: str):
    assert environment().from_string(source).render(value="1 < 2", label='"Price"') == html


def test_a_cell_with_too_much_is_refused_with_its_line():
    with pytest.raises(jinja2.TemplateSyntaxError, match="cell does not take 3 values") as refused:
        environment().from_string('\n{% cell "Price", "numeric", "wide" %}{% endcell %}')
    assert refused.value.lineno == 2

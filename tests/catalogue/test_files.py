"""Articles as files: what goes out comes in again to the byte, and nothing half good comes in unasked."""

import io
import re
import zipfile
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.local.seed import DEMO
from infra.local.visitor import Browser, screen
from models.base.errors import Invalid
from models.orders.catalogue.files import ArticleFile, parsed, written
from models.orders.catalogue.rules import ArticleFacts, article_problems
from models.orders.states import ArticleStatus
from tests.orders.desk import Desk

IMPORT = "/admin/sites/second-pour/import"
DEMO_FILES = sorted(DEMO.glob("*/*.md"))

lines = st.text(min_size=1, max_size=60).map(lambda value: " ".join(value.split())).filter(bool)
facts = st.builds(
    ArticleFacts,
    title=lines,
    slug=st.from_regex(r"[a-z0-9]{1,8}(-[a-z0-9]{1,8}){0,2}", fullmatch=True),
    topic=lines,
    keyword=lines,
    author=lines,
    summary=lines,
    markdown=st.text(min_size=1),
).filter(lambda one: not article_problems(one))
moments = st.datetimes(min_value=datetime(2001, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds the zone
files = st.builds(
    ArticleFile,
    facts=facts,
    status=st.sampled_from([ArticleStatus.DRAFT, ArticleStatus.PUBLISHED]),
    price_cents=st.none() | st.integers(0, 999_999_999),
    published_at=st.none() | moments,
)


@pytest.mark.slow
@given(files)
def test_what_is_written_is_read_back_as_it_was(file: ArticleFile):
    assert parsed(written(file)) == file


@pytest.mark.parametrize("path", DEMO_FILES, ids=lambda path: path.stem)
def test_the_demo_is_written_as_it_was_read(path):
    text = path.read_bytes().decode()
    assert written(parsed(text)) == text


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("# Just Markdown\n", "file"),
        ("---\ntitle: A\n", "file"),
        ("---\ntitle: A\nan odd line\n---\n\nText.\n", "file"),
        ("---\ntitle: A\ncolour: red\n---\n\nText.\n", "colour"),
        ("---\ntitle: A\ntitle: B\n---\n\nText.\n", "title"),
        ("---\ntitle: A\n---\n\nText.\n", "slug"),
        ("---\nstatus: secret\n---\n\nText.\n", "status"),
        ("---\nprice_cents: 12.50\n---\n\nText.\n", "price_cents"),
        ("---\npublished: yesterday\n---\n\nText.\n", "published"),
        ("---\ntitle: A\n---\n", "markdown"),
        ("---\ntitle: A\n---\n\nA\x00B\n", "markdown"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_by_field(text: str, field: str):
    with pytest.raises(Invalid) as refused:
        parsed(text)
    assert field in refused.value.fields


async def upload(browser: Browser, *named: tuple[str, bytes], path: str = IMPORT, **fields: str):
    page = await browser.open(path)
    data = page.form("import-form").fields | fields
    answer = await browser.client.post(
        path,
        data=data,
        files=[("files", (name, content, "text/markdown")) for name, content in named],
        headers={"Origin": browser.origin, "Sec-Fetch-Site": "same-origin"},
        follow_redirects=True,
    )
    return screen(answer)


def demo(count: int = 3) -> list[tuple[str, bytes]]:
    return [(path.name, path.read_bytes()) for path in DEMO_FILES[:count]]


async def exported(browser: Browser, path: str) -> dict[str, bytes]:
    answer = await browser.client.get(path)
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


async def test_a_site_that_is_exported_and_imported_is_exported_as_the_same_bytes(desk: Desk):
    async with await desk.browser(desk.admin) as admin:
        done = await upload(admin, *demo(15))
        assert "15 articles are in" in done.text
        first = await exported(admin, "/admin/sites/second-pour/export")
        assert len(first) == 16
        form = (await admin.open("/admin/sites/new")).form("site-form")
        await admin.submit(
            form,
            name="Twin",
            slug="twin",
            domain="twin.example",
            niche="Coffee",
            tagline="The same.",
            about="The same.",
            disclosure="Some links were paid for.",
            price="3",
        )
        await upload(admin, *first.items(), path="/admin/sites/twin/import")
        assert await exported(admin, "/admin/sites/twin/export") == first
        rows = await admin.open("/admin/sites/twin/articles?q=coffee")
        one = await admin.open(
            next(href for href in rows.links.values() if re.search(r"/articles/[0-9a-f]{8}-", href))
        )
        alone = await admin.client.get(one.link("Export"))
        assert alone.content in first.values()
        assert "attachment" in alone.headers["content-disposition"]


async def test_nothing_is_saved_before_all_files_are_good_unless_that_is_asked_for(desk: Desk):
    bad = ("bad.md", b"---\ntitle: Only a title\n---\n\nText.\n")
    async with await desk.browser(desk.admin) as admin:
        refused = await upload(admin, *demo(2), bad, ("odd.md", b"\xff\xfe"), ("all.zip", b"PK"), demo(1)[0])
        assert refused.status == 422
        assert "Nothing is saved" in refused.text
        assert "Save the file as UTF-8" in refused.text
        assert "its name ends in .md" in refused.text
        assert "is there already" in refused.text
        assert len(await exported(admin, "/admin/sites/second-pour/export")) == 1
        half = await upload(admin, *demo(2), bad, only_good="yes")
        assert half.status == 200
        assert "2 articles are in, 1 file is not" in half.text
        assert len(await exported(admin, "/admin/sites/second-pour/export")) == 3
        none = await upload(admin)
        assert 'id="files-error"' in none.html


async def test_an_editor_cannot_bring_another_price_in(desk: Desk):
    path = next(one for one in DEMO_FILES if b"price_cents" in one.read_bytes())
    async with await desk.browser(desk.shop.people.editor) as ed:
        refused = await upload(ed, (path.name, path.read_bytes()))
        assert "only admins set prices" in refused.text


async def test_an_upload_without_our_token_is_refused(desk: Desk):
    async with await desk.browser(desk.admin) as admin:
        answer = await admin.client.post(
            IMPORT, data={"_csrf_token": "x"}, files=[("files", ("a.md", b"x", "text/markdown"))]
        )
        assert answer.status_code == 403

"""Files come from memory, once per version."""

import gzip

import pytest

from infra.local.visitor import Browser
from tests.web.site import Site
from web.static_files import FOLDER, Assets


async def test_a_file_may_be_kept_for_ever_under_the_address_of_its_content(probed: Site, browser: Browser):
    url = probed.app.state.assets.url("app.css")
    answer = await browser.client.get(url)

    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-type"].startswith("text/css")
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.content == (FOLDER / "app.css").read_bytes()


async def test_who_has_it_is_not_sent_it_again(probed: Site, browser: Browser):
    url = probed.app.state.assets.url("app.css")
    etag = (await browser.client.get(url)).headers["etag"]
    again = await browser.client.get(url, headers={"If-None-Match": etag})

    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == etag


async def test_without_gzip_it_is_sent_as_it_is(probed: Site, browser: Browser):
    answer = await browser.client.get(
        probed.app.state.assets.url("app.js"), headers={"Accept-Encoding": "identity"}
    )

    assert "content-encoding" not in answer.headers
    assert answer.content == (FOLDER / "app.js").read_bytes()


async def test_the_address_of_an_older_version_is_answered_but_not_kept(browser: Browser):
    answer = await browser.client.get("/static/000000000000/app.css")

    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-cache")


async def test_head_tells_of_a_file_without_sending_it(probed: Site, browser: Browser):
    answer = await browser.client.head(probed.app.state.assets.url("app.css"))

    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["content-length"]) == len(
        gzip.compress((FOLDER / "app.css").read_bytes(), 9, mtime=0)
    )


@pytest.mark.parametrize("path", ["nothing.css", "../app.py", "..%2fapp.py", "%2fetc%2fpasswd", "vendor"])
async def test_what_is_not_among_the_files_is_not_there(browser: Browser, path: str):
    assert (await browser.client.get(f"/static/000000000000/{path}")).status_code == 404


async def test_the_icon_is_where_browsers_look_for_it(browser: Browser):
    answer = await browser.client.get("/favicon.ico")

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/x-icon"


def test_a_template_cannot_name_a_file_that_is_not_there():
    with pytest.raises(KeyError):
        Assets().url("missing.css")

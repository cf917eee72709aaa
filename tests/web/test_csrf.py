"""What another site sends in a visitor's name is refused, whatever it has got hold of."""

import pytest
import structlog

from infra.local.visitor import Browser
from tests.web.probes import notes
from tests.web.site import Site
from web.csrf import FIELD

NOTE = {"words": "hello", "number": "1"}


async def written(site: Site) -> list[str]:
    async with site.database.transaction() as session:
        return await notes(session)


async def test_our_own_form_is_taken(probed: Site, browser: Browser):
    screen = await browser.open("/notes")
    answer = await browser.submit(screen.form("note"), words="hello", follow=False)

    assert answer.status == 303
    assert await written(probed) == ["hello"]


async def test_the_token_may_come_as_a_header(probed: Site, browser: Browser):
    token = (await browser.open("/notes")).form("note").fields[FIELD]
    answer = await browser.client.post("/notes", data=NOTE, headers={"X-CSRF-Token": token})

    assert answer.status_code == 303


async def test_a_form_without_a_token_is_refused(probed: Site, browser: Browser):
    await browser.open("/notes")
    with structlog.testing.capture_logs() as lines:
        answer = await browser.send("/notes", "post", NOTE)

    assert answer.status == 403
    assert "This page was no longer up to date" in answer.text
    assert ("web.form_refused", "/notes") in {(line["event"], line.get("route")) for line in lines}
    assert await written(probed) == []


async def test_the_token_of_another_browser_is_refused(probed: Site, browser: Browser):
    await browser.open("/notes")
    async with probed.browser() as other:
        token = (await other.open("/notes")).form("note").fields[FIELD]

    assert (await browser.send("/notes", "post", {**NOTE, FIELD: token})).status == 403
    assert await written(probed) == []


async def test_a_token_from_before_signing_in_is_refused_afterwards(probed: Site, browser: Browser):
    form = (await browser.open("/notes")).form("note")
    await probed.sign_in(browser, "ada@example.com")

    typed = form.filled({"words": "hello <b>there"})
    for referer, back in {
        "": "/",
        "https://evil.example/notes": "/",
        "https://galley.test//notes?page=2": "/notes?page=2",
    }.items():
        refused = await browser.send("/notes", "post", typed, headers={"Referer": referer})
        assert refused.status == 403
        assert "Nothing was changed" in refused.text
        assert refused.link("Load the page again") == back
        assert "hello &lt;b&gt;there</textarea>" in refused.html
        assert "Sign in" not in refused.links

    fresh = (await browser.open("/notes")).form("note")
    assert (await browser.submit(fresh, words="hello")).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://galley.test"},
        {"Origin": "https://galley.test.evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
async def test_another_origin_is_refused_even_with_the_token(
    probed: Site, browser: Browser, headers: dict[str, str]
):
    token = (await browser.open("/notes")).form("note").fields[FIELD]
    answer = await browser.send("/notes", "post", {**NOTE, FIELD: token}, headers=headers)

    assert answer.status == 403
    assert "https://galley.test" in answer.text
    assert await written(probed) == []


async def test_a_browser_without_our_cookie_is_told_so(probed: Site, browser: Browser):
    token = (await browser.open("/notes")).form("note").fields[FIELD]
    browser.client.cookies.clear()
    answer = await browser.send("/notes", "post", {**NOTE, FIELD: token})

    assert answer.status == 403
    assert "Allow cookies" in answer.text


async def test_other_unsafe_methods_are_checked_too(probed: Site, browser: Browser):
    answer = await browser.client.post("/notes", json=NOTE, headers={"Accept": "text/html"})

    assert answer.status_code == 403

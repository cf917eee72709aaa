"""Pages say what was done, lead on, and show errors in the shape that the asker can use."""

import asyncio

import pytest

from infra.local.embedded import EmbeddedRedis
from infra.local.visitor import Browser
from models.base.db import Database
from tests.web.conftest import with_probe_templates
from tests.web.probes import PROBES
from tests.web.site import Site, settings_for, site
from web.pages import redirect


async def test_a_form_that_is_right_leads_on_and_says_once_that_it_was_done(probed: Site, browser: Browser):
    form = (await browser.open("/notes")).form("note")
    done = await browser.submit(form, words="hello", follow=False)
    first = await browser.open("/notes")
    second = await browser.open("/notes")

    assert done.response.headers["location"] == "/notes/list"
    assert "Your note is saved." in first.text
    assert "Your note is saved." not in second.text


async def test_a_form_that_is_wrong_is_shown_again_with_everything_in_it(browser: Browser):
    form = (await browser.open("/notes")).form("note")
    again = await browser.submit(form, words="x" * 50, number="many")

    assert again.status == 422
    assert "Shorten this to 40 characters; it has 50" in again.text
    assert "Enter a whole number, like 12." in again.text
    assert again.form("note").fields["words"] == "x" * 50


async def test_htmx_is_led_on_by_a_header_it_understands(browser: Browser):
    screen = await browser.open("/notes")
    fields = screen.form("note").filled({"words": "hello"})
    answer = await browser.client.post("/notes", data=fields, headers={"HX-Request": "true"})

    assert (answer.status_code, answer.headers["hx-redirect"], answer.text) == (200, "/notes/list", "")


async def test_words_that_we_did_not_write_are_not_said(browser: Browser):
    await browser.open("/notes")
    browser.client.cookies.set("__Host-galley_notice", "c2VuZCBtb25leSB0byBtZSBub3cgb3IgZWxzZQ")

    answer = await browser.open("/notes")
    assert answer.status == 200
    assert "money to me" not in answer.text


@pytest.mark.parametrize(
    "path", ["https://evil.example", "//evil.example", "/\\evil.example", "/\t/evil.example", "evil"]
)
def test_nobody_is_led_away(path: str):
    with pytest.raises(ValueError, match="not a path of ours"):
        redirect(path)


@pytest.mark.parametrize(
    ("kind", "status", "words"),
    [
        ("missing", 404, "No such note."),
        ("conflict", 409, "It is published already."),
        ("forbidden", 403, "Only its author may."),
        ("invalid", 422, "Enter an e-mail address"),
    ],
)
async def test_each_refusal_is_a_page_a_fragment_and_a_problem(
    browser: Browser, kind: str, status: int, words: str
):
    page = await browser.open(f"/refused/{kind}")
    part = await browser.client.get(f"/refused/{kind}", headers={"HX-Request": "true"})
    problem = await browser.client.get(f"/api/refused/{kind}")

    assert {page.status, part.status_code, problem.status_code} == {status}
    assert words in page.text
    assert page.heading
    assert words in part.text
    assert "<html" not in part.text
    assert problem.headers["content-type"] == "application/problem+json"
    assert problem.json()["status"] == status
    assert words in str(problem.json())
    assert problem.json()["reference"] == problem.headers["x-request-id"]


async def test_a_fault_tells_its_reference_and_nothing_else(browser: Browser):
    answer = await browser.send("/notes/then-fail", "post", {})

    assert answer.status == 500
    assert answer.heading == "Sorry, there is a problem with the service"
    assert answer.response.headers["x-request-id"] in answer.text
    assert "swordfish" not in answer.html
    assert "Traceback" not in answer.html


async def test_without_its_database_the_site_says_so(redis_server: EmbeddedRedis):
    settings = settings_for("postgresql://nobody@127.0.0.1:1/none", redis_server.url)
    async with site(settings, PROBES) as one, with_probe_templates(one).browser() as visitor:
        down = await visitor.open("/notes/list")
        up = await visitor.open("/notes")

    assert (down.status, down.heading) == (503, "We will be back in a moment")
    assert down.response.headers["retry-after"] == "30"
    assert up.status == 200


async def test_a_pool_without_a_free_connection_is_no_fault_either(
    probed_database: Database, database_url: str, redis_server: EmbeddedRedis
):
    settings = settings_for(database_url, redis_server.url)
    narrow = Database(database_url, pool_size=1)
    narrow.engine.sync_engine.pool._timeout = 0.1  # type: ignore[attr-defined]
    async with (
        site(settings, PROBES, database=narrow) as one,
        one.browser() as visitor,
        narrow.transaction() as session,
    ):
        await session.connection()
        answer = await visitor.open("/notes/list")
    await narrow.close()

    assert answer.status == 503


async def test_pages_say_when_they_cannot_change_by_themselves(database: Database, database_url: str):
    settings = settings_for(database_url, "redis://127.0.0.1:1/0")
    async with (
        site(settings, PROBES, database=database) as one,
        with_probe_templates(one).browser() as visitor,
    ):
        while not one.app.state.hub.is_degraded:
            await asyncio.sleep(0.01)
        answer = await visitor.open("/notes")

    assert answer.status == 200
    assert "Live updates are paused" in answer.text

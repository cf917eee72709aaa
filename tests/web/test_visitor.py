"""Who asks is known by cookies that nobody else can set, read or send, and by as few look-ups as it takes."""

from datetime import timedelta

import pytest
import structlog
from sqlalchemy import text

from infra.local.embedded import EmbeddedRedis
from infra.local.visitor import Browser
from models.accounts import sessions
from models.accounts.states import Role
from models.base.clock import now
from models.base.db import Database
from tests.web.probes import PROBES
from tests.web.site import Site, settings_for, site
from web.visitor import network_of


async def test_the_first_page_names_the_browser_and_the_next_one_does_not_again(browser: Browser):
    first = await browser.open("/notes")
    second = await browser.open("/notes")

    cookie = first.response.headers["set-cookie"]
    assert cookie.startswith("__Host-galley_browser=")
    assert {"HttpOnly", "Secure", "Path=/", "SameSite=lax"} <= set(cookie.split("; "))
    assert "Domain" not in cookie
    assert "set-cookie" not in second.response.headers


async def test_on_plain_localhost_cookies_have_no_prefix(
    database: Database, database_url: str, redis_server: EmbeddedRedis
):
    settings = settings_for(database_url, redis_server.url, public_url="http://localhost:8000")
    async with site(settings) as one, one.browser() as visitor:
        cookie = (await visitor.open("/dev/gallery")).response.headers["set-cookie"]

    assert cookie.startswith("galley_browser=")
    assert "Secure" not in cookie


async def test_files_and_machines_are_given_no_cookies(browser: Browser):
    answers = [await browser.open(path) for path in ("/favicon.ico", "/health/live", "/api/refused/conflict")]

    assert not any("set-cookie" in answer.response.headers for answer in answers)


async def test_a_cookie_that_we_did_not_make_is_not_kept(probed: Site, browser: Browser):
    browser.client.cookies.set("__Host-galley_browser", "attacker")

    assert "set-cookie" in (await browser.open("/notes")).response.headers


async def test_a_session_shows_who_it_is(probed: Site, browser: Browser):
    await probed.sign_in(browser, "ada@example.com", Role.EDITOR)
    answer = await browser.open("/members")

    assert answer.response.json() == {"email": "ada@example.com", "role": "editor"}
    assert (await browser.open("/notes")).response.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("token", ["x", "x" * 43, "x" * 5000])
async def test_an_unknown_session_is_nobody(probed: Site, browser: Browser, token: str):
    browser.client.cookies.set("__Host-galley_session", token)

    assert (await browser.open("/who")).response.json()["signed_in"] is False
    assert (await browser.open("/members", follow=False)).status == 303


async def test_a_revoked_session_is_nobody(probed: Site, browser: Browser):
    session_id = await probed.sign_in(browser, "ada@example.com")
    async with probed.database.transaction() as session:
        person = await session.scalar(text("select person_id from accounts_sessions"))
        await sessions.revoke(session, session_id, person_id=person, at=now())

    assert (await browser.open("/who")).response.json()["signed_in"] is False


async def test_strangers_are_sent_to_sign_in_and_can_be_led_back(probed: Site, browser: Browser):
    sent = await browser.open("/members?sort=name", follow=False)

    assert (sent.status, sent.response.headers["location"]) == (303, "/sign-in")
    assert (await browser.open("/wanted")).response.text == "/members?sort=name"


async def test_where_to_be_led_back_cannot_be_forged(probed: Site, browser: Browser):
    await browser.open("/notes")
    await browser.open("/members", follow=False)
    assert (await browser.open("/wanted")).response.text == "/members"

    name = "__Host-galley_wanted"
    value = browser.client.cookies[name]
    browser.client.cookies.clear()
    async with probed.browser() as other:
        await other.open("/notes")
        other.client.cookies.set(name, value)
        assert (await other.open("/wanted")).response.text == "nowhere"


async def test_machines_are_told_to_sign_in_and_not_sent_anywhere(browser: Browser):
    json = await browser.client.get("/members", headers={"Accept": "application/json"})
    stream = await browser.client.get("/members", headers={"Accept": "text/event-stream"})

    assert (json.status_code, stream.status_code) == (401, 401)
    assert json.headers["content-type"] == "application/problem+json"


async def test_htmx_is_told_to_open_the_sign_in_page(browser: Browser):
    answer = await browser.client.get("/members", headers={"HX-Request": "true"})

    assert answer.headers["hx-redirect"] == "/sign-in"


@pytest.mark.parametrize(
    ("role", "editors", "admins"),
    [(Role.CUSTOMER, 404, 404), (Role.EDITOR, 200, 404), (Role.ADMIN, 200, 200)],
)
async def test_doors_that_are_not_for_everybody_look_like_walls(
    probed: Site, browser: Browser, role: Role, editors: int, admins: int
):
    await probed.sign_in(browser, "grace@example.com", role)

    with structlog.testing.capture_logs() as lines:
        assert (await browser.open("/editors")).status == editors
        assert (await browser.open("/admins")).status == admins
    refused = [line["wanted"] for line in lines if line["event"] == "web.role_refused"]
    assert refused == ["editor"] * (editors == 404) + ["admin"] * (admins == 404)


async def test_what_cannot_be_undone_wants_a_fresh_sign_in(probed: Site, browser: Browser):
    await probed.sign_in(browser, "grace@example.com", Role.ADMIN)
    async with probed.database.transaction() as session:
        await session.execute(
            text("update accounts_sessions set authenticated_at = :at"), {"at": now() - timedelta(minutes=11)}
        )
    answer = await browser.open("/admins", follow=False)

    assert (answer.status, answer.response.headers["location"]) == (303, "/sign-in?again=yes")
    assert (await browser.open("/editors")).status == 200


@pytest.mark.parametrize(
    ("proxies", "believed"),
    [
        (0, {"203.0.113.9": "127.0.0.1"}),
        (
            1,
            {
                "203.0.113.9": "203.0.113.9",
                "6.6.6.6, 203.0.113.9": "203.0.113.9",
                "<script>": "127.0.0.1",
                "": "127.0.0.1",
            },
        ),
        (2, {"6.6.6.6, 203.0.113.9, 10.0.0.1": "203.0.113.9", "203.0.113.9": "127.0.0.1"}),
    ],
)
async def test_only_our_own_proxies_are_believed(
    database: Database, database_url: str, redis_server: EmbeddedRedis, proxies: int, believed: dict[str, str]
):
    settings = settings_for(database_url, redis_server.url, trusted_proxies=proxies)
    async with site(settings, PROBES, database=database) as one, one.browser() as visitor:
        found = {
            forwarded: (await visitor.client.get("/who", headers={"X-Forwarded-For": forwarded})).json()["ip"]
            for forwarded in believed
        }

    assert found == believed


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("", "unknown"),
    ],
)
def test_limits_count_by_network(address: str, network: str):
    assert network_of(address) == network

"""What a person reads is committed, and what failed left nothing behind."""

from typing import Any

import pytest
from sqlalchemy import text
from starlette.types import Message

from infra.local.visitor import Browser
from tests.web.probes import notes
from tests.web.site import Site


async def test_the_commit_comes_before_the_answer(probed: Site):
    seen_by_others: list[list[str]] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            async with probed.database.transaction() as session:
                seen_by_others.append(await notes(session))

    async with probed.database.transaction() as session:
        await session.execute(text("insert into probe_notes values (99, 'parent', null)"))
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/notes/orphan",
        "raw_path": b"/notes/orphan",
        "query_string": b"",
        "headers": [(b"host", b"galley.test")],
        "client": ("127.0.0.1", 1),
        "scheme": "https",
        "server": ("galley.test", 443),
    }
    await probed.app(scope, receive, send)  # type: ignore[arg-type]

    assert seen_by_others == [["orphan", "parent"]]


async def test_a_commit_that_fails_is_an_error_and_not_a_success(probed: Site, browser: Browser):
    answer = await browser.send("/notes/orphan", "post", {})

    assert answer.status == 500
    async with probed.database.transaction() as session:
        assert await notes(session) == []


@pytest.mark.parametrize("path", ["/notes/then-fail", "/notes/broken-template"])
async def test_a_handler_or_a_page_that_fails_leaves_nothing_behind(
    probed: Site, browser: Browser, path: str
):
    answer = await browser.send(path, "post", {})

    assert answer.status == 500
    async with probed.database.transaction() as session:
        assert await notes(session) == []


async def test_a_page_that_asks_for_nothing_takes_no_connection(probed: Site, browser: Browser):
    checked_out: list[int] = []
    pool: Any = probed.database.engine.sync_engine.pool

    from sqlalchemy import event

    event.listen(pool, "checkout", lambda *_: checked_out.append(1))

    await browser.open("/notes")
    await browser.open("/members")
    assert checked_out == []

    await browser.open("/notes/list")
    assert checked_out == [1]


async def test_a_known_visitor_costs_one_connection_at_a_time(probed: Site, browser: Browser):
    await probed.sign_in(browser, "ada@example.com")
    pool: Any = probed.database.engine.sync_engine.pool

    await browser.open("/members")

    assert pool.checkedout() == 0

"""What the description of the JSON interface says of each operation is what comes: statuses, headers, kinds."""

from http import HTTPStatus
from typing import Any, Final

import pytest

from models.accounts.states import Role, Scope
from tests.jobs_api.programs import Bureau, described, fits
from web.openapi import Chapter, Operation
from web.reference import CHAPTERS

OPERATIONS: Final = [(chapter, one) for chapter in CHAPTERS for one in chapter.operations]
#: What comes of how things stand; the stories of jobs and of orders provoke it.
OF_STORIES: Final = frozenset({"200", "201", "409", "410"})
#: What only a browser would be told.
FOR_PEOPLE: Final = ("Go back", "page again", "first page", "browser", "Sign in")


@pytest.mark.parametrize(("chapter", "one"), OPERATIONS, ids=[one.name for _, one in OPERATIONS])
async def test_what_an_operation_answers_is_what_is_said_of_it(
    bureau: Bureau, chapter: Chapter, one: Operation
):
    path, seen = one.path.format(**chapter.ids), set()
    example = next(iter(one.sent.values()), None)

    async def ask(client: Any, method: str = one.method, **sent: Any) -> None:
        answer = await client.request(method, path, **sent)
        fits(answer, one.method, one.path)
        seen.add(str(answer.status_code))
        if answer.is_error:
            problem = answer.json()
            assert problem["title"] == HTTPStatus(answer.status_code).phrase
            assert not [words for words in FOR_PEOPLE if words in problem["detail"]]
        if answer.status_code == 405:
            assert one.method.upper() in answer.headers["allow"]

    whole = await bureau.program("whole@example.com", Role.ADMIN, tuple(Scope))
    await ask(whole.client, json=example)
    await ask(whole.client, "put")
    if one.query:
        await ask(whole.client, params={"cursor": "WzVd"})
    if one.body is not None:
        await ask(whole.client, json={})
        await ask(whole.client, json="x" * 70_000)
        await ask(whole.client, content="{}", headers={"Content-Type": "text/plain"})
        await ask(whole.client, content="{}")
    lacks = (Scope.JOBS_READ if one.scope is not Scope.JOBS_READ else Scope.JOBS_WRITE,)
    await ask((await bureau.program("poor@example.com", scopes=lacks)).client)
    hasty = await bureau.program("hasty@example.com", Role.ADMIN, tuple(Scope))
    await bureau.exhaust(hasty)
    await ask(hasty.client, json=example)
    async with bureau.site.browser() as browser:
        await ask(browser.client)
        await bureau.site.sign_in(browser, "customer@example.com")
        await ask(browser.client)
    assert set(described(one.method, one.path)) - seen <= OF_STORIES


async def test_a_stranger_who_sends_something_is_asked_for_a_token(bureau: Bureau):
    async with bureau.site.browser() as browser:
        answer = await browser.client.post("/api/jobs", json={})
    fits(answer, "post", "/api/jobs")
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert "Send a token in the header Authorization" in answer.json()["detail"]

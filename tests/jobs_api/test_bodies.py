"""Bodies that are no JSON object, or one that says nothing certain: each is refused in words."""

from typing import Any

from tests.jobs_api.programs import Bureau
from web.json_bodies import HALF

UNREADABLE = (
    (b'{"a":,}', "Send a JSON object in UTF-8: Expecting value: line 1 column 6 (char 5)."),
    (b'{"a": "\xff"}', "Send a JSON object in UTF-8."),
    (b'{"a": NaN}', "Send a JSON object in UTF-8."),
    (b'{"a": 1e400}', "Send a JSON object in UTF-8."),
    (b'{"a": ' + b"1" * 5_000 + b"}", "Send a JSON object in UTF-8."),
    (b"[" * 60_000, "Send a JSON object in UTF-8."),
    (b'{"type": "email", "type": "report"}', "Give each name once: 'type' stands twice in one object."),
    (rb'{"data": {"\ud800": 1, "\ud800": 2}}', r"Give each name once: '\ud800' stands twice in one object."),
    (rb'{"data": {"body": "\ud800"}}', HALF),
    (rb'{"\udc00\ud83d": 1}', HALF),
)


async def test_a_body_that_cannot_be_read_says_why(bureau: Bureau):
    ada = await bureau.program("ada@example.com")

    async def refused(body: bytes, status: int, **headers: str) -> Any:
        headers = {"Content-Type": "application/json", **headers}
        answer = await ada.client.post("/api/jobs", content=body, headers=headers)
        assert answer.status_code == status
        return answer.json()

    for body, words in UNREADABLE:
        assert (await refused(body, 422))["fields"] == {"body": words}
    assert "64 KiB" in (await refused(b" " * 70_000, 413))["detail"]
    assert "not compressed" in (await refused(b"{}", 415, **{"Content-Encoding": "gzip"}))["detail"]


async def test_both_halves_of_a_surrogate_pair_are_a_character(bureau: Bureau):
    ada = await bureau.program("ada@example.com")
    body = rb'{"type": "notification", "data": {"title": "\ud83d\ude80"}}'
    answer = await ada.client.post("/api/jobs", content=body, headers={"Content-Type": "application/json"})
    assert (await ada.get(f"/jobs/{answer.json()['id']}"))["data"]["title"] == "\U0001f680"

"""What is typed into the board's forms and cannot be: said at the field, and nothing is done."""

from typing import Any

import pytest

from models.accounts.states import Role
from models.base.errors import Invalid
from models.jobs.states import JobState
from models.orders.jobs import TendReviews
from tests.board.conftest import Board
from web.board.forms import Editing
from web.forms import read

JOBS = "/admin/queues/jobs"
UNKEPT = '{"to": "ada@example.com", "subject": "\\u0000", "body": "There"}'


async def test_a_character_that_no_text_may_have_is_refused_wherever_arguments_are_typed(board: Board):
    ad = await board.browser(Role.ADMIN)
    asking = (await ad.open(f"{JOBS}/new?kind=notices.email")).form("asking")
    dead = await board.job(JobState.DEAD, kind="notices.email", args={"to": "ada@example.com"})
    editing = (await ad.open(f"{JOBS}/{dead}/arguments")).form(f"{JOBS}/{dead}/arguments")
    for form in (asking, editing):
        refused = await ad.submit(form, args=UNKEPT)
        assert (refused.status, "Leave out the character U+0000." in refused.text) == (422, True)
    assert await board.written_down() == []


@pytest.mark.parametrize("typed", ['{"a": "\\u0000"}', '{"a": [{"\\\\\\u0000": 1}]}'])
def test_it_is_found_however_deep_it_stands(typed: str):
    with pytest.raises(Invalid):
        read(Editing, {"args": [typed]})


def test_the_letters_of_its_escape_are_letters_after_a_backslash():
    assert read(Editing, {"args": ['{"a": "\\\\u0000"}']}).args == {"a": "\\u0000"}


@pytest.mark.parametrize("name", ["new", "events"])
async def test_a_schedule_has_no_name_that_an_address_of_the_board_has(board: Board, name: str):
    ad = await board.browser(Role.ADMIN)
    form = (await ad.open("/admin/queues/schedules/new")).form("making")
    wish: dict[str, Any] = {
        "name": name,
        "kind": TendReviews.kind,
        "args": "{}",
        "cron": "0 6 * * *",
        "zone": "UTC",
    }
    refused = await ad.submit(form, **wish)
    assert (refused.status, f"The board has a page called {name}." in refused.text) == (422, True)
    assert await board.written_down() == []

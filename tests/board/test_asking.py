"""What is typed into the board's forms and cannot be: said at the field, and nothing is done."""

from typing import Any

import orjson
import pytest

from models.accounts.states import Role
from models.base.errors import Invalid
from models.jobs.dead import check_args
from models.jobs.states import JobState
from models.orders.jobs import TendReviews
from tests.board.conftest import Board
from web.board.forms import Editing, by_hand, example
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


def test_the_example_of_every_kind_names_what_it_takes_and_is_refused_for_values_only():
    for kind, message in by_hand().items():
        args = orjson.loads(example(message))
        refused: dict[str, str] = {}
        try:
            check_args(message, args)
        except Invalid as refusal:
            refused = refusal.fields
        # Empty words are for people to fill in.
        assert {args[name.removeprefix("args.")] for name in refused} <= {""}, (kind, refused)
        assert refused or message.read(args).args().keys() == args.keys()


async def test_the_form_for_a_report_begins_with_its_own_names_and_the_usual_format(board: Board):
    ad = await board.browser(Role.ADMIN)
    html = (await ad.open(f"{JOBS}/new?kind=exports.report")).html
    assert "&#34;dataSet&#34;: &#34;&#34;" in html
    assert "&#34;format&#34;: &#34;csv&#34;" in html


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

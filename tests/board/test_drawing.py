"""A flow as a picture: what stands in a box fits it."""

import re

from models.accounts.states import Role
from models.jobs.flows import Step, enqueue_flow
from models.orders.jobs import TendReviews
from tests.board.conftest import Board


async def test_a_long_name_ends_within_its_box_and_is_whole_for_who_listens(board: Board):
    name = "tell everybody who asked of it"
    steps = {"fetch": Step(TendReviews()), name: Step(TendReviews(), after=("fetch",))}
    async with board.database.transaction() as session:
        flow_id = await enqueue_flow(session, "letters", steps)
    ed = await board.browser(Role.EDITOR)
    screen = await ed.open(f"/admin/queues/flows/{flow_id}")
    drawn = re.findall(r"<text[^>]*>([^<]*)</text>", screen.html)
    # A box has room for 21 letters of this size.
    assert "tell everybody who a…" in drawn
    assert max(map(len, drawn)) <= 21
    assert f'aria-label="{name}: Waiting, after fetch"' in screen.html

"""The drawing of a letter's life, pair by pair, in the database."""

from datetime import timedelta
from itertools import product

import pytest
from sqlalchemy import update

from models.base.clock import now
from models.base.db import Database
from models.base.errors import Conflict
from models.base.states import move
from models.mail import actions
from models.mail.rules import FINAL, is_sent_again, is_stale
from models.mail.states import MOVES
from models.mail.states import LetterState as S
from models.mail.tables import EmailMessage
from tests.mail.conftest import letter_of


@pytest.mark.parametrize(("here", "there"), list(product(S, S)))
def test_every_pair_of_states_is_drawn_or_refused(here: S, there: S) -> None:
    if there in MOVES[here]:
        assert move(MOVES, here, there) is there
    else:
        with pytest.raises(Conflict):
            move(MOVES, here, there)


#: Every action, and from where it may lead where.
ACTIONS = {
    "begin_sending": {S.QUEUED: S.SENDING},
    "was_sent": {S.QUEUED: S.SENT, S.SENDING: S.SENT, S.UNKNOWN: S.SENT},
    "was_not_taken": {S.SENDING: S.QUEUED},
    "has_failed": {S.QUEUED: S.FAILED, S.SENDING: S.FAILED},
    "answer_lost": {S.SENDING: S.UNKNOWN},
    "drop_letters": {S.QUEUED: S.OBSOLETE},
}


@pytest.mark.parametrize("action", ACTIONS)
async def test_an_action_moves_a_letter_only_from_where_it_may(database: Database, action: str) -> None:
    for number, state in enumerate(S):
        async with database.transaction() as session:
            email_id = await actions.write_letter(
                session,
                "orders.refunded",
                "a@b.example",
                {},
                key=f"{action}:{number}",
                about=f"order/{number}",
            )
            assert email_id is not None
            await session.execute(
                update(EmailMessage)
                .where(EmailMessage.id == email_id)
                .values(state=state, sealed_facts=b"door")
            )
        async with database.transaction() as session:
            at = now()
            match action:
                case "begin_sending":
                    await actions.begin_sending(
                        session, email_id, subject="", sealed_mime=b"", way="smtp", at=at
                    )
                case "was_sent":
                    await actions.was_sent(session, email_id, "id", at)
                case "was_not_taken":
                    await actions.was_not_taken(session, email_id, "no")
                case "has_failed":
                    await actions.has_failed(session, email_id, "no")
                case "answer_lost":
                    await actions.answer_lost(session, email_id, "no", at)
                case _:
                    await actions.drop_letters(session, f"order/{number}", ["orders.refunded"])
        letter = await letter_of(database, email_id)
        expected = ACTIONS[action].get(state, state)
        assert letter.state is expected
        if expected is not state:
            assert (letter.sealed_facts is None) == (expected in FINAL)


def test_what_expires_is_never_sent_again_and_the_rest_once() -> None:
    later = now() + timedelta(minutes=5)
    assert [is_sent_again(lost, None) for lost in (1, 2, 3)] == [True, False, False]
    assert not any(is_sent_again(lost, later) for lost in (1, 2))
    assert is_stale(later, later)
    assert not is_stale(later, later - timedelta(seconds=1))
    assert not is_stale(None, later)

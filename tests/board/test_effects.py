"""What a job did to the outside world, as its page tells it."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import insert

from models.accounts.states import Role
from models.accounts.tables import Person
from models.base.clock import now
from models.base.db import new_id
from models.everything import EFFECTS
from models.exports.jobs import Report
from models.exports.tables import Export
from models.jobs.effects import Effect, Known
from models.jobs.states import JobState
from models.jobs.tables import JobRow
from models.mail.effects import effect_of
from models.mail.jobs import SendLetter
from models.mail.states import LetterState
from models.mail.tables import EmailMessage
from models.notices.jobs import DeliverWebhook
from models.notices.states import DeliveryState
from models.notices.tables import Delivery, Endpoint
from models.orders.jobs import CreateOrder, IntegrateBacklink
from models.payments.jobs import GiveRefund
from models.payments.states import CheckoutState, RefundState
from models.payments.tables import Checkout, Refund
from models.usage.rules import CallState
from models.usage.tables import ModelCallRow
from tests.board.conftest import Board


def _call(**values: Any) -> ModelCallRow:
    what = {"kind": "place_backlink", "provider": "anthropic", "model": "m", "request_sha256": "0"}
    return ModelCallRow(subject="order/7", reserved_cents=Decimal(9), **what, **values)


async def effects_of(board: Board, job_id: Any) -> list[Effect]:
    async with board.database.transaction() as session:
        job = await session.get_one(JobRow, job_id)
        return await EFFECTS[job.kind](session, job)


def _checkout(**values: Any) -> Checkout:
    paid: dict[str, Any] = {"subject": "draft/1", "email": "ada@example.com", "description": "A link"}
    paid |= {"amount_cents": 4900, "currency": "eur", "is_live": False, "expires_at": now(), "attempt": 1}
    paid |= {"when_paid": {}, "when_moved": {}, "return_path": "/", "cancel_path": "/"}
    return Checkout(**{"id": new_id()} | paid | values)


@pytest.mark.parametrize(
    ("state", "lost", "known"),
    [
        (LetterState.QUEUED, 0, Known.NOT_YET),
        (LetterState.SENDING, 0, Known.UNSURE),
        (LetterState.DELIVERED, 0, Known.ONCE),
        (LetterState.SENT, 1, Known.MAYBE_AGAIN),
        (LetterState.WITHHELD, 0, Known.NEVER),
    ],
)
async def test_a_letter_is_known_as_far_as_its_provider_told(
    board: Board, state: LetterState, lost: int, known: Known
):
    letter = {"id": new_id(), "kind": "orders.ready", "key": "ready:1:1", "to_address": "ada@example.com"}
    async with board.database.transaction() as session:
        session.add(EmailMessage(**letter, facts={}, about="order/1", state=state, lost=lost))
    job_id = await board.job(kind=SendLetter.kind, args={"email_id": str(letter["id"])})
    (effect,) = await effects_of(board, job_id)
    assert (effect.owner, effect.key, effect.known) == ("order/1", "ready:1:1", known)


async def test_money_that_was_asked_to_go_back_is_not_known_to_have_gone(board: Board):
    checkout, refund = new_id(), new_id()
    async with board.database.transaction() as session:
        session.add(_checkout(id=checkout))
        await session.flush()
        session.add(Refund(id=refund, checkout_id=checkout, kind="failed", amount_cents=4900, currency="eur"))
    job_id = await board.job(JobState.ACTIVE, kind=GiveRefund.kind, args={"refund_id": str(refund)})
    (effect,) = await effects_of(board, job_id)
    assert effect.known is Known.NOT_YET
    async with board.database.transaction() as session:
        (await session.get_one(JobRow, job_id)).attempt = 1
    assert (await effects_of(board, job_id))[0].known is Known.UNSURE
    async with board.database.transaction() as session:
        given = await session.get_one(Refund, refund)
        given.state, given.stripe_id = RefundState.SUCCEEDED, "re_1"
    (effect,) = await effects_of(board, job_id)
    assert (effect.known, effect.key) == (Known.ONCE, f"{refund}/1")
    assert "49.00 EUR" in effect.what


async def test_the_page_of_a_job_tells_what_it_did_outside_to_those_who_may_know(board: Board):
    subject = f"order/{new_id()}"
    job_id = await board.job(JobState.ACTIVE, kind=IntegrateBacklink.kind, subject=subject, attempt=1)
    at = now()
    asked = {"kind": "place_backlink", "provider": "anthropic", "model": "m", "request_sha256": "0"}
    calls = [
        (1, CallState.OK, Decimal(3), at),
        (2, CallState.UNKNOWN, Decimal(9), at),
        (3, CallState.FAILED, Decimal(0), at),
        (4, CallState.OK, Decimal(3), at - timedelta(hours=1)),  # of a job before
        (5, CallState.OK, Decimal(3), at),  # of another job
    ]
    rows = [
        {"id": new_id(), "subject": subject, "attempt": number, "state": state, "cost_cents": cost}
        | {"reserved_cents": Decimal(9), "started_at": began, "finished_at": began, **asked}
        # Those that do not say whose they are were made before calls said so.
        | {"job_id": {1: job_id, 5: new_id()}.get(number)}
        for number, state, cost, began in calls
    ]
    async with board.database.transaction() as session:
        await session.execute(insert(ModelCallRow), rows)
    assert {one.key[-1]: one.known for one in await effects_of(board, job_id)} == {
        "1": Known.ONCE,
        "2": Known.UNSURE,
        "3": Known.NEVER,
    }
    page = f"/admin/queues/jobs/{job_id}"
    broken = await board.job(JobState.DEAD, kind=SendLetter.kind, args={"email_id": "nonsense"})
    ed = await board.browser(Role.EDITOR)
    screen = await ed.open(page)
    assert "Outside effects" in screen.text
    assert "Ok, for 3.0000 US cents." in screen.text
    assert "At most 9.0000 US cents, which count as spent." in screen.text
    assert "Outside effects" not in (await ed.open(f"/admin/queues/jobs/{broken}")).text
    assert "Outside effects" not in (await (await board.browser(Role.ANALYST)).open(page)).text


async def test_a_webhook_may_have_arrived_twice_and_a_file_is_stored_under_one_name(board: Board):
    endpoint, sent = new_id(), new_id()
    report = await board.job(JobState.COMPLETED, kind=Report.kind)
    async with board.database.transaction() as session:
        person = Person(email="ada@example.com")
        session.add_all([person, Endpoint(id=endpoint, url="", words="", events=[], sealed_secret=b"")])
        await session.flush()
        made = {"data_set": "jobs", "format": "csv", "rows": 1, "bytes": 10, "expires_at": now()}
        session.add(Export(id=report, person_id=person.id, **made))
        told = {"event": "report.ready", "payload": {}, "state": DeliveryState.DELIVERED, "attempts": 2}
        session.add(Delivery(id=sent, endpoint_id=endpoint, **told))
    assert [one.key for one in await effects_of(board, report)] == [f"reports/{report}.csv"]
    job_id = await board.job(kind=DeliverWebhook.kind, args={"delivery_id": str(sent)})
    assert [one.known for one in await effects_of(board, job_id)] == [Known.MAYBE_AGAIN]


async def test_a_job_that_works_for_a_charge_tells_of_it(board: Board):
    paid = _checkout(state=CheckoutState.PAID, captured_cents=4900, payment_intent_id="pi_1", paid_at=now())
    async with board.database.transaction() as session:
        session.add(paid)
    args = {"draft_id": str(new_id()), "checkout_id": str(paid.id)}
    (effect,) = await effects_of(board, await board.job(kind=CreateOrder.kind, args=args))
    assert (effect.what, effect.key, effect.known) == ("charge of 49.00 EUR", "pi_1", Known.ONCE)
    unpaid = await board.job(kind=CreateOrder.kind, args=args | {"checkout_id": None})
    assert await effects_of(board, unpaid) == []


async def test_whatever_may_have_happened_outside_is_listed_once_it_is_late(board: Board):
    late, soon = now() - timedelta(hours=1), now()
    checkout = _checkout()
    letter = {"kind": "orders.ready", "to_address": "ada@example.com", "facts": {}, "about": "order/1"}
    async with board.database.transaction() as session:
        session.add(checkout)
        await session.flush()
        refund = {"checkout_id": checkout.id, "amount_cents": 4900, "currency": "eur"}
        for name, at in (("late", late), ("soon", soon)):
            session.add(Refund(kind=name, created_at=at, **refund))
            lost = {"state": LetterState.UNKNOWN, "claimed_at": at}
            session.add(EmailMessage(key=f"{name} letter", **letter, **lost))
        session.add(_call(attempt=1, started_at=late, job_id=(asked_by := new_id())))
        session.add(_call(attempt=2, started_at=soon))
    ed = await board.browser(Role.EDITOR)
    screen = await ed.open((await ed.open("/admin/queues")).link("Unknown outcomes"))
    for told in ("Refund of 49.00 EUR, late", "late letter", "order/7/place_backlink/1"):
        assert told in screen.text
    assert screen.link("the job that did it") == f"/admin/queues/jobs/{asked_by}"
    assert "At most 9.0000 US cents, which count as spent." in screen.text
    for untold in ("EUR, soon", "soon letter", "place_backlink/2"):
        assert untold not in screen.text
    ana = await board.browser(Role.ANALYST)
    assert (await ana.open("/admin/queues/effects")).status == 404


def test_how_often_a_letter_was_handed_over_is_told_in_words():
    letter = EmailMessage(id=new_id(), kind="orders.published", key="one letter", state=LetterState.SENT)
    letter.attempts, letter.lost = 1, 0
    assert effect_of(letter, "told").words == "It is sent: handed over once."
    letter.attempts, letter.lost = 2, 1
    assert effect_of(letter, "told").words == "It is sent: handed over 2 times, 1 of them without an answer."


async def test_what_jobs_have_cost_is_said_before_all_of_them_run_again(board: Board):
    dead, *_ = await board.jobs(2, JobState.DEAD)
    done = await board.job(JobState.COMPLETED)
    ad = await board.browser(Role.ADMIN)
    assert "may cost" not in (await ad.open("/admin/queues/bulk/new?q=state:dead")).text
    async with board.database.transaction() as session:
        for job_id, cents in ((dead, "4120.4"), (dead, "0.1"), (done, "9900")):
            ended: dict[str, Any] = {
                "state": CallState.OK,
                "cost_cents": Decimal(cents),
                "finished_at": now(),
            }
            session.add(_call(attempt=1, started_at=now(), job_id=job_id, **ended))
    screen = await ad.open("/admin/queues/bulk/new?q=state:dead")
    assert "have cost $41.20 for those of them that are dead" in screen.text

"""The editors' first page: what needs a person now, and whether everything is as it must be."""

from typing import Final

from litestar import Response, get, post

from models.accounts.audit import audit
from models.base.clock import now
from models.jobs import enqueue
from models.orders.desk.attention import RECENTLY, SHOWN, attention
from models.orders.desk.queries import waiting_for_review
from models.orders.desk.second_person import waiting_requests
from models.orders.jobs import CheckTruths
from models.orders.rules import order_number
from models.orders.states import FailReason
from models.orders.truths import Breach, last_verdicts
from web.guards import editor
from web.pages import page, redirect
from web.params import Transaction, Who

#: Rows of a broken truth that are listed; the rest are counted.
LISTED: Final = 12
FAILURES: Final = {
    FailReason.GENERATION: "no version could be made",
    FailReason.REJECTED: "rejected by an editor",
    FailReason.CANCELLED: "cancelled by its customer",
    FailReason.UNDECIDED: "its customer did not decide in time",
    FailReason.ARTICLE_GONE: "the article was taken offline",
    FailReason.DISPUTE: "the bank took the payment back",
    FailReason.REFUNDED: "refunded while under way",
}


@get("/admin", guards=[editor])
async def overview(session: Transaction, visitor: Who) -> Response[None]:
    """What needs somebody, and what the truths answered last."""
    asked_at, answers = await last_verdicts(session)
    waiting, oldest = await waiting_for_review(session)
    found = await attention(session, now())
    truths = [
        {
            "words": one.truth[0].upper() + one.truth[1:],
            "is_kept": one.is_kept,
            "count": len(one.breaches),
            "breaches": [_breach(breach) for breach in one.breaches[:LISTED]],
        }
        for one in answers
    ]
    return page(
        "orders/admin/overview.html",
        visitor=visitor,
        waiting=waiting,
        oldest=oldest,
        found=found,
        second_person=await waiting_requests(session, SHOWN),
        failures=FAILURES,
        number=order_number,
        truths=truths,
        asked_at=asked_at,
        broken=sum(not one["is_kept"] for one in truths),
        recently=RECENTLY.days,
    )


@post("/admin/truths", guards=[editor])
async def ask_again(session: Transaction, visitor: Who) -> Response[None]:
    """Have every truth asked now, not only when the schedule comes to it."""
    if await enqueue(session, CheckTruths(), unique="schedule/orders.check_truths") is not None:
        await audit(session, visitor.somebody, "schedule.run", "schedule/orders.check_truths")
    return redirect("/admin", notice="The truths are being asked. Open this page again in a moment.")


def _breach(breach: Breach) -> dict[str, object]:
    """A row that breaks a truth, with the page on which somebody can see to it."""
    kind, _, name = breach.about.partition("/")
    if breach.order is not None:
        order_id, number = breach.order
        return {"words": order_number(number), "href": f"/admin/orders/{order_id}", "since": breach.since}
    href = f"/admin/queues/jobs/{name}" if kind == "job" else None
    return {"words": breach.about, "href": href, "since": breach.since}

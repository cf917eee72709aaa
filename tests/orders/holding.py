"""What must hold of a shop after every step, asked of its rows: more than the product asks of itself.

`broken` gives sentences. The truths of the product are among them, with the time taken out that they allow.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from models.accounts.tables import AuditEntry
from models.base.db import Database
from models.orders.states import MOVES, FailReason, GenerationState, OrderStatus
from models.orders.tables import Article, Generation, Order, Transition, Version
from models.orders.text.markdown import href_of, links
from models.orders.truths import Breach, verdicts
from models.payments.states import CheckoutState, PaymentState, RefundState
from models.payments.tables import Checkout, Refund

S, P = OrderStatus, PaymentState
DISPUTED: Final = frozenset({P.DISPUTED, P.DISPUTE_LOST})

#: Truths that tell an admin of money that Stripe could not give back: they are right to, until somebody has acted.
_OF_FAILED_REFUNDS: Final = frozenset(
    {
        "a refund failed and nothing has replaced it",
        "failed, but the money has not gone back and is not disputed",
        "paid, but neither delivered, in progress, waiting for a named person, nor on its way back",
        "two attempts were paid for one subject, and neither went back",
    }
)

#: The truths give the workers some minutes; here the minutes are over.
_LATER: Final = text(
    "update payments_checkouts set paid_at = paid_at - cast(:waited as interval) where paid_at is not null"
)
_FOLLOWED: Final = text(
    "select subject, kind from jobs where state in ('scheduled', 'waiting', 'active') and subject is not null"
)


@dataclass(frozen=True)
class Books:
    """Every row that something must hold of, as one snapshot saw them."""

    orders: Sequence[Order]
    checkouts: Mapping[UUID, Checkout]
    refunds: Mapping[UUID, Sequence[Refund]]
    transitions: Mapping[UUID, Sequence[Transition]]
    generations: Mapping[UUID, Sequence[Generation]]
    published: Sequence[tuple[UUID, str]]
    #: Jobs that are not finished: subject and kind.
    jobs: frozenset[tuple[str, str]]
    #: The orders that an editor has refunded by the button.
    refunded_by_hand: frozenset[str]
    breaches: list[tuple[str, Breach]]


async def broken(database: Database, waited: timedelta = timedelta(minutes=3)) -> list[str]:
    """Everything that does not hold, if each payment were `waited` older than it is."""
    books = await _read(database, waited)
    return [*_truths(books), *_orders(books), *_money(books), *_texts(books)]


async def _read(database: Database, waited: timedelta) -> Books:
    async with database.transaction() as session:
        await session.execute(text("set transaction isolation level repeatable read"))
        books = await _rows(session)
        # Undoing a transaction makes its objects forget what they know.
        session.expunge_all()
        async with session.begin_nested() as looking:
            await session.execute(_LATER, {"waited": waited})
            for one in await verdicts(session):
                books.breaches.extend((one.truth, breach) for breach in one.breaches)
            await looking.rollback()
    return books


async def _rows(session: AsyncSession) -> Books:
    published = select(Article.id, Version.markdown).join(Version, Version.id == Article.published_version_id)
    by_hand = select(AuditEntry.subject).where(AuditEntry.action == "order.refunded")
    return Books(
        orders=(await session.scalars(select(Order).order_by(Order.number))).all(),
        checkouts={one.id: one for one in (await session.scalars(select(Checkout))).all()},
        refunds=_by((await session.scalars(select(Refund))).all(), "checkout_id"),
        transitions=_by(
            (await session.scalars(select(Transition).order_by(Transition.id))).all(), "order_id"
        ),
        generations=_by(
            (await session.scalars(select(Generation).order_by(Generation.number))).all(), "order_id"
        ),
        published=[(row[0], row[1]) for row in await session.execute(published)],
        jobs=frozenset((row.subject, row.kind) for row in await session.execute(_FOLLOWED)),
        refunded_by_hand=frozenset((await session.scalars(by_hand)).all()),
        breaches=[],
    )


def _by(rows: Iterable[Any], column: str) -> Mapping[UUID, Sequence[Any]]:
    found: dict[UUID, list[Any]] = defaultdict(list)
    for one in rows:
        found[getattr(one, column)].append(one)
    return found


# ---------------------------------------------------------------- the product's own truths
def _truths(books: Books) -> list[str]:
    excused = {
        name
        for checkout in books.checkouts.values()
        if any(one.state is RefundState.FAILED for one in books.refunds.get(checkout.id, ()))
        for name in _names(books, checkout)
    }
    return [
        f"{truth}: {breach.about}"
        for truth, breach in books.breaches
        if not (truth in _OF_FAILED_REFUNDS and breach.about in excused)
    ]


def _names(books: Books, checkout: Checkout) -> set[str]:
    orders = {f"order/{one.id}" for one in books.orders if one.checkout_id == checkout.id}
    refunds = {f"refund/{one.id}" for one in books.refunds.get(checkout.id, ())}
    return {f"checkout/{checkout.id}", checkout.subject} | orders | refunds


# ---------------------------------------------------------------- orders
def _orders(books: Books) -> list[str]:
    found: list[str] = []
    for order in books.orders:
        name = f"order/{order.id} ({order.status})"
        moves = [(one.from_status, one.to_status) for one in books.transitions[order.id]]
        heres = [None, *(there for _, there in moves)]
        if [here for here, _ in moves] != heres[:-1] or heres[-1] is not order.status:
            found.append(f"{name}: its history {moves} does not lead to where it is")
        found += [f"{name}: {a} to {b} is not drawn" for a, b in moves[1:] if a is None or b not in MOVES[a]]
        if moves[:1] != [(None, S.PROCESSING)]:
            found.append(f"{name}: its history begins with {moves[:1]}")
        numbers = [one.number for one in books.generations[order.id]]
        active = [one.number for one in books.generations[order.id] if one.state is GenerationState.ACTIVE]
        if numbers != list(range(1, order.generation + 1)):
            found.append(f"{name}: generations {numbers}, the latest is {order.generation}")
        if active != ([order.generation] if order.status is S.PROCESSING else []):
            found.append(f"{name}: active generations {active}, the latest is {order.generation}")
        if (order.fail_reason is not None) is not (order.status is S.FAILED):
            found.append(f"{name}: fail reason {order.fail_reason}")
        if order.fail_reason is FailReason.GENERATION and order.version_id is not None:
            found.append(f"{name}: its writer failed, and it has a version all the same")
        if order.held_at is not None and order.status is not S.ADMIN_REVIEW:
            found.append(f"{name}: it is held for nobody")
    return found


# ---------------------------------------------------------------- money
def _money(books: Books) -> list[str]:
    order_of = {one.checkout_id: one for one in books.orders}
    drafts = {f"draft/{one.draft_id}": one for one in books.orders}
    found: list[str] = []
    for checkout in books.checkouts.values():
        refunds = books.refunds.get(checkout.id, ())
        name = f"checkout/{checkout.id} ({checkout.state}, {checkout.payment_state})"
        gone = sum(one.amount_cents for one in refunds if one.state is not RefundState.FAILED)
        back = sum(one.amount_cents for one in refunds if one.state is RefundState.SUCCEEDED)
        if gone > checkout.captured_cents:
            found.append(f"{name}: {gone} of {checkout.captured_cents} went back")
        if back != checkout.refunded_cents:
            found.append(f"{name}: {back} arrived, {checkout.refunded_cents} is written down")
        ours = {one.kind for one in refunds if not one.kind.startswith("dashboard:")}
        allowed = _kinds(books, checkout, order_of.get(checkout.id), drafts.get(checkout.subject))
        if not ours <= allowed:
            found.append(f"{name}: refunded as {ours}, which is not owed; {allowed} would be")
        is_owed = bool(allowed - {"goodwill"}) and checkout.state is CheckoutState.PAID
        is_excused = any(one.state is RefundState.FAILED for one in refunds) or _is_followed(books, checkout)
        if is_owed and gone < checkout.captured_cents and not is_excused:
            found.append(f"{name}: only {gone} of {checkout.captured_cents} goes back, as {allowed}")
    return found


def _kinds(books: Books, checkout: Checkout, order: Order | None, of_draft: Order | None) -> set[str]:
    """The kinds of refund that are owed for this payment, or may be given."""
    if order is None:
        return {"duplicate"} if of_draft is not None else set()
    if order.status is S.FAILED:
        assert order.fail_reason is not None
        return {order.fail_reason.value}
    if order.status is S.COMPLETED and f"order/{order.id}" in books.refunded_by_hand:
        return {"goodwill"}
    return set()


def _is_followed(books: Books, checkout: Checkout) -> bool:
    """Whether the bank has the money, or somebody is on the way to do what follows from its coming back."""
    kinds = {kind for subject, kind in books.jobs if subject == checkout.subject}
    return checkout.payment_state in DISPUTED or bool(
        kinds & {"orders.create_order", "orders.follow_payment"}
    )


# ---------------------------------------------------------------- texts
def _texts(books: Books) -> list[str]:
    found: list[str] = []
    for article_id, markdown in books.published:
        there = [link.href for link in links(markdown)]
        for order in books.orders:
            if order.article_id == article_id:
                count, wanted = there.count(href_of(order.target_url)), order.status is S.COMPLETED
                if count != wanted:
                    found.append(f"order/{order.id} ({order.status}): its link is published {count} times")
    return found

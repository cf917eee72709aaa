"""The place in which everybody acts, before anybody does: its people, its orders, its rest."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, TypeVar

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from infra.sandbox.client import SandboxClient
from models.accounts.tables import Person
from models.base.db import Database
from models.jobs.actions import rescue
from models.orders.states import OrderStatus
from models.orders.tables import Article, Order
from models.orders.writing.briefs import Brief, Draught
from models.payments.stripe import Stripe
from models.payments.tables import Checkout
from tasks.testing import run_everything
from tasks.world import World
from tests.orders.builders import MARKDOWN

T = TypeVar("T")

#: Room for the links of many customers.
LONG: Final = (
    MARKDOWN
    + """
## Time

A recipe is a place to begin, and nobody has to stay there. Thirty seconds more or less change the cup less than the
grind does, but they are easier to repeat. A kitchen timer is the cheapest tool that improves anything.

Pour slowly at first and let the grounds swell. Fresh coffee gives off gas, and water runs around a bubble rather than
through it. After half a minute the bed has settled and the rest can follow.

## Cleaning

Old oil tastes of cardboard, and it hides where nobody looks. Take the grinder apart every month and brush out what
has caught in the corners. Soap is no enemy of a coffee pot, whatever people say about seasoning.

Scale is slower and does more harm. Where the water is hard, a kettle wants vinegar twice a year.
"""
)


_LEFT: Final = (
    "select kind, state, attempt, args, error from jobs where state in ('scheduled', 'waiting', 'active')"
)


class Impossible(Exception):
    """There is nothing here yet that this could be done to."""


@dataclass(frozen=True)
class Late:
    """A worker that was given up, and does not know it."""

    brief: Brief
    draught: Draught


@dataclass(repr=False)
class Town:
    """A publication with two articles, two customers, two editors, and Stripe."""

    world: World
    sandbox: SandboxClient
    empty: Callable[[], Awaitable[None]]
    customers: Sequence[Person] = ()
    editors: Sequence[Person] = ()
    articles: Sequence[Article] = ()
    late: list[Late] = field(default_factory=list)
    sold: int = 0

    def __repr__(self) -> str:
        return "the town"

    @property
    def database(self) -> Database:
        return self.world.database

    async def comes_to_rest(self) -> None:
        """Everything that Stripe tells has arrived, and everything that is asked for has been done."""
        for _ in range(20):
            while (await self.sandbox.state())["deliveries"]["waiting"]:
                await asyncio.sleep(0.01)
            await self.works()
            if not await self.hurries() and not (await self.sandbox.state())["deliveries"]["waiting"]:
                return
        async with self.database.transaction() as session:
            left = await session.execute(text(_LEFT))
        raise AssertionError(f"the workers never come to rest: {left.all()}")

    async def hurries(self, kinds: str = "kind <> 'payments.give_refund'") -> int:
        """Let what was put off be done now. A refund that waits for a dispute waits on."""
        hurry = f"update jobs set run_at = now(), rank_at = now() where state = 'scheduled' and {kinds} returning id"
        async with self.database.transaction() as session:
            return len((await session.execute(text(hurry))).all())

    # ------------------------------------------------------------ choosing
    async def order(self, pick: int, *statuses: OrderStatus) -> Order:
        """An order in one of these states, or else any: what is refused has to be tried as well."""
        async with self.database.transaction() as session:
            orders = (await session.scalars(select(Order).order_by(Order.number))).all()
        return one_of([one for one in orders if one.status in statuses] or orders, pick)

    async def checkout(self, pick: int, **values: Any) -> Checkout:
        async with self.database.transaction() as session:
            query = select(Checkout).filter_by(**values).order_by(Checkout.created_at)
            return one_of((await session.scalars(query)).all(), pick)

    async def does(self, act: Callable[[AsyncSession], Awaitable[Any]]) -> None:
        async with self.database.transaction() as session:
            await act(session)

    async def owner(self, order: Order) -> Person:
        return next(one for one in self.customers if one.id == order.person_id)

    def editor(self, pick: int) -> Person:
        return self.editors[pick % 2]

    def line(self) -> Stripe:
        return Stripe(self.world.settings.stripe)

    async def works(self, pick: int = 0) -> None:
        await self.rescues()
        await run_everything(self.world)

    async def rescues(self) -> None:
        await self.does(lambda s: rescue(s, timedelta(seconds=30)))


def one_of(of: Sequence[T], pick: int) -> T:
    if not of:
        raise Impossible
    return of[pick % len(of)]

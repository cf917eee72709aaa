"""Ways to ask for jobs other than one by one."""

from collections.abc import Awaitable, Callable
from uuid import UUID

from models.accounts.tables import Person
from models.jobs import Wish, bulk, enqueue_all
from models.jobs.filter import Filter
from models.jobs.flows import Step, enqueue_batch, enqueue_flow
from models.jobs.states import BulkDeed
from tests.reliability.messages import Do
from tests.reliability.stage import Stage, load

Ask = Callable[[Stage, int], Awaitable[None]]

#: How many keys the jobs of `ask_under_limits` share. Each lets one through at a time.
KEYS = 4


async def ask_for_a_batch(stage: Stage, count: int, *, seconds: float = 0.02, kind: type[Do] = Do) -> None:
    """Jobs whose end the last one waits for."""
    tokens = stage.take(count)
    jobs, (last,) = load(tokens[:-1], kind, seconds), load(tokens[-1:])
    async with stage.transaction() as session:
        await enqueue_batch(session, "a batch", jobs, when_done=last)
    stage.answered.update(tokens)


async def ask_for_a_flow(stage: Stage, count: int) -> None:
    """One that all others wait for, and one that waits for all others."""
    tokens = stage.take(count)
    first, *rest, last = load(tokens)
    steps = {str(number): Step(job, after=("first",)) for number, job in enumerate(rest)}
    flow = {"first": Step(first), **steps, "last": Step(last, after=tuple(steps))}
    async with stage.transaction() as session:
        await enqueue_flow(session, "a flow", flow)
    stage.answered.update(tokens)


async def ask_under_limits(stage: Stage, count: int) -> None:
    """Jobs of few keys, of which each lets one through at a time."""
    await stage.fetch(
        "insert into job_limits (key, max_running) values ('narrow/*', 1) on conflict do nothing"
    )
    tokens = stage.take(count)
    wishes = [Wish(Do(token=one, act="write", seconds=0.03), limit=f"narrow/{one % KEYS}") for one in tokens]
    async with stage.transaction() as session:
        await enqueue_all(session, wishes)
    stage.answered.update(tokens)


async def ask_for_a_deed(stage: Stage, deed: BulkDeed, kind: type[Do]) -> UUID:
    """What an operator asks for, to be done to all jobs of a kind that are there. Returns the bulk action's id."""
    async with stage.transaction() as session:
        session.add(person := Person(email=f"{deed}@example.com"))
        await session.flush()
        return await bulk.begin(session, Filter.read(f"kind:{kind.kind}"), deed, person.id)

"""What Taskiq's callback is given to run one attempt of a job: the message, the task, and where its result goes."""

from contextvars import ContextVar
from typing import Any, Final

from taskiq import TaskiqMessage, TaskiqResult
from taskiq.abc.formatter import TaskiqFormatter
from taskiq.abc.result_backend import AsyncResultBackend
from taskiq.exceptions import ResultGetError
from taskiq.message import BrokerMessage

from models.jobs.message import Job
from tasks.runs import Attempt, Runner, Work
from tasks.settling import Settler
from tasks.timeouts import Timeouts
from tasks.world import World

#: The attempt that an asyncio task runs. An id would not name it: an earlier one of its job may be on its way out.
RUNNING: Final[ContextVar[Attempt]] = ContextVar("attempt")


class ClaimFormatter(TaskiqFormatter):
    """Turns the id of a claimed job into the message that Taskiq runs. The row has been read already."""

    def __init__(self, world: World) -> None:
        self._world = world

    def loads(self, message: bytes) -> TaskiqMessage:
        """The Taskiq message of this task's attempt: its one argument is what the runner works with."""
        attempt = RUNNING.get()
        return TaskiqMessage(
            task_id=message.decode(),
            task_name=attempt.claim.kind,
            labels={},
            args=[Work(self._world, attempt)],
            kwargs={},
        )

    def dumps(self, message: TaskiqMessage) -> BrokerMessage:
        """Refuse: nothing is sent through Taskiq."""
        raise TypeError(
            f"{message.task_name} was kicked; ask for work with models.jobs.enqueue(session, message)"
        )


class Settling(AsyncResultBackend[Any]):
    """Where Taskiq puts a result: we settle the job's row with it."""

    def __init__(self, settler: Settler) -> None:
        self._settler = settler

    async def set_result(self, task_id: str, result: TaskiqResult[Any]) -> None:  # noqa: ARG002 - Taskiq's signature
        """Settle this task's attempt."""
        await self._settler.settle(RUNNING.get(), result.return_value, result.error)

    async def is_result_ready(self, task_id: str) -> bool:
        """Results are read from the job's row, not here."""
        raise ResultGetError(task_id=task_id)

    async def get_result(self, task_id: str, with_logs: bool = False) -> TaskiqResult[Any]:  # noqa: ARG002 - Taskiq's signature
        """Results are read from the job's row, not here."""
        raise ResultGetError(task_id=task_id)


def task_of(message: type[Job], runner: Runner, timeouts: Timeouts) -> Any:
    """The Taskiq task that runs `runner`, for as long as the message allows."""
    seconds = message.timeout.total_seconds()

    async def run(work: Work) -> Any:
        # Not Taskiq's label: its way to the same end takes a fifth of a small job's time.
        with timeouts.within(seconds):
            return await runner(work.message(message), work)

    return run

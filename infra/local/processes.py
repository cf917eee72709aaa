"""Keeps programs running: starts them, starts them again when they die, ends them politely, and never leaves one behind."""

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from infra.local.output import Terminal

ROOT: Final = Path(__file__).parents[2]
#: Between a death and the next start: doubled each time, until the program has lived for a while.
FIRST_PAUSE: Final = 0.25
LONGEST_PAUSE: Final = 15.0
A_WHILE: Final = 20.0
#: What a program exits with when its settings do not let it start: trying again would not help.
REFUSED: Final = 2

_PR_SET_PDEATHSIG: Final = 1


@dataclass(frozen=True, slots=True)
class Program:
    """What to run, and how to end it."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    #: Its words go to this file, and not to the terminal.
    log: Path | None = None
    #: Run as this user and group, which only root may ask for.
    user: tuple[int, int] | None = None
    ends_by: signal.Signals = signal.SIGTERM
    #: What it gets should the runner die without ending it.
    orphaned_by: signal.Signals = signal.SIGKILL
    #: How long it may take to end, in seconds, before it is killed.
    grace: float = 10.0


class Keeper:
    """Keeps one program running until `end()`."""

    def __init__(self, program: Program, terminal: Terminal, *, may_refuse: Callable[[], bool]) -> None:
        self.program = program
        self._terminal = terminal
        self._may_refuse = may_refuse
        self._process: asyncio.subprocess.Process | None = None
        self._ending = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.has_exited = asyncio.Event()

    @property
    def pid(self) -> int | None:
        """The id of the process that runs now."""
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    async def start(self) -> None:
        """Start the program and from now on look after it."""
        await self._spawn()
        self._task = asyncio.create_task(self._keep())

    async def run_once(self) -> int:
        """Run a program that ends by itself; its exit status."""
        await self._spawn()
        try:
            return await self._ended()
        except asyncio.CancelledError:
            self.send(signal.SIGTERM)
            assert self._process is not None
            await self._process.wait()
            raise

    async def end(self, *, grace: float | None = None) -> None:
        """End the program as it likes to be ended; kill it when it takes longer than its grace.

        Asked again, it is not signalled again: a worker takes a second signal for impatience.
        """
        if not self._ending.is_set():
            self._ending.set()
            self.send(self.program.ends_by)
        if self._task is None:
            return
        try:
            async with asyncio.timeout(self.program.grace if grace is None else grace):
                await asyncio.shield(self._task)
        except TimeoutError:
            self._terminal.say("galley", f"{self.program.name} did not end in time and is killed")
            self.send(signal.SIGKILL)
            await self._task

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the program, if it runs."""
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    async def _keep(self) -> None:
        pause = FIRST_PAUSE
        while True:
            began = time.monotonic()
            status = await self._ended()
            self.has_exited.set()
            if self._ending.is_set():
                return
            if status == REFUSED and self._may_refuse():
                return
            pause = FIRST_PAUSE if time.monotonic() - began > A_WHILE else pause
            self._terminal.say("galley", f"{self.program.name} {_ending(status)}; again in {pause:g} s")
            if await self._is_ended_within(pause):
                return
            pause = min(pause * 2, LONGEST_PAUSE)
            await self._spawn()
            if self._ending.is_set():  # asked while it was starting
                self.send(self.program.ends_by)

    async def _ended(self) -> int:
        assert self._process is not None
        if self._process.stdout is not None:
            await self._terminal.relay(self.program.name, self._process.stdout)
        return await self._process.wait()

    async def _is_ended_within(self, seconds: float) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._ending.wait()
        return self._ending.is_set()

    async def _spawn(self) -> None:
        program = self.program
        self.has_exited.clear()
        with contextlib.ExitStack() as stack:
            out: Any = asyncio.subprocess.PIPE
            if program.log is not None:
                out = stack.enter_context(program.log.open("ab"))
            # A session of its own: Ctrl-C on the terminal reaches the runner alone, which ends them in order.
            self._process = await asyncio.create_subprocess_exec(
                *program.command,
                cwd=ROOT,
                env={**os.environ, **program.environment},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_not_an_orphan(program.orphaned_by),
                user=program.user and program.user[0],
                group=program.user and program.user[1],
                extra_groups=program.user and [],
            )


def _not_an_orphan(number: signal.Signals) -> Callable[[], None] | None:
    """What the child does before it becomes the program: ask Linux to be signalled when its parent is gone."""
    if sys.platform != "linux":
        return None
    libc, parent = ctypes.CDLL(None), os.getpid()

    def ask() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, int(number))
        if os.getppid() != parent:  # it died before we could ask
            os._exit(1)

    return ask


def _ending(status: int) -> str:
    if status < 0:
        return f"was ended by {signal.Signals(-status).name}"
    return f"ended with status {status}"


def commands() -> dict[str, list[str]]:
    """The Procfile: the command of each kind of process, to be run by this Python."""
    found: dict[str, list[str]] = {}
    for line in (ROOT / "Procfile").read_text().splitlines():
        name, _, command = line.partition(":")
        words = command.split()
        found[name] = [sys.executable, *words[1:]] if words[0] == "python" else words
    return found

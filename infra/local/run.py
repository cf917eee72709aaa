"""The local runner: everything the product needs, on one machine, until Ctrl-C.

PostgreSQL and Redis first (unless DATABASE_URL and REDIS_URL say that there are some), then the schema and, into
an empty database, the demo content; then the processes of the Procfile side by side. It ends in the other
direction: nobody loses a database while still at work.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Coroutine, Iterable
from typing import Final

import asyncpg

from infra.local import environment
from infra.local.folder import CannotStart, DataFolder
from infra.local.output import Terminal
from infra.local.postgres import Postgres
from infra.local.processes import REFUSED, ROOT, Keeper, Program, commands
from infra.local.readiness import answers, is_migrated, is_stocked, plain
from infra.local.redis import Redis, is_somebody_there
from infra.local.welcome import welcome
from infra.local.workers import Workers

#: How long each kind may take to end, in seconds; a worker's own grace is JOB_DRAIN_SECONDS.
GRACE: Final = {"web": 22.0, "dispatcher": 5.0, "sandbox": 5.0}
AFTER_DRAIN: Final = 5.0
IMPATIENT: Final = 2.0
STARTS_WITHIN: Final = 60.0


class Runner:
    """One run of the product in one data folder."""

    def __init__(self, terminal: Terminal, folder: DataFolder) -> None:
        self._terminal = terminal
        self._folder = folder
        self._keepers: list[Keeper] = []
        self._servers: list[Keeper] = []
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()
        self._refused = asyncio.Event()
        self._is_ready = False
        self._began = time.monotonic()
        self.env: dict[str, str] = {}
        self.port = 0

    def ask_to_end(self) -> None:
        """End in order; asked again, end fast."""
        if self._stop.is_set():
            self._hurry.set()
        else:
            self._stop.set()

    async def run(self) -> int:
        """Start everything, keep it running until asked to end, end it; the exit status."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self.ask_to_end)
        self._terminal.on_gone = self.ask_to_end
        try:
            return await self._run()
        except CannotStart as reason:
            self._terminal.write(f"\nGalley cannot start.\n{reason}\n")
            return REFUSED
        finally:
            await self._end()
            self._folder.let_go()

    async def _run(self) -> int:
        given = environment.given(ROOT / ".env")
        self.port = environment.check(given)
        host = given.get("HOST", "127.0.0.1")
        self._folder.take(given.get("PUBLIC_URL", f"http://localhost:{self.port}"))
        environment.check_port(host, self.port)
        await self._until_stopped(self._start_servers(given))
        await self._until_stopped(self._prepare_database())
        starting = asyncio.create_task(self._start_processes(host))
        ends = {asyncio.create_task(one.wait()) for one in (self._stop, self._refused)}
        await asyncio.wait({*ends, starting}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():  # it only ends when something is wrong
            starting.result()
        for task in (*ends, starting):
            task.cancel()
        return 0 if self._stop.is_set() else REFUSED

    async def _until_stopped(self, work: Coroutine[object, object, None]) -> None:
        """Do one step of starting, unless asked to end meanwhile."""
        if self._stop.is_set():
            work.close()
            return
        doing, stopped = asyncio.create_task(work), asyncio.create_task(self._stop.wait())
        await asyncio.wait({doing, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if not doing.done():
            doing.cancel()
            await asyncio.wait({doing})
            return
        if not self._stop.is_set():
            doing.result()

    async def _start_servers(self, given: dict[str, str]) -> None:
        """PostgreSQL and Redis, each only if nobody said where there is one."""
        postgres = None if "DATABASE_URL" in given else Postgres(self._folder)
        redis = None if "REDIS_URL" in given else Redis(self._folder)
        self.env = environment.local_environment(
            given,
            port=self.port,
            secrets=self._folder.secrets(),
            files=self._folder.path / "files",
            database_url=postgres.url if postgres else "",
            redis_url=redis.url if redis else "",
            sandbox_port=self._sandbox_port(),
        )
        if redis is not None:
            await self._serve(redis)
        elif not await is_somebody_there(given["REDIS_URL"]):
            raise CannotStart(
                "Nothing answers at REDIS_URL. Start it, or take REDIS_URL away to have one brought."
            )
        if postgres is not None:
            self._terminal.say("galley", f"opening the database in {postgres.data}")
            postgres.prepare()
            await self._serve(postgres)
            await postgres.make_database()

    async def _serve(self, server: Postgres | Redis) -> None:
        """Start a server and wait until it answers. It is given time only for what passes by itself."""
        keeper = await self._started(server.program(), self._servers)
        until = time.monotonic() + STARTS_WITHIN
        while not await server.is_ready():
            if (keeper.has_exited.is_set() and not server.is_held_up()) or time.monotonic() > until:
                raise CannotStart(server.trouble())
            await asyncio.sleep(0.03)

    def _sandbox_port(self) -> int:
        port = environment.port_near(self._folder.remembered_port("sandbox") or self.port + 20)
        self._folder.remember_port("sandbox", port)
        return port

    async def _prepare_database(self) -> None:
        url = plain(self.env["DATABASE_URL"])
        try:
            if not await is_migrated(url):
                self._terminal.say("galley", "bringing the database up to date")
                await self._once("release", commands()["release"])
            if not await is_stocked(url):
                self._terminal.say("galley", "putting demo content into the empty database")
                await self._once("seed", [sys.executable, "-m", "infra.local.seed"])
        except (OSError, TimeoutError, asyncpg.PostgresError) as error:
            raise CannotStart(f"The database at DATABASE_URL cannot be used: {error}") from None

    async def _once(self, name: str, command: list[str]) -> None:
        """Run a program that ends by itself, and must end well."""
        keeper = Keeper(Program(name, command, self.env), self._terminal, may_refuse=lambda: False)
        status = await keeper.run_once()
        if status:
            raise CannotStart(f"`{name}` ended with status {status}; what it said stands above.")

    async def _start_processes(self, host: str) -> None:
        """First those that a purchase goes through; once it can be made, the dispatcher, and whom it wishes for."""
        if "PAY_SANDBOX_PORT" in self.env:
            sandbox = [sys.executable, "-m", "infra.sandbox"]
            await self._started(Program("sandbox", sandbox, self.env, grace=GRACE["sandbox"]), self._keepers)
        workers = Workers(self.env["DATABASE_URL"], self._start_worker)
        await self._start_process("web")
        await workers.add("worker")
        await self._announce(host)
        await self._start_process("dispatcher")
        await workers.follow()

    async def _start_process(self, kind: str) -> None:
        program = Program(kind, commands()[kind], self.env, grace=GRACE[kind])
        await self._started(program, self._keepers)

    async def _start_worker(self, name: str, queues: list[str]) -> Keeper:
        command = [*commands()["worker"], "--queues", ",".join(queues)]
        drain = float(self.env.get("JOB_DRAIN_SECONDS", "25")) + AFTER_DRAIN
        return await self._started(Program(name, command, self.env, grace=drain), self._keepers)

    def _may_refuse(self) -> bool:
        """A process that will not have its settings ends the start; later, it was something else."""
        if not self._is_ready:
            self._refused.set()
        return not self._is_ready

    async def _started(self, program: Program, group: list[Keeper]) -> Keeper:
        keeper = Keeper(program, self._terminal, may_refuse=self._may_refuse)
        group.append(keeper)  # before it runs: whatever happens now, it will be ended
        await keeper.start()
        return keeper

    async def _announce(self, host: str) -> None:
        """Say where to go, once there is something there."""
        host = "127.0.0.1" if host in {"0.0.0.0", "::"} else host  # noqa: S104 - the answer is asked for here
        sandbox = int(self.env.get("PAY_SANDBOX_PORT", "0"))
        while not (  # noqa: ASYNC110 - what we wait for is in other processes
            await answers(self.port, "/health/ready", host)
            and (not sandbox or await answers(sandbox, "/health"))
        ):
            await asyncio.sleep(0.05)
        self._is_ready = True
        took = time.monotonic() - self._began
        self._terminal.write(welcome(self.env, took, self._folder.path, is_sandbox=bool(sandbox)))

    async def _end(self) -> None:
        """Those who work first, then the pay sandbox, then Redis, and PostgreSQL last."""
        if self._keepers:
            self._terminal.say("galley", "ending: running jobs may finish (Ctrl-C again to end at once)")
        sandbox = [one for one in self._keepers if one.program.name == "sandbox"]
        await self._end_together([one for one in self._keepers if one not in sandbox])
        await self._end_together(sandbox)
        for server in self._servers:
            await server.end()
        if self._servers:
            self._terminal.say("galley", "ended; everything is kept in " + str(self._folder.path))

    async def _end_together(self, keepers: list[Keeper]) -> None:
        ending = asyncio.create_task(_all(one.end() for one in keepers))
        hurry = asyncio.create_task(self._hurry.wait())
        await asyncio.wait({ending, hurry}, return_when=asyncio.FIRST_COMPLETED)
        hurry.cancel()
        if not ending.done():
            for one in keepers:
                one.send(one.program.ends_by)
            await _all(one.end(grace=IMPATIENT) for one in keepers)
        await ending


async def _all(ends: Iterable[Coroutine[object, object, None]]) -> None:
    await asyncio.gather(*ends)


def main() -> int:
    """Run the product in the folder of GALLEY_DATA (`.data` if it is not set)."""
    folder = DataFolder(ROOT / os.environ.get("GALLEY_DATA", ".data"))
    return asyncio.run(Runner(Terminal(), folder).run())

"""One program that is kept running: how it is ended, given up, and heard."""

import asyncio
import io
import signal
import sys

from infra.local.output import Terminal
from infra.local.processes import Keeper, Program


def keeper_of(code: str, *, may_refuse: bool = False) -> tuple[Keeper, io.StringIO]:
    """A keeper of a Python program, and what stands on its terminal."""
    out = io.StringIO()
    program = Program("it", (sys.executable, "-c", code), {"PYTHONUNBUFFERED": "1"}, grace=20)
    return Keeper(program, Terminal(out), may_refuse=lambda: may_refuse), out


async def until(out: io.StringIO, words: str) -> None:
    """Wait until something stands on the terminal."""
    async with asyncio.timeout(20):
        while words not in out.getvalue():
            await asyncio.sleep(0.01)


async def test_a_program_may_finish_what_it_does_when_it_is_ended():
    code = "import signal, time; signal.signal(15, lambda *_: (print('finished'), exit())); print('at work'); time.sleep(60)"
    keeper, out = keeper_of(code)
    await keeper.start()
    await until(out, "at work")

    await keeper.end()

    assert "finished" in out.getvalue()
    assert keeper.pid is None


async def test_a_program_that_does_not_end_is_killed_after_its_grace():
    keeper, out = keeper_of(
        "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf'); time.sleep(60)"
    )
    await keeper.start()
    await until(out, "deaf")

    await keeper.end(grace=0.1)

    assert "it did not end in time and is killed" in out.getvalue()
    assert keeper.pid is None


async def test_a_program_that_dies_again_and_again_is_started_with_growing_pauses_until_it_is_ended():
    keeper, out = keeper_of("exit(7)")
    await keeper.start()
    await until(out, "it ended with status 7; again in 0.5 s")

    await keeper.end()

    assert "again in 0.25 s" in out.getvalue()


async def test_a_program_that_refuses_its_settings_is_not_started_again():
    keeper, out = keeper_of("print('no'); exit(2)", may_refuse=True)
    await keeper.start()
    async with asyncio.timeout(20):
        await keeper.has_exited.wait()
    await keeper.end()

    assert out.getvalue() == "it          | no\n"


async def test_lines_come_whole_however_long_they_are_and_without_colours_for_a_file():
    code = "print('a' * 200_000); print('\\x1b[31mred\\x1b[0m'); print('no end', end='')"
    keeper, out = keeper_of(code)

    assert await keeper.run_once() == 0
    assert out.getvalue().splitlines() == [
        "it          | " + "a" * 200_000,
        "it          | red",
        "it          | no end",
    ]


async def test_a_signal_to_a_program_that_is_gone_does_nothing():
    keeper, _ = keeper_of("pass")
    assert await keeper.run_once() == 0

    keeper.send(signal.SIGTERM)
    await keeper.end()

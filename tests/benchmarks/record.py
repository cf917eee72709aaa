"""What a worker of any kind writes down: when each job was asked for and when it started, on one system-wide clock."""

import atexit
import os
import time
from pathlib import Path

_rows: list[str] = []
_file = os.environ.get("BENCH_RECORD", "")
_expected = int(os.environ.get("BENCH_EXPECTED", "0"))


def record(asked_ns: int) -> None:
    """Note one start. Everything is written once the expected number has started."""
    _rows.append(f"{asked_ns} {time.monotonic_ns()}\n")
    if len(_rows) == 1 and _file:
        Path(f"{_file}.first").touch()
    if len(_rows) == _expected:
        write()


def write() -> None:
    """Write the notes down."""
    if _file and _rows:
        temporary = f"{_file}.{os.getpid()}"
        with open(temporary, "w") as out:  # noqa: PTH123 - called at exit, where less is safer
            out.writelines(_rows)
        os.replace(temporary, _file)  # noqa: PTH105


atexit.register(write)

#: So that a message has about the 300 bytes of a real one.
PADDING = "x" * 220

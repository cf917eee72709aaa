"""A copy of the product, started as a person starts it, in a folder of its own."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import psutil

from infra.local.processes import ROOT

READY = "Galley is ready"
PATIENCE = 120.0


class Copy:
    """One `make up` with its terminal; `words` is what stands on it so far."""

    def __init__(self, folder: Path, port: int, **environment: str) -> None:
        self.port = port
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "infra.local"],
            cwd=ROOT,
            env={**kept, "GALLEY_DATA": str(folder), "PORT": str(port), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.words = ""
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                self.words += line.decode()

    def until(self, is_so: Callable[[], bool], what: str) -> None:
        """Wait until something has come true; fail with the terminal's words if it does not."""
        end = time.monotonic() + PATIENCE
        while not is_so():
            assert time.monotonic() < end, f"never: {what}\n{self.words}"
            time.sleep(0.05)

    def ready(self) -> None:
        """Wait until it says that it is ready."""
        self.until(lambda: READY in self.words or self.process.poll() is not None, READY)
        assert READY in self.words, self.words

    def get(self, path: str) -> str:
        """A page, as text; empty if nobody answers well."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return str(answer.read().decode())
        except (urllib.error.URLError, OSError):
            return ""

    def family(self) -> list[psutil.Process]:
        """Every process that it started, and theirs."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def pids(self, command: str) -> set[int]:
        """Its processes whose command line matches."""
        found = set()
        for one in self.family():
            try:
                if re.search(command, " ".join(one.cmdline())):
                    found.add(one.pid)
            except psutil.NoSuchProcess:
                continue
        return found

    def runs(self, command: str, count: int, *, but: int = 0) -> bool:
        """Whether so many of its processes match, a dead one not counted."""
        return len(self.pids(command) - {but}) == count

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send the signal and wait for the end; the exit status."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        """Wait for the end; the exit status."""
        status = self.process.wait(timeout=PATIENCE)
        self._reading.join(timeout=10)
        return status

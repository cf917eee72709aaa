"""The folder that holds everything this copy of the product knows: databases, secrets, logs.

One runner at a time holds it. Its secrets are made once, readable by their owner alone, and kept: sessions, sealed
letters and signatures outlive a restart.
"""

import contextlib
import errno
import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

#: A new PostgreSQL with its write-ahead log takes about 60 MB; the rest is air for work.
ROOM_NEEDED_MB: Final = 200
#: What each secret looks like: the pay sandbox and the Stripe library both look at the beginning.
SECRETS: Final = {"SECRET_KEY": "", "STRIPE_WEBHOOK_SECRETS": "whsec_", "STRIPE_SECRET_KEY": "sk_test_"}


class CannotStart(Exception):
    """Why the product cannot start here, and what to do about it, in plain sentences."""


class DataFolder:
    """The data folder at `path`, made if it is not there; `take()` it before using it."""

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().resolve()
        self._lock: IO[str] | None = None

    def take(self, url: str) -> None:
        """Hold the folder for the product at `url`; raise `CannotStart` if it is held, not writable, or full."""
        with self._plain_words():
            self.path.mkdir(parents=True, exist_ok=True)
            lock = (self.path / "lock").open("a+")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise CannotStart(self._held(lock)) from None
            lock.truncate(0)
            lock.write(json.dumps({"pid": os.getpid(), "url": url}))
            lock.flush()
        self._lock = lock
        free_mb = shutil.disk_usage(self.path).free // 1_000_000
        if free_mb < ROOM_NEEDED_MB:
            raise CannotStart(
                f"The disk of {self.path} is full: {free_mb} MB are free, and {ROOM_NEEDED_MB} MB are needed.\n"
                "Make room, or choose a folder on another disk: GALLEY_DATA=/another/folder make up"
            )

    def let_go(self) -> None:
        """Leave the folder to the next one."""
        if self._lock is not None:
            self._lock.close()

    def secrets(self) -> dict[str, str]:
        """The secrets of this copy, made when they are first asked for."""
        file = self.path / "secrets.json"
        with self._plain_words():
            if file.exists():
                return self._read(file)
            made = {name: beginning + secrets.token_hex(32) for name, beginning in SECRETS.items()}
            unfinished = file.with_suffix(".new")
            unfinished.unlink(missing_ok=True)
            with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
                json.dump(made, out)
            unfinished.rename(file)
            return made

    def log(self, name: str) -> Path:
        """Where the words of one embedded server go: emptied at every start of the product."""
        file = self.path / f"{name}.log"
        with self._plain_words():
            file.write_bytes(b"")
        return file

    def remembered_port(self, name: str) -> int | None:
        """The port that `name` had here the last time."""
        file = self.path / f"{name}.port"
        text = file.read_text() if file.exists() else ""
        return int(text) if text.isascii() and text.isdigit() else None

    def remember_port(self, name: str, port: int) -> None:
        """Keep a port: addresses that were written into letters and rows lead to it."""
        with self._plain_words():
            (self.path / f"{name}.port").write_text(str(port))

    def _read(self, file: Path) -> dict[str, str]:
        try:
            found: dict[str, str] = json.loads(file.read_text())
            return {name: found[name] for name in SECRETS}
        except (ValueError, KeyError, TypeError):
            raise CannotStart(
                f"{file} is damaged. Put it back from a backup, or remove it: everybody must then sign in again,\n"
                "and letters that were not yet sent are lost."
            ) from None

    def _held(self, lock: IO[str]) -> str:
        lock.seek(0)
        holder: dict[str, str] = {}
        with contextlib.suppress(ValueError):
            holder = json.loads(lock.read())
        where = f" by process {holder['pid']}, at {holder['url']}" if {"pid", "url"} <= holder.keys() else ""
        return (
            f"The data folder {self.path} is in use{where}.\n"
            "Stop that one, or start a second copy beside it: GALLEY_DATA=.data2 PORT=8001 make up"
        )

    @contextlib.contextmanager
    def _plain_words(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                raise CannotStart(f"The disk of {self.path} is full. Make room and start again.") from None
            raise CannotStart(
                f"The data folder {self.path} cannot be used: {error.strerror}.\n"
                "Choose a folder that you may write to: GALLEY_DATA=/another/folder make up"
            ) from None


def last_words(log: Path) -> str:
    """The end of a server's log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-5:])

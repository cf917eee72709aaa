"""What the processes of one machine are told. What you set wins; then `.env`; then what is said here."""

import errno
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from dotenv import dotenv_values

from infra.local.folder import CannotStart

DEFAULT_PORT: Final = 8000
HIGHEST_PORT: Final = 65535


def given(env_file: Path) -> dict[str, str]:
    """The environment as it was given: the process's own, and under it `.env`. Empty counts as not set."""
    both = {**dotenv_values(env_file), **os.environ}
    return {name: value for name, value in both.items() if value}


def check(given: Mapping[str, str]) -> int:
    """The port to serve on; raise `CannotStart` for what `make up` is not for."""
    if given.get("ENVIRONMENT", "development") == "production":
        raise CannotStart(
            "ENVIRONMENT is production. `make up` is for your own machine: it brings play money, demo content and\n"
            "open mailboxes. In production, start the processes of the Procfile; here, take ENVIRONMENT out of .env."
        )
    text = given.get("PORT", str(DEFAULT_PORT))
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= HIGHEST_PORT):
        raise CannotStart(f"PORT must be a whole number from 1 to {HIGHEST_PORT}, not {text!r}.")
    return int(text)


def check_port(host: str, port: int) -> None:
    """Raise `CannotStart`, naming a free port, if this one cannot be had."""
    if reason := _why_not(host, port):
        free = next((one for one in range(max(port, 1024) + 1, HIGHEST_PORT) if not _why_not(host, one)), 0)
        raise CannotStart(f"Port {port} cannot be used: {reason}.\nChoose another: PORT={free} make up")


def port_near(wanted: int) -> int:
    """The wanted loopback port, or the next one above it that is free."""
    return next(port for port in range(wanted, HIGHEST_PORT) if not _why_not("127.0.0.1", port))


def local_environment(
    given: Mapping[str, str],
    *,
    port: int,
    secrets: Mapping[str, str],
    files: Path,
    database_url: str,
    redis_url: str,
    sandbox_port: int,
) -> dict[str, str]:
    """Everything that the processes of this machine are told beside, or in place of, what was not given."""
    # Whatever scales elsewhere: the workers of this machine are the runner's.
    given = {**given, "SCALING_BACKEND": "local"}
    here = f"http://localhost:{port}"
    pay = f"http://127.0.0.1:{sandbox_port}"
    told = {
        "ENVIRONMENT": "development",
        "PUBLIC_URL": here,
        "PORT": str(port),
        "LOG_FORMAT": "console",
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "FILE_FOLDER": str(files),
        "SECRET_KEY": secrets["SECRET_KEY"],
        # The page that demo links lead to is served by this very copy.
        "ORDER_ALLOWED_PRIVATE_TARGETS": f"localhost:{port},127.0.0.1:{port}",
        # One's own machine is for trying things out: nobody waits a minute there.
        "ORDER_REGENERATION_WAIT_SECONDS": "3",
        "PYTHONUNBUFFERED": "1",
    }
    if "STRIPE_SECRET_KEY" not in given:
        told |= {
            "STRIPE_SECRET_KEY": secrets["STRIPE_SECRET_KEY"],
            "STRIPE_WEBHOOK_SECRETS": secrets["STRIPE_WEBHOOK_SECRETS"],
            "STRIPE_API_BASE": pay,
            "STRIPE_PAY_HOST": pay,
            "PAY_SANDBOX_PORT": str(sandbox_port),
            "PAY_SANDBOX_WEBHOOK_URL": f"http://127.0.0.1:{port}/webhooks/stripe",
            "PAY_SANDBOX_WEBHOOK_SECRET": secrets["STRIPE_WEBHOOK_SECRETS"],
        }
        # These go together: half of a Stripe account and half of a sandbox would not understand each other.
        return {**told, **{name: value for name, value in given.items() if not name.startswith("STRIPE_")}}
    return {**told, **given}


def _why_not(host: str, port: int) -> str:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except PermissionError:
            return "this user may not listen there"
        except OSError as error:
            return "another program uses it" if error.errno == errno.EADDRINUSE else str(error.strerror)
    return ""

"""The process: one port on 127.0.0.1, and one line on standard output once it answers there."""

import asyncio
import socket
import sys

import uvicorn

from infra.sandbox.app import build
from infra.sandbox.ledger import DATABASE_AWAY, create_schema
from infra.sandbox.settings import Settings


class _Server(uvicorn.Server):
    """Says its address once it answers there: whoever started it waits for that line."""

    def __init__(self, config: uvicorn.Config, url: str) -> None:
        super().__init__(config)
        self._url = url

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            print(f"pay sandbox: {self._url}", flush=True)


def serve(settings: Settings) -> int:
    """Run until told to stop; answers with the exit code."""
    try:
        asyncio.run(create_schema(settings.database_url))
    except (ValueError, *DATABASE_AWAY) as error:
        print(f"The database of DATABASE_URL cannot be used: {error}", file=sys.stderr)
        return 2
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", settings.port))
        except OSError as error:
            print(f"PAY_SANDBOX_PORT {settings.port} cannot be used: {error.strerror}.", file=sys.stderr)
            return 2
        own_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        app = build(settings, public_url=settings.public_url or own_url)
        server = _Server(
            uvicorn.Config(app, log_level="warning", access_log=False, server_header=False), own_url
        )
        server.run(sockets=[listener])
    return 0 if server.started else 1

"""Runs the web process: one uvicorn server on one socket, ended politely.

`python -m web` binds HOST and PORT. On SIGTERM the open streams end within a second, what still comes is answered until
the balancer has noticed, requests in flight are answered, and the process exits.
"""

import asyncio
import contextlib
import errno
import gc
import socket
import sys
from types import FrameType
from typing import Final

import structlog
import uvicorn

from models.base.process import begin
from models.base.settings import Settings
from models.base.settings.running import AppSettings
from web.app import create_app
from web.live import EventHub

log = structlog.get_logger(__name__)

#: For requests in flight. Together with the seconds below less than the 22 s and more that every platform gives us.
GRACE_SECONDS: Final = 15
#: Not every platform stops sending requests before it says that we are to end: some do both at the same time.
LINGER_SECONDS: Final = 5
#: So long without a request, and nobody sends any more.
QUIET_SECONDS: Final = 0.5
BACKLOG: Final = 2048


class Server(uvicorn.Server):
    """uvicorn waits for open answers before it exits, and a stream is open for ever: so we end them first."""

    def __init__(self, config: uvicorn.Config, hub: EventHub) -> None:
        super().__init__(config)
        self.hub = hub
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Take the sockets, and say where we are."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets=sockets)
        for one in sockets or []:
            host, port = one.getsockname()[:2]
            log.info("web.listening", host=host, port=port)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end. Called in a signal handler, where only this is safe to do with a loop."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self.hub.drain)
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve on while requests come, and then shut down: to close with one on its way is to lose it."""
        seen = -1
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LINGER_SECONDS):
                while seen != self.server_state.total_requests and not self.force_exit:
                    seen = self.server_state.total_requests
                    await asyncio.sleep(QUIET_SECONDS)
        await super().shutdown(sockets)


def bind(app: AppSettings) -> socket.socket:
    """The socket to serve on; or one plain sentence on stderr and exit status 2."""
    family = socket.AF_INET6 if ":" in app.host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((app.host, app.port))
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        sys.stderr.write(f"Galley cannot start: {_why(error, app)}\n")
        raise SystemExit(2) from None
    listening.setblocking(False)
    return listening


def _why(error: OSError, app: AppSettings) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {app.port} on {app.host} is in use by another program. Stop it, or set PORT to a free port."
    if error.errno == errno.EACCES:
        return f"this user may not listen on port {app.port}. Set PORT to 1024 or above."
    return f"HOST={app.host} and PORT={app.port} cannot be listened on ({error.strerror})."


def server(settings: Settings) -> Server:
    """A server for the application of these settings."""
    app = create_app(settings)
    hub: EventHub = app.state.hub
    config = uvicorn.Config(
        app,
        loop="uvloop" if sys.platform != "win32" else "asyncio",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=True,
        ws="none",
        backlog=BACKLOG,
        timeout_keep_alive=75,  # longer than a load balancer's minute, so that it is the one to hang up
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    return Server(config, hub)


def main() -> None:
    """Start with the environment's settings and serve until told to end."""
    settings = begin("web")
    listening = bind(settings.app)
    serving = server(settings)
    # What lives as long as the process is not looked through again: a collection of it takes longer than a page, and a
    # tenth of the start.
    gc.freeze()
    gc.enable()
    serving.run(sockets=[listening])

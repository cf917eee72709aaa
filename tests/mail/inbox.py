"""A real SMTP server on loopback that answers as a test tells it to."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from aiosmtpd.smtp import SMTP

Answer = Literal["take", "not now", "never", "vanish"]


@dataclass
class Inbox:
    """Takes letters. `answers` are used up one per letter, then everything is taken."""

    answers: list[Answer] = field(default_factory=list)
    #: Every letter whose words reached us, whatever we answered.
    letters: list[bytes] = field(default_factory=list)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        self.letters.append(envelope.content)
        match self.answers.pop(0) if self.answers else "take":
            case "take":
                return "250 OK: queued as 4711"
            case "not now":
                return "451 the disk is full"
            case "never":
                return "550 nobody of that name"
            case "vanish":
                server.transport.abort()
        return "250 unheard"


@asynccontextmanager
async def served(inbox: Inbox) -> AsyncIterator[int]:
    """Serve the inbox on loopback while the block lasts, and say at which port."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(inbox, hostname="inbox.example"), "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()

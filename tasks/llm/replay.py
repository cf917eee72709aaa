"""Stored answers: recorded from a provider once, then given back without one, byte for byte."""

import json
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path

from tasks.llm.errors import NothingStored
from tasks.llm.reply import Caller, Reply
from tasks.llm.request import Request


class Replay:
    """Answers from a folder of `<sha256 of the request>.json`. Costs nothing and fails on a miss."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def estimate_cents(self, request: Request) -> Decimal:
        """See `Caller.estimate_cents`."""
        del request
        return Decimal()

    async def call(self, request: Request) -> Reply:
        """The stored answer. Raises `NothingStored`."""
        path = self.folder / f"{request.sha256}.json"
        if not path.exists():
            raise NothingStored(f"There is no stored answer to this request: {path.name} is missing.")
        return Reply(**{**json.loads(path.read_text()), "cost_cents": Decimal()})


class Recorder:
    """Asks the providers and stores what they answer, for `Replay`."""

    def __init__(self, caller: Caller, folder: Path) -> None:
        self.caller = caller
        self.folder = folder

    async def estimate_cents(self, request: Request) -> Decimal:
        """See `Caller.estimate_cents`."""
        return await self.caller.estimate_cents(request)

    async def call(self, request: Request) -> Reply:
        """The provider's answer, stored before it is returned."""
        reply = await self.caller.call(request)
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{request.sha256}.json"
        path.write_text(json.dumps(asdict(reply), default=str, indent=2, ensure_ascii=False) + "\n")
        return reply

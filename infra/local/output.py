"""What the person at the terminal sees: every process's lines, each behind the name of who said it."""

import asyncio
import os
import re
import sys
from collections.abc import Callable
from typing import TextIO

_ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_COLOURS = (36, 33, 32, 35, 34, 96, 93, 92, 95, 94)
_CHUNK = 64 * 1024


class Terminal:
    """Writes prefixed lines; `on_gone` is called once nobody reads them any more."""

    def __init__(self, out: TextIO = sys.stdout, *, on_gone: Callable[[], None] | None = None) -> None:
        self._out = out
        self._is_gone = False
        self.on_gone = on_gone
        self.is_colourful = not os.environ.get("NO_COLOR") and (
            out.isatty() or bool(os.environ.get("FORCE_COLOR"))
        )
        self._colours: dict[str, int] = {}

    def say(self, who: str, words: str) -> None:
        """Write each line of `words` behind the name of who said it."""
        name = f"{who:<12}|"
        if self.is_colourful:
            colour = self._colours.setdefault(who, _COLOURS[len(self._colours) % len(_COLOURS)])
            name = f"\x1b[{colour}m{name}\x1b[0m"
        else:
            words = _ESCAPES.sub("", words)
        self.write("".join(f"{name} {line}\n" for line in words.splitlines()))

    def write(self, text: str) -> None:
        """Write as it is."""
        if self._is_gone:
            return
        try:
            self._out.write(text)
            self._out.flush()
        except (OSError, ValueError):
            # The terminal was closed, or the pipe that we were read through. Work goes on until it is ended.
            self._is_gone = True
            if self.on_gone is not None:
                self.on_gone()

    async def relay(self, who: str, source: asyncio.StreamReader) -> None:
        """Pass on what a process writes, line by line, however long its lines are."""
        rest = b""
        while chunk := await source.read(_CHUNK):
            *lines, rest = (rest + chunk).split(b"\n")
            if lines:
                self.say(who, b"\n".join(lines).decode(errors="replace"))
        if rest:
            self.say(who, rest.decode(errors="replace"))

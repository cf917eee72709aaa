"""Reading a PDF of ours back: the text that a person would copy out of it."""

import base64
import re
import zlib

_OBJECT = re.compile(rb"(\d+) 0 obj\r?\n(.*?)endobj", re.DOTALL)
_FONT = re.compile(rb"/(F\d+\+\d+) (\d+) 0 R")
_MAP = re.compile(rb"/ToUnicode (\d+) 0 R")
_PAIR = re.compile(rb"<([0-9A-F]{2})> <([0-9A-F]{4})>")
_TOLD = re.compile(rb"/(F\d+\+?\d*) [\d.]+ Tf|\(((?:\\.|[^\\)])*)\) Tj|(ET)", re.DOTALL)
_ESCAPE = re.compile(rb"\\([0-7]{3}|.)", re.DOTALL)
_NAMED = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}


def text_of(pdf: bytes) -> str:
    """The text of a PDF that reportlab wrote, a line for each run; through the maps that its fonts carry."""
    objects = {int(number): body for number, body in _OBJECT.findall(pdf)}
    maps = {
        name: _letters(_stream(objects[int(found[1])]))
        for body in objects.values()
        for name, font in _FONT.findall(body)
        if (found := _MAP.search(objects[int(font)]))
    }
    lines, line, font = [], "", b""
    for body in objects.values():
        content = _stream(body) if b"/ASCII85Decode" in body else b""
        for name, raw, ends in _TOLD.findall(content):
            if name:
                font = name
            elif ends:
                lines.append(line)
                line = ""
            else:
                line += "".join(maps[font].get(code, "") for code in _unescaped(raw))
    return "\n".join(one for one in lines if one)


def _stream(body: bytes) -> bytes:
    head, _, data = body.partition(b"stream")
    data = data.partition(b"endstream")[0].lstrip(b"\r\n")
    if b"ASCII85Decode" in head:
        data = base64.a85decode(data.strip().removesuffix(b"~>"))
    return zlib.decompressobj().decompress(data)


def _letters(character_map: bytes) -> dict[int, str]:
    return {int(code, 16): chr(int(letter, 16)) for code, letter in _PAIR.findall(character_map)}


def _unescaped(raw: bytes) -> bytes:
    return _ESCAPE.sub(
        lambda one: bytes([int(one[1], 8)]) if one[1].isdigit() else _NAMED.get(one[1], one[1]), raw
    )

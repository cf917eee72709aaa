"""Steps of a script as bytes on the wire, in the two protocols."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from tests.llm.script import Cut, Drop, Garble, Refuse, Say, Status, Step, WithoutEnd

INPUT_TOKENS = 1000
OUTPUT_TOKENS = 100


def response(step: Step, *, is_openai: bool) -> bytes:
    """What to write for the step before hanging up."""
    match step:
        case Drop():
            return b""
        case Status():
            error = {"type": "error", "error": {"type": "scripted", "message": step.error}}
            return _http(step.status, "application/json", json.dumps(error).encode(), step.headers)
        case Garble():
            return _http(200, "application/json", b"<html>Welcome to the hotel's network</html>")
    events = _openai(step) if is_openai else _anthropic(step)
    return _stream(events, is_cut=isinstance(step, Cut))


def _http(status: int, kind: str, body: bytes, headers: Mapping[str, str] | None = None) -> bytes:
    lines = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        f"Content-Type: {kind}",
        f"Content-Length: {len(body)}",
        "Connection: close",
        *(f"{name}: {value}" for name, value in (headers or {}).items()),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def _stream(events: list[str], *, is_cut: bool) -> bytes:
    """Server-sent events in one chunk; cut off, the chunk that ends the body is missing."""
    body = "".join(events).encode()
    head = (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
        b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    )
    return head + f"{len(body):x}\r\n".encode() + body + b"\r\n" + (b"" if is_cut else b"0\r\n\r\n")


def _openai(step: Step) -> list[str]:
    """Chunks of a chat completion: role, text, stop reason, usage, end."""

    def chunk(delta: Mapping[str, Any] | None, reason: str | None = None, **more: Any) -> str:
        choice = {"index": 0, "delta": delta, "finish_reason": reason}
        whole = {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 1_790_000_000,
            "model": "gpt-5-mini-2026-01-01",
            "choices": [] if delta is None else [choice],
            **more,
        }
        return f"data: {json.dumps(whole)}\n\n"

    usage = {"prompt_tokens": INPUT_TOKENS, "completion_tokens": OUTPUT_TOKENS}
    said = {"refusal": "I cannot."} if isinstance(step, Refuse) else {"content": getattr(step, "text", "")}
    events = [
        chunk({"role": "assistant", "content": ""}),
        chunk(said),
        chunk({}, "length" if isinstance(step, Say) and step.is_too_long else "stop"),
        chunk(None, usage=usage | {"total_tokens": INPUT_TOKENS + OUTPUT_TOKENS}),
        "data: [DONE]\n\n",
    ]
    return events[:2] if isinstance(step, Cut | WithoutEnd) else events


def _anthropic(step: Step) -> list[str]:
    """Events of a message: start, block, text, end of block, stop reason and usage, end."""
    reason = "refusal" if isinstance(step, Refuse) else "end_turn"
    if isinstance(step, Say) and step.is_too_long:
        reason = "max_tokens"
    start: dict[str, Any] = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-haiku-4-5-20251001",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": INPUT_TOKENS, "output_tokens": 1},
    }
    text = {"type": "text_delta", "text": getattr(step, "text", "")}
    stop = {"stop_reason": reason, "stop_sequence": None}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": start},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": text},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": stop, "usage": {"output_tokens": OUTPUT_TOKENS}},
        {"type": "message_stop"},
    ]
    kept = events[:4] if isinstance(step, Cut | WithoutEnd) else events
    return [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in kept]

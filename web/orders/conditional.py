"""Answers that a reader may have already (RFC 9110 §13)."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any

from litestar import Request


def validators(changed_at: datetime, *parts: object) -> dict[str, str]:
    """The headers by which this very answer is known again: when it was changed, and a tag made of its parts."""
    named = "\n".join(map(str, (changed_at, *parts)))
    return {
        # A weak one: the same answer is sent compressed and not.
        "ETag": f'W/"{hashlib.sha256(named.encode()).hexdigest()[:24]}"',
        "Last-Modified": format_datetime(changed_at.astimezone(UTC), usegmt=True),
    }


def not_modified(request: Request[Any, Any, Any], headers: Mapping[str, str]) -> bool:
    """Whether who asks has this answer. The date counts only for who brings no tag, as the standard says."""
    tags = request.headers.get("if-none-match")
    if tags is not None:
        ours = headers["ETag"].removeprefix("W/")
        return tags.strip() == "*" or ours in {one.strip().removeprefix("W/") for one in tags.split(",")}
    try:
        since = parsedate_to_datetime(request.headers.get("if-modified-since", ""))
        return since >= parsedate_to_datetime(headers["Last-Modified"])
    except (ValueError, TypeError):
        return False

"""Jobs for machines: letters, notifications and reports that a program asks for, described at /api/openapi.json."""

from typing import Any

from web.jobs.api import Jobs

__all__ = ["handlers"]

handlers: list[Any] = [Jobs]

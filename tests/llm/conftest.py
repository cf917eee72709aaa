"""A scripted provider, and an `Llm` that asks it."""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from models.base.db import Database
from tasks.llm import Endpoint, Llm, LlmOptions, ModelName
from tests.llm.server import ModelServer

MakeLlm = Callable[..., Llm]


def options(server: ModelServer, **changes: Any) -> LlmOptions:
    """OpenAI's protocol first, no fallback, and little patience."""
    values: dict[str, Any] = {
        "model": ModelName("openai", "gpt-5-mini"),
        "endpoints": {
            "openai": Endpoint(SecretStr("sk-openai"), f"{server.url}/v1"),
            "anthropic": Endpoint(SecretStr("sk-ant"), server.url),
        },
        "timeout": timedelta(seconds=20),
    }
    return LlmOptions(**(values | changes))


@pytest.fixture
async def server() -> AsyncIterator[ModelServer]:
    async with ModelServer() as server:
        yield server


@pytest.fixture
def make_llm(database: Database, server: ModelServer) -> MakeLlm:
    """Makes an `Llm` with the options changed by name."""

    def make(**changes: Any) -> Llm:
        return Llm(database, options(server, **changes))

    return make


@pytest.fixture
def llm(make_llm: MakeLlm) -> Llm:
    return make_llm()

"""A process that asks one question, to be killed while it waits for the answer."""

import asyncio
import os

from pydantic import SecretStr

from models.base.db import Database
from tasks.llm import Endpoint, Llm, LlmOptions, ModelName
from tests.llm.questions import ask


async def main() -> None:
    endpoint = Endpoint(SecretStr("sk-openai"), os.environ["WORKER_PROVIDER"])
    options = LlmOptions(ModelName("openai", "gpt-5-mini"), endpoints={"openai": endpoint})
    await ask(Llm(Database(os.environ["WORKER_DATABASE"], pool_size=1), options))


if __name__ == "__main__":
    asyncio.run(main())

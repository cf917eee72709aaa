"""The providers themselves, through pydantic-ai. Heavy: seconds and some 80 MB, so imported on the first call.

One `call` is one HTTP request, streamed: when a job is cancelled, hanging up ends the provider's work and its
price. The SDKs would retry twice by themselves, which multiplied by a job's own attempts multiplies the bill, so
they are built here with that turned off.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from decimal import ROUND_UP, Decimal
from typing import Final, Literal

import httpx2
from anthropic import AsyncAnthropic
from genai_prices import calc_price
from openai import AsyncOpenAI
from pydantic_ai import ModelRequest, ModelResponse, RequestUsage, SystemPromptPart, TextPart, UserPromptPart
from pydantic_ai import exceptions as failures
from pydantic_ai.direct import model_request_stream
from pydantic_ai.messages import ModelMessage
from pydantic_ai.models import Model, ModelRequestParameters
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.output import OutputObjectDefinition
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.settings import ModelSettings

from tasks.llm.errors import CROWDED, CallFailed, RequestRejected
from tasks.llm.options import Endpoint, LlmOptions, ModelName, Price
from tasks.llm.reply import Reply
from tasks.llm.request import Request, lay_out

CONNECT_SECONDS: Final = 5.0
BYTES_PER_TOKEN: Final = 3
"""Fewer than any language averages (English 4.2, Chinese about 3), so that an estimate is an upper bound."""
OVERHEAD_TOKENS: Final = 200
CREDIT_PAUSE: Final = timedelta(minutes=15)
MICRO: Final = Decimal("0.000001")
ENDINGS: Final[Mapping[str, Literal["done", "too_long", "refused"]]] = {
    "stop": "done",
    "length": "too_long",
    "content_filter": "refused",
}


class Providers:
    """OpenAI's and Anthropic's protocols, at the endpoints in the options."""

    def __init__(self, options: LlmOptions) -> None:
        self.options = options

    async def estimate_cents(self, request: Request) -> Decimal:
        """See `Caller.estimate_cents`."""
        usage = RequestUsage(
            input_tokens=request.size // BYTES_PER_TOKEN + OVERHEAD_TOKENS,
            output_tokens=request.max_output_tokens,
        )
        return price_cents(request.model, usage, self.options.unlisted_price)

    async def call(self, request: Request) -> Reply:
        """Answer, with exactly one HTTP request. Raises what `tasks.llm.errors` names."""
        endpoint = self.options.endpoints[request.model.provider]
        seconds = self.options.timeout.total_seconds()
        async with _client(request.model, endpoint, seconds) as model:
            try:
                async with model_request_stream(
                    model,
                    _messages(request),
                    model_settings=ModelSettings(
                        max_tokens=request.max_output_tokens, request_timeout=seconds
                    ),
                    model_request_parameters=_parameters(request, model),
                ) as stream:
                    async for _ in stream:
                        pass
                    response = stream.get()
            except (failures.AgentRunError, failures.UserError) as failure:
                raise _translated(failure, request.model) from failure
        return _read(response, request.model, self.options.unlisted_price)


@asynccontextmanager
async def _client(name: ModelName, endpoint: Endpoint, seconds: float) -> AsyncIterator[Model]:
    key, timeout = endpoint.key.get_secret_value(), httpx2.Timeout(seconds, connect=CONNECT_SECONDS)
    if name.provider == "openai":
        async with AsyncOpenAI(
            api_key=key, base_url=endpoint.base_url, max_retries=0, timeout=timeout
        ) as openai:
            yield OpenAIChatModel(name.name, provider=OpenAIProvider(openai_client=openai))
    else:
        async with AsyncAnthropic(
            api_key=key, base_url=endpoint.base_url, max_retries=0, timeout=timeout
        ) as anthropic:
            yield AnthropicModel(name.name, provider=AnthropicProvider(anthropic_client=anthropic))


def _messages(request: Request) -> list[ModelMessage]:
    prompt = lay_out(request)
    messages: list[ModelMessage] = [
        ModelRequest(parts=[SystemPromptPart(prompt.system), UserPromptPart(prompt.user)])
    ]
    for made in request.corrections:
        messages.append(ModelResponse(parts=[TextPart(made.answer)]))
        messages.append(ModelRequest(parts=[UserPromptPart(made.fault)]))
    return messages


def _parameters(request: Request, model: Model) -> ModelRequestParameters:
    """Ask for the schema: enforced by the provider where the model can, described in words where it cannot."""
    is_enforced = model.profile.get("supports_json_schema_output", False)
    return ModelRequestParameters(
        output_mode="native" if is_enforced else "prompted",
        output_object=OutputObjectDefinition(
            json_schema=dict(request.schema), name=request.schema_name, strict=True if is_enforced else None
        ),
    )


def _read(response: ModelResponse, name: ModelName, unlisted: Price) -> Reply:
    """Accept only an answer that is known to have arrived whole.

    A stream whose connection was closed early can look like success, with no usage or no stop reason, or with
    a stop reason that the library has filled in; what the provider itself said is in `provider_details`.
    """
    details = response.provider_details or {}
    is_said = details.get("finish_reason") is not None or "refusal" in details
    ending = ENDINGS.get(response.finish_reason or "")
    if ending is None or not is_said or response.usage.unmeasured_requests:
        raise CallFailed("cut", f"The answer of {name} broke off before its end.", may_be_charged=True)
    return Reply(
        text=response.text or "",
        ending=ending,
        input_tokens=response.usage.input_tokens,
        output_tokens=response.usage.output_tokens,
        cost_cents=price_cents(name, response.usage, unlisted),
        model=response.model_name or name.name,
    )


def price_cents(name: ModelName, usage: RequestUsage, unlisted: Price) -> Decimal:
    """What the tokens cost by the bundled price list, rounded up to a millionth of a cent.

    A model that the list does not know is priced as `unlisted`.
    """
    try:
        cents = calc_price(usage, name.name, provider_id=name.provider).total_price * 100
    except LookupError:
        millionths = usage.input_tokens * unlisted.input_cents + usage.output_tokens * unlisted.output_cents
        cents = millionths / 1_000_000
    return cents.quantize(MICRO, rounding=ROUND_UP)


PERMANENT: Final[Mapping[type[Exception], tuple[str, str]]] = {
    failures.ModelAuthenticationError: ("unauthorised", "does not accept the key"),
    failures.ModelNotFoundError: ("no_such_model", "does not exist, or this key may not use it"),
    failures.ModelContextWindowExceededError: ("too_long", "cannot read that much at once"),
    failures.ModelRequestRejectedError: ("rejected", "rejected the request"),
    failures.UserError: ("unsupported", "cannot be asked in this way"),
}
PASSING: Final[Mapping[type[Exception], tuple[str, str]]] = {
    failures.ModelQuotaExceededError: ("no_credit", "has no credit left in its account"),
    failures.ModelRateLimitError: (CROWDED, "asks for a pause"),
    failures.ModelUnavailableError: ("unavailable", "is not available"),
    failures.ModelServerError: ("server_error", "failed on its side"),
    failures.ModelRequestTimeout: ("timeout", "did not answer in time"),
    failures.ModelTimeoutError: ("timeout", "did not answer in time"),
    failures.ModelConnectionError: ("connection", "could not be reached, or hung up"),
    failures.UnexpectedModelBehavior: ("garbled", "answered with something that is not its protocol"),
}
BEFORE_SENDING: Final = frozenset({"pool", "connect"})
ANSWERED_WITHOUT_WORK: Final = (
    failures.ModelQuotaExceededError,
    failures.ModelRateLimitError,
    failures.ModelUnavailableError,
    failures.ModelServerError,
)
PASSING_STATUSES: Final = frozenset({408, 409, 425})


def _translated(failure: Exception, name: ModelName) -> RequestRejected | CallFailed:
    """The library's failure in our words. What the provider wrote stays in the traceback: it may echo the key."""
    status = getattr(failure, "status_code", None)
    for kinds, is_permanent in ((PERMANENT, True), (PASSING, False)):
        for failure_type, (kind, words) in kinds.items():
            if isinstance(failure, failure_type):
                said = f"{name} {words}" + (f" (HTTP {status})." if status else ".")
                return RequestRejected(kind, said) if is_permanent else _passing(failure, kind, said)
    if status is not None and 400 <= status < 500 and status not in PASSING_STATUSES:  # noqa: PLR2004 - HTTP
        return RequestRejected("rejected", f"{name} rejected the request (HTTP {status}).")
    return _passing(failure, "failed", f"{name} failed" + (f" (HTTP {status})." if status else "."))


def _passing(failure: Exception, kind: str, said: str) -> CallFailed:
    asked_for = getattr(failure, "retry_after", None)
    pause = timedelta(seconds=asked_for) if asked_for is not None else None
    if kind == "no_credit":
        # Not a fault of the request: another provider can take it, and topping up the account mends it.
        pause = pause or CREDIT_PAUSE
    is_free = getattr(failure, "phase", None) in BEFORE_SENDING or (
        isinstance(failure, ANSWERED_WITHOUT_WORK) and not getattr(failure, "in_stream", False)
    )
    return CallFailed(kind, said, may_be_charged=not is_free, retry_after=pause)

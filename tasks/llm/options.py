"""What has to be known to ask a model: which one, with which key, where, and for how much."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Final, Literal, Self, cast, get_args

from pydantic import SecretStr

from models.base.settings.working import LlmSettings
from models.usage.rules import Budget

ProviderName = Literal["openai", "anthropic"]
PROVIDERS: Final[tuple[str, ...]] = get_args(ProviderName)


@dataclass(frozen=True, slots=True)
class ModelName:
    """A model and who serves it, written `provider:name`."""

    provider: ProviderName
    name: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `openai:gpt-5.2`. Raises `ValueError` for a provider that is not supported."""
        provider, colon, name = text.partition(":")
        if not (colon and name and provider in PROVIDERS):
            raise ValueError(f"{text!r} is not a model: write provider:name, provider one of {PROVIDERS}.")
        return cls(cast("ProviderName", provider), name)

    def __str__(self) -> str:
        return f"{self.provider}:{self.name}"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """How to reach a provider. `base_url` of None is the provider's own server."""

    key: SecretStr
    base_url: str | None = None


@dataclass(frozen=True, slots=True)
class Price:
    """US cents per million tokens."""

    input_cents: Decimal
    output_cents: Decimal


DEFAULT_BUDGET: Final = Budget(per_subject_cents=200, per_day_cents=5000)
UNLISTED_PRICE: Final = Price(Decimal(500), Decimal(2500))
"""For models that are missing in the price list: dear on purpose, so that budgets err on the safe side."""


@dataclass(frozen=True, slots=True)
class LlmOptions:
    """What has to be known to ask a model."""

    model: ModelName
    fallback: ModelName | None = None
    endpoints: Mapping[ProviderName, Endpoint] = field(default_factory=dict)
    timeout: timedelta = timedelta(seconds=60)
    budget: Budget = DEFAULT_BUDGET
    mode: Literal["live", "record", "replay"] = "live"
    replay_folder: Path | None = None
    unlisted_price: Price = UNLISTED_PRICE

    def __post_init__(self) -> None:
        """Refuse what could only fail later, in the middle of somebody's order."""
        if self.mode != "live" and self.replay_folder is None:
            raise ValueError(f"LLM_REPLAY_DIR is needed when LLM_MODE is {self.mode}.")
        for model in filter(None, (self.model, self.fallback)):
            if self.mode != "replay" and model.provider not in self.endpoints:
                raise ValueError(f"LLM_{model.provider.upper()}_API_KEY is needed to ask {model}.")

    @classmethod
    def from_settings(cls, settings: LlmSettings) -> Self | None:
        """The options in the environment, or None where no model is set: then only the basic writer works."""
        if settings.model is None:
            return None
        keys: dict[ProviderName, tuple[SecretStr | None, str | None]] = {
            "openai": (settings.openai_api_key, settings.openai_base_url),
            "anthropic": (settings.anthropic_api_key, settings.anthropic_base_url),
        }
        return cls(
            model=ModelName.parse(settings.model),
            fallback=ModelName.parse(settings.fallback_model) if settings.fallback_model else None,
            endpoints={name: Endpoint(key, url) for name, (key, url) in keys.items() if key is not None},
            timeout=timedelta(seconds=settings.timeout_seconds),
            budget=Budget(settings.budget_per_order_cents, settings.budget_per_day_cents),
            mode=settings.mode,
            replay_folder=Path(settings.replay_dir) if settings.replay_dir else None,
        )

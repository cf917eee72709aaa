"""The only reader of the environment. Every variable is named, typed and explained here, and refused early.

`python -m models.base.settings` prints `.env.example`.
"""

import functools
import sys

from pydantic import BaseModel, Field, ValidationError
from pydantic_settings import BaseSettings

from models.base.settings.group import prefix_of
from models.base.settings.running import (
    AppSettings,
    CollectorSettings,
    DatabaseSettings,
    RedisSettings,
    ScalingSettings,
)
from models.base.settings.selling import (
    AccountSettings,
    OrderSettings,
    RefundSettings,
    SellerSettings,
    StripeSettings,
)
from models.base.settings.working import (
    AlertSettings,
    BoardSettings,
    FileSettings,
    JobSettings,
    LlmSettings,
    MailSettings,
    WebhookSettings,
)

MIN_SECRET_LENGTH = 32


class SettingsError(Exception):
    """The environment is not fit to start with; the message names each variable and the remedy."""


class Settings(BaseModel):
    """Everything that the environment says, by area."""

    model_config = {"frozen": True}
    app: AppSettings
    database: DatabaseSettings
    redis: RedisSettings
    stripe: StripeSettings
    mail: MailSettings
    llm: LlmSettings
    orders: OrderSettings
    jobs: JobSettings
    accounts: AccountSettings = Field(default_factory=AccountSettings)
    seller: SellerSettings = Field(default_factory=SellerSettings)
    refunds: RefundSettings = Field(default_factory=RefundSettings)
    files: FileSettings = Field(default_factory=FileSettings)
    webhooks: WebhookSettings = Field(default_factory=WebhookSettings)
    collectors: CollectorSettings = Field(default_factory=CollectorSettings)
    alerts: AlertSettings = Field(default_factory=AlertSettings)
    board: BoardSettings = Field(default_factory=BoardSettings)
    scaling: ScalingSettings = Field(default_factory=ScalingSettings)

    @property
    def is_test_mode(self) -> bool:
        """Whether every payment is play money; shown as a banner wherever money is spoken of."""
        return not self.stripe.is_live


def load() -> Settings:
    """Read and check the environment; raise `SettingsError` naming every variable that is wrong."""
    groups: dict[str, BaseSettings] = {}
    problems: list[str] = []
    for name, info in Settings.model_fields.items():
        group = info.annotation
        assert isinstance(group, type)
        assert issubclass(group, BaseSettings)
        try:
            groups[name] = group()
        except ValidationError as error:
            problems += [
                f"{prefix_of(group)}{'_'.join(map(str, one['loc']))}".upper()
                + f": {one['msg']} (it is {one['input']!r})"
                for one in error.errors()
            ]
    if problems:
        raise SettingsError("\n".join(problems))
    settings = Settings.model_validate(groups)
    if problems := _contradictions(settings):
        raise SettingsError("\n".join(problems))
    return settings


def _contradictions(settings: Settings) -> list[str]:
    """What no single variable can show: values that are missing, or do not go together."""
    app, stripe, mail = settings.app, settings.stripe, settings.mail
    key = stripe.secret_key.get_secret_value() if stripe.secret_key else ""
    production = app.environment == "production"
    rules = [
        (
            not settings.database.url,
            "DATABASE_URL: is not set. Give postgresql://user:password@host:5432/name, or start with `make up`.",
        ),
        (not settings.redis.url, "REDIS_URL: is not set. Give redis://host:6379/0, or start with `make up`."),
        (
            len(app.secret_key.get_secret_value()) < MIN_SECRET_LENGTH,
            "SECRET_KEY: is missing or shorter than 32 characters. Make one: openssl rand -base64 48",
        ),
        (
            bool(key) and not key.startswith(("sk_", "rk_")),
            "STRIPE_SECRET_KEY: does not look like a secret key. It begins with sk_live_, sk_test_ or rk_.",
        ),
        (
            not key,
            "STRIPE_SECRET_KEY: is not set. Set a key of your Stripe account, or start with `make up`, which brings a sandbox.",
        ),
        (
            production and bool(stripe.api_base),
            "STRIPE_API_BASE: is set in production. Payments there go to Stripe alone; remove it.",
        ),
        (
            stripe.is_live and not stripe.webhook_secrets,
            "STRIPE_WEBHOOK_SECRETS: is not set. Copy the signing secret of your webhook endpoint from Stripe.",
        ),
        (
            stripe.is_live and not production,
            "STRIPE_SECRET_KEY: is a live key, but ENVIRONMENT is not production. Use a test key here.",
        ),
        (
            production and not app.is_https,
            "PUBLIC_URL: must begin with https:// in production; sign-in cookies need it.",
        ),
        (
            production and mail.way == "outbox",
            "MAIL_BACKEND: no way to send letters in production. Set MAIL_SES_REGION or MAIL_SMTP_HOST.",
        ),
        (
            production and bool(mail.sns_endpoint_url),
            "MAIL_SNS_ENDPOINT_URL: is set in production. Only Amazon signs events there; remove it.",
        ),
        (mail.way == "ses" and not mail.ses_region, "MAIL_SES_REGION: is not set, but MAIL_BACKEND is ses."),
        (mail.way == "smtp" and not mail.smtp_host, "MAIL_SMTP_HOST: is not set, but MAIL_BACKEND is smtp."),
        *_model_rules(settings.llm),
    ]
    return [words for wrong, words in rules if wrong]


def _model_rules(llm: LlmSettings) -> list[tuple[bool, str]]:
    keys = {"openai": llm.openai_api_key, "anthropic": llm.anthropic_api_key}
    rules: list[tuple[bool, str]] = []
    for variable, model in (("LLM_MODEL", llm.model), ("LLM_FALLBACK_MODEL", llm.fallback_model)):
        provider = (model or "").partition(":")[0]
        if not model:
            continue
        rules.append(
            (
                provider not in keys,
                f"{variable}: is {model!r}. Write provider:name with provider openai or anthropic.",
            )
        )
        missing = provider in keys and not keys[provider] and llm.mode != "replay"
        rules.append(
            (missing, f"LLM_{provider.upper()}_API_KEY: is not set, but {variable} asks for {model}.")
        )
    rules.append(
        (
            llm.mode != "live" and not llm.replay_dir,
            f"LLM_REPLAY_DIR: is not set, but LLM_MODE is {llm.mode}.",
        )
    )
    return rules


@functools.lru_cache(maxsize=1)
def settings() -> Settings:
    """The settings of this process, read once."""
    return load()


def start() -> Settings:
    """The settings of this process, or a plain word on stderr and exit status 2."""
    try:
        return settings()
    except SettingsError as error:
        told = "".join(f"  {line}\n" for line in str(error).splitlines())
        sys.stderr.write(f"Galley cannot start with these settings:\n{told}")
        raise SystemExit(2) from None

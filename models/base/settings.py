"""The only reader of the environment. Every variable is named, typed and explained here, and refused early.

`python -m models.base.settings` prints `.env.example`.
"""

import functools
import sys
from datetime import timedelta
from types import UnionType
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from models.base import settings_group as more
from models.base.settings_group import Group, Url, words

MIN_SECRET_LENGTH = 32


class SettingsError(Exception):
    """The environment is not fit to start with; the message names each variable and the remedy."""


class AppSettings(Group):
    """The product as a whole"""

    environment: Literal["development", "test", "production"] = Field(
        "production", description="development shows /dev pages and allows plain http on localhost"
    )
    public_url: Url = Field(
        "http://localhost:8000", description="how customers reach the product; every link is built from it"
    )
    host: str = Field("127.0.0.1", description="the address that the web process binds to")
    port: int = Field(8000, ge=0, le=65535, description="the port that the web process binds to")
    secret_key: SecretStr = Field(
        SecretStr(""), description="at least 32 random characters; every other key is derived from it"
    )
    old_secret_keys: SecretStr = Field(
        SecretStr(""), description="earlier values of SECRET_KEY, comma separated, while you rotate"
    )
    trusted_proxies: int = Field(
        0, ge=0, le=5, description="how many proxies of yours stand in front and write X-Forwarded-For"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="the least important thing to log"
    )
    log_format: Literal["console", "json"] = Field(
        "json", description="console for people, json for machines"
    )

    @property
    def is_local(self) -> bool:
        """Whether development conveniences may be shown."""
        return self.environment != "production"

    @property
    def is_https(self) -> bool:
        """Whether cookies can be Secure and `__Host-`."""
        return self.public_url.startswith("https://")


class DatabaseSettings(Group):
    """PostgreSQL, the truth"""

    model_config = SettingsConfigDict(env_prefix="DATABASE_")
    url: str = Field("", description="postgresql://user:password@host:5432/name")
    pool_size: int = Field(
        10, ge=1, le=100, description="connections per web process; a worker takes slots + 5, at most 23"
    )


class RedisSettings(Group):
    """Redis or Valkey, the news"""

    model_config = SettingsConfigDict(env_prefix="REDIS_")
    url: str = Field("", description="redis://host:6379/0; losing its content loses nothing but time")


class StripeSettings(Group):
    """Payments. Without STRIPE_SECRET_KEY the pay sandbox is used, never in production"""

    model_config = SettingsConfigDict(env_prefix="STRIPE_")
    secret_key: SecretStr | None = Field(None, description="sk_live_… or sk_test_…")
    webhook_secrets: Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(words)] = Field(
        (), description="whsec_…, comma separated while you rotate; without one the webhook answers 404"
    )
    api_base: Url | None = Field(
        None, description="another server that speaks Stripe's protocol; set by the local runner"
    )
    pay_host: Url = Field(
        "https://checkout.stripe.com", description="where the hosted payment page is, for form-action"
    )

    @property
    def is_live(self) -> bool:
        """Whether real money moves."""
        return self.secret_key is not None and self.secret_key.get_secret_value().startswith(
            ("sk_live_", "rk_live_")
        )


class MailSettings(Group):
    """Letters. `auto` takes SES if a region is set, else SMTP if a host is set, else the outbox page"""

    model_config = SettingsConfigDict(env_prefix="MAIL_")
    backend: Literal["auto", "ses", "smtp", "outbox"] = Field(
        "auto", description="how letters leave; outbox only shows them at /dev/mail"
    )
    sender: str = Field("Galley <hello@galley.example>", description="the From of every letter")
    admins: Annotated[tuple[str, ...], NoDecode, BeforeValidator(words)] = Field(
        (), description="who hears of failures, disputes and orders to review; empty: every admin and editor"
    )
    ses_region: str | None = Field(None, description="for example eu-central-1")
    ses_endpoint_url: Url | None = Field(
        None, description="another server that speaks SES's protocol, for tests"
    )
    ses_configuration_set: str | None = Field(
        None, description="the set whose events come back to /webhooks/ses"
    )
    ses_topic: str | None = Field(
        None,
        pattern=r"^arn:(aws|aws-cn|aws-us-gov):sns:[a-z0-9-]+:\d{12}:[\w-]+$",
        description="the ARN of the SNS topic of these events; without one /webhooks/ses answers 404",
    )
    sns_endpoint_url: Url | None = Field(
        None, description="another server that speaks SNS's protocol, for tests"
    )
    ses_rate: float = Field(1.0, gt=0, description="letters per second that the account allows")
    keep_days: int = Field(90, ge=1, description="how long the text of letters is kept after they were sent")
    smtp_host: str | None = Field(None, description="an SMTP relay")
    smtp_port: int = Field(587, description="its port")
    smtp_username: str | None = Field(None, description="its user, if it wants one")
    smtp_password: SecretStr | None = Field(None, description="and the password")
    smtp_starttls: bool = Field(True, description="whether to insist on STARTTLS")

    @property
    def way(self) -> Literal["ses", "smtp", "outbox"]:
        """The way to send that `auto` stands for."""
        if self.backend != "auto":
            return self.backend
        return "ses" if self.ses_region else "smtp" if self.smtp_host else "outbox"


class LlmSettings(Group):
    """Models. Without a key the basic writer places backlinks, and whole articles are not offered"""

    model_config = SettingsConfigDict(env_prefix="LLM_")
    model: str | None = Field(
        None, description="provider:name, for example anthropic:claude-sonnet-5 or openai:gpt-5.2"
    )
    fallback_model: str | None = Field(None, description="asked when the first is not available")
    openai_api_key: SecretStr | None = Field(None, description="key for openai: models")
    openai_base_url: Url | None = Field(None, description="another server that speaks OpenAI's protocol")
    anthropic_api_key: SecretStr | None = Field(None, description="key for anthropic: models")
    anthropic_base_url: Url | None = Field(
        None, description="another server that speaks Anthropic's protocol"
    )
    timeout_seconds: float = Field(60, gt=0, description="for one answer")
    budget_per_order_cents: int = Field(
        200, ge=0, description="what the models may cost for one order; 0 is no limit"
    )
    budget_per_day_cents: int = Field(5000, ge=0, description="and for all of them in a day; 0 is no limit")
    mode: Literal["live", "record", "replay"] = Field(
        "live", description="replay answers only from stored ones"
    )
    replay_dir: str | None = Field(None, description="where stored answers lie")


class OrderSettings(Group):
    """The rules of the shop"""

    model_config = SettingsConfigDict(env_prefix="ORDER_")
    regeneration_wait_seconds: int = Field(
        60, ge=0, description="between two regenerations of one order; 0 is no limit"
    )
    regenerations_per_day: int = Field(10, ge=0, description="of one order; 0 is no limit")
    review_days: int = Field(
        14, ge=1, le=90, description="until an unreviewed version is submitted by itself"
    )
    undecided: Literal["submit", "refund"] = Field(
        "submit", description="what becomes of a version that nobody decided about in that time"
    )
    promise_minutes: int = Field(10, ge=1, description="how soon a backlink is promised for review")
    denied_domains: Annotated[tuple[str, ...], NoDecode, BeforeValidator(words)] = Field(
        (), description="targets that are never accepted, comma separated"
    )
    check_targets: bool = Field(
        True, description="whether a target URL must answer before it can be paid for"
    )
    allowed_private_targets: Annotated[tuple[str, ...], NoDecode, BeforeValidator(words)] = Field(
        (), description="host:port pairs on private addresses that a target may have, for tests"
    )

    @property
    def regeneration_wait(self) -> timedelta:
        """Between two regenerations of one order."""
        return timedelta(seconds=self.regeneration_wait_seconds)


class JobSettings(Group):
    """The job engine"""

    model_config = SettingsConfigDict(env_prefix="JOB_")
    lease_seconds: float = Field(
        8, ge=1, le=300, description="a worker that was silent for so long is dead, and its jobs go back"
    )
    poll_seconds: float = Field(1, gt=0, le=30, description="how often a worker looks for work unasked")
    drain_seconds: float = Field(25, ge=0, description="how long running jobs may take to end after SIGTERM")
    keep_days: int = Field(14, ge=1, description="how long finished jobs are kept")


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
    accounts: more.AccountSettings = Field(default_factory=more.AccountSettings)
    seller: more.SellerSettings = Field(default_factory=more.SellerSettings)
    refunds: more.RefundSettings = Field(default_factory=more.RefundSettings)
    files: more.FileSettings = Field(default_factory=more.FileSettings)
    webhooks: more.WebhookSettings = Field(default_factory=more.WebhookSettings)
    collectors: more.CollectorSettings = Field(default_factory=more.CollectorSettings)
    alerts: more.AlertSettings = Field(default_factory=more.AlertSettings)
    board: more.BoardSettings = Field(default_factory=more.BoardSettings)
    scaling: more.ScalingSettings = Field(default_factory=more.ScalingSettings)

    @property
    def is_test_mode(self) -> bool:
        """Whether every payment is play money; shown as a banner wherever money is spoken of."""
        return not self.stripe.is_live


def prefix_of(group: type[BaseSettings]) -> str:
    """What stands in front of the group's field names in the environment."""
    return str(group.model_config.get("env_prefix") or "")


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


def _default(value: Any) -> str:
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return "" if value is None else str(value)


def _kind(annotation: Any) -> str:
    if get_origin(annotation) is Literal:
        return " | ".join(map(str, get_args(annotation)))
    return _kind(get_args(annotation)[0]) if get_origin(annotation) is UnionType else ""


def example() -> str:
    """The text of `.env.example`: every variable, its default, and what it is for."""
    lines = ["# Every setting of Galley. Written by `python -m models.base.settings`; a test compares.", ""]
    for info in Settings.model_fields.values():
        group = info.annotation
        assert isinstance(group, type)
        assert issubclass(group, BaseSettings)
        lines.append(f"# ---- {group.__doc__}")
        for name, field in group.model_fields.items():
            choices = _kind(field.annotation)
            lines.append(f"# {field.description}" + (f" ({choices})" if choices else ""))
            lines.append(f"{prefix_of(group)}{name}".upper() + f"={_default(field.default)}")
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(example())

"""What workers need: jobs, letters, models, files."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode, SettingsConfigDict

from models.base.settings.group import Group, Url, words


class JobSettings(Group):
    """The job engine"""

    model_config = SettingsConfigDict(env_prefix="JOB_")
    lease_seconds: float = Field(
        8, ge=1, le=300, description="a worker that was silent for so long is dead, and its jobs go back"
    )
    poll_seconds: float = Field(1, gt=0, le=30, description="how often a worker looks for work unasked")
    drain_seconds: float = Field(25, ge=0, description="how long running jobs may take to end after SIGTERM")
    keep_days: int = Field(14, ge=1, description="how long finished jobs are kept")


class AlertSettings(Group):
    """When those who look after the jobs are written to"""

    model_config = SettingsConfigDict(env_prefix="ALERT_")
    waiting_jobs: int = Field(100, ge=1, description="more jobs than this wait in one queue")
    oldest_seconds: float = Field(300, gt=0, description="a job has waited in its queue for longer than this")
    dead_per_hour: int = Field(5, ge=1, description="so many jobs of one kind died within an hour")


class BoardSettings(Group):
    """The board at /admin/queues"""

    model_config = SettingsConfigDict(env_prefix="BOARD_")
    analysts_see_payloads: bool = Field(
        False,
        description="analysts are shown what jobs carry and write, which may name customers; else only editors are",
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


class FileSettings(Group):
    """Files that people download, such as reports: in a folder that web and workers share, or in a bucket"""

    model_config = SettingsConfigDict(env_prefix="FILE_")
    folder: Path = Field(Path(".data/files"), description="where they lie when there is no bucket")
    s3_bucket: str | None = Field(None, description="the S3 bucket that they lie in")
    s3_region: str | None = Field(None, description="its region, for example eu-central-1")
    s3_endpoint_url: str | None = Field(None, description="another server that speaks S3's protocol")
    keep_days: int = Field(7, ge=1, description="how long a report can be downloaded")


class WebhookSettings(Group):
    """Signed webhooks to systems of yours"""

    model_config = SettingsConfigDict(env_prefix="WEBHOOK_")
    allowed_private_hosts: Annotated[tuple[str, ...], NoDecode, BeforeValidator(words)] = Field(
        (), description="host:port pairs on private addresses that endpoints may have"
    )

"""What every group of settings is made of, and the groups for which `settings.py` has no room."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


def words(value: object) -> object:
    """The parts of a comma-separated variable."""
    return (
        tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value
    )


def _bare(url: str) -> str:
    return url.rstrip("/")


def _lines(value: str) -> str:
    return value.replace("\\n", "\n")


Url = Annotated[str, Field(pattern=r"^https?://[^\s/]+"), AfterValidator(_bare)]
#: Several lines in one variable, told apart by a written \n.
Lines = Annotated[str, AfterValidator(_lines)]


class Group(BaseSettings):
    """A group of variables with a common prefix. An empty variable counts as not set."""

    model_config = SettingsConfigDict(env_ignore_empty=True, frozen=True, extra="ignore")


class AccountSettings(Group):
    """Signing in"""

    model_config = SettingsConfigDict(env_prefix="ACCOUNTS_")
    staff_need_passkeys: bool | None = Field(
        None,
        description="whether a letter alone lets no analyst, editor or admin in; empty: in production it does not",
    )

    def want_passkeys(self, *, is_local: bool) -> bool:
        """Whether staff are let in by their passkeys only."""
        return not is_local if self.staff_need_passkeys is None else self.staff_need_passkeys


class SellerSettings(Group):
    """Who sells: what stands on invoices and credit notes"""

    model_config = SettingsConfigDict(env_prefix="SELLER_")
    name: str = Field("", description="the name of the business, as it is registered")
    address: Lines = Field("", description="its postal address; write \\n between the lines")
    tax_id: str = Field("", description="its tax or VAT number, with its name: VAT DE123456789")
    footer: Lines = Field("", description="small print below every invoice, for example why no VAT is shown")


class RefundSettings(Group):
    """Refunds"""

    model_config = SettingsConfigDict(env_prefix="REFUND_")
    second_person_above_cents: int = Field(
        50_000, ge=0, description="a refund of more waits for another admin, if there is one; 0 is never"
    )

    def wants_second_person(self, amount_cents: int) -> bool:
        """Whether one person is not enough for a refund of this amount, in cents of the payment's currency."""
        return 0 < self.second_person_above_cents < amount_cents


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


class ScalingSettings(Group):
    """How many workers there are"""

    scaling_backend: Literal["none", "ecs", "local", "metrics"] = Field(
        "none",
        description="who starts and ends workers: nobody, ECS, the runner of `make up`, or who reads `workers_wanted`",
    )
    scaling_hold_seconds: float = Field(
        300, ge=0, description="fewer workers only when no more were wanted for so long"
    )
    ecs_cluster: str | None = Field(
        None, validate_default=True, description="the cluster whose worker services are scaled"
    )
    ecs_region: str | None = Field(None, validate_default=True, description="its region")
    ecs_endpoint_url: Url | None = Field(
        None, description="another server that speaks ECS's protocol, for tests"
    )
    ecs_agent_uri: Url | None = Field(
        None, description="where a task asks not to be stopped while it works; ECS itself sets this"
    )

    @field_validator("ecs_cluster", "ecs_region")
    @classmethod
    def _is_given(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None and info.data.get("scaling_backend") == "ecs":
            raise ValueError("is not set, but SCALING_BACKEND is ecs")
        return value


class CollectorSettings(Group):
    """Who collects metrics, traces and faults; nobody if these are empty"""

    metrics_port: int | None = Field(
        None,
        ge=1,
        le=65535,
        description="a private port on which each process answers Prometheus at /metrics",
    )
    metrics_host: str = Field("127.0.0.1", description="the address that this port is opened on")
    otel_exporter_otlp_endpoint: Url | None = Field(
        None,
        description="where OpenTelemetry traces are sent by OTLP over HTTP, for example http://localhost:4318",
    )
    sentry_dsn: SecretStr | None = Field(None, description="where Sentry is told of faults")
    release: str | None = Field(
        None,
        description="what runs here, such as a commit, for them and for /admin/system; the image sets this",
    )

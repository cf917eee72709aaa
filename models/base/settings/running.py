"""How the product is run, and who watches it."""

from typing import Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import SettingsConfigDict

from models.base.settings.group import Group, Url


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

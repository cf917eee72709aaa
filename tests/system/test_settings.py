"""What the environment says, in every form in which somebody may say it."""

import pytest

from models.base.db import database_url
from models.base.settings import Settings, SettingsError, load


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+asyncpg"])
def test_whoever_wants_tls_says_so_as_everywhere_else(scheme: str):
    url = database_url(f"{scheme}://ada:p%40ss@db.example.com:5433/shop?sslmode=verify-full")

    assert (url.drivername, url.password, url.port, dict(url.query)) == (
        "postgresql+asyncpg",
        "p@ss",
        5433,
        {"ssl": "verify-full"},
    )


def test_production_refuses_to_start_with_what_is_only_good_for_trying(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    assert settings.app.is_local
    for name, value in {
        "ENVIRONMENT": "production",
        "STRIPE_API_BASE": "http://localhost:9000",
        "MAIL_SNS_ENDPOINT_URL": "http://localhost:9001",
    }.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as refusal:
        load()

    assert {line.partition(":")[0] for line in str(refusal.value).splitlines()} == {
        "PUBLIC_URL",
        "STRIPE_API_BASE",
        "MAIL_BACKEND",
        "MAIL_SNS_ENDPOINT_URL",
    }

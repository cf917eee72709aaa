"""What the sandbox is told from outside, and when it refuses to start."""

import os
import subprocess
import sys
from datetime import timedelta

import pytest

from infra.sandbox.settings import Settings, SettingsRefused
from tests.sandbox.servers import PROJECT

LEAST = {"DATABASE_URL": "postgresql+asyncpg:///galley?host=/run/db"}


def test_only_the_database_must_be_given():
    settings = Settings.from_environment(LEAST)
    assert settings.database_url == "postgresql:///galley?host=/run/db"
    assert (settings.port, settings.public_url, settings.webhook_urls) == (8020, "", ())
    assert settings.is_control_on
    assert settings.settle_after == timedelta(seconds=20)


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"ENVIRONMENT": "production"}, "ENVIRONMENT=production"),
        ({"ENVIRONMENT": " Production "}, "ENVIRONMENT=production"),
        ({"DATABASE_URL": ""}, "DATABASE_URL must be set"),
        ({"DATABASE_URL": "mysql://x"}, "DATABASE_URL must be set"),
        ({"PAY_SANDBOX_WEBHOOK_URL": "http://127.0.0.1:1/"}, "PAY_SANDBOX_WEBHOOK_SECRET must be set"),
        ({"PAY_SANDBOX_WEBHOOK_URL": "localhost"}, "PAY_SANDBOX_WEBHOOK_URL must hold"),
        ({"PAY_SANDBOX_WEBHOOK_SECRET": "secret"}, "PAY_SANDBOX_WEBHOOK_SECRET must begin"),
        ({"PAY_SANDBOX_PORT": "many"}, "PAY_SANDBOX_PORT"),
        ({"PAY_SANDBOX_SETTLE_SECONDS": "-1"}, "PAY_SANDBOX_SETTLE_SECONDS"),
        ({"PAY_SANDBOX_CONTROL": "perhaps"}, "PAY_SANDBOX_CONTROL"),
    ],
)
def test_wrong_settings_are_refused_by_name(environment, words):
    with pytest.raises(SettingsRefused, match=words):
        Settings.from_environment(LEAST | environment)


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"ENVIRONMENT": "production"}, "does not run with ENVIRONMENT=production"),
        (
            {"DATABASE_URL": "postgresql://nobody@127.0.0.1:9/none"},
            "The database of DATABASE_URL cannot be used",
        ),
    ],
)
def test_the_person_at_the_terminal_gets_one_plain_sentence(environment, words):
    done = subprocess.run(
        [sys.executable, "-m", "infra.sandbox"],
        env={**os.environ, **LEAST, "ENVIRONMENT": "test", "PAY_SANDBOX_PORT": "0", **environment},
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_the_server_never_loads_the_stripe_library():
    words = (
        "import sys, infra.sandbox.server; sys.exit('stripe' in sys.modules or 'sqlalchemy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", words], cwd=PROJECT, timeout=60, check=False).returncode == 0

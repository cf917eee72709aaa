"""What Terraform gives to the processes is what they ask for, and what it listens for is what they say."""

import re

import pytest

from infra.local.processes import ROOT, commands
from models.base.settings import load
from models.base.settings.example import example
from tests.architecture.tree import files
from web.serve import GRACE_SECONDS, LINGER_SECONDS

TERRAFORM = ROOT / "infra" / "terraform"
#: What stands for the parts of the environment that only an applied state knows.
APPLIED = {
    "PUBLIC_URL": "https://shop.example.com",
    "PORT": "8000",
    "MAIL_SENDER": "Galley <hello@example.com>",
    "MAIL_SES_REGION": "eu-central-1",
    "MAIL_SES_CONFIGURATION_SET": "galley-production",
    "MAIL_SES_TOPIC": "arn:aws:sns:eu-central-1:123456789012:galley-production-mail",
    "JOB_DRAIN_SECONDS": "100",
    "ECS_CLUSTER": "galley-production",
    "ECS_REGION": "eu-central-1",
}
FILLED = {
    "DATABASE_URL": "postgresql://galley_a:secret@database.internal:5432/galley",
    "REDIS_URL": "rediss://:secret@cache.internal:6379/0",
    "SECRET_KEY": "a" * 64,
    "STRIPE_SECRET_KEY": "sk_live_1",
    "STRIPE_WEBHOOK_SECRETS": "whsec_1",
}
#: PostgreSQL's own client variables: whoever answers has shown who it is, wherever a connection is opened.
NOT_OURS = {"PGSSLMODE", "PGSSLROOTCERT"}


def part(file: str, begins: str, ends: str) -> str:
    """The text of a Terraform file between these two."""
    found = re.search(f"{begins}(.*?){ends}", (TERRAFORM / file).read_text(), re.DOTALL)
    assert found, f"{file} has no {begins}"
    return found[1]


def environment() -> dict[str, str]:
    pairs = re.findall(
        r"^\s+([A-Z0-9_]+)\s+= (.+)$",
        part("tasks.tf", r"environment = merge\(", r"var\.settings"),
        re.MULTILINE,
    )
    return {
        name: value.strip('"') if value.startswith('"h') or "$" not in value else "" for name, value in pairs
    }


def secrets() -> set[str]:
    return set(re.findall(r'"([A-Z_]+)"', part("secrets.tf", r"setunion\(", r"var\.further_secrets")))


def test_every_process_of_the_procfile_is_placed():
    placed = set(re.findall(r"local\.procfile\.(\w+)", (TERRAFORM / "tasks.tf").read_text()))

    assert placed == set(commands())


def test_the_product_starts_with_what_terraform_gives_it(monkeypatch: pytest.MonkeyPatch):
    known = set(re.findall(r"^([A-Z0-9_]+)=", example(), re.MULTILINE))
    for name in known:
        monkeypatch.delenv(name, raising=False)
    given = environment()
    assert set(given) - NOT_OURS <= known
    assert secrets() == set(FILLED) <= known
    for name, value in (given | APPLIED | FILLED).items():
        monkeypatch.setenv(name, value)

    settings = load()

    assert set(APPLIED) <= set(given)
    assert settings.is_test_mode is False
    assert settings.mail.way == "ses"
    assert settings.scaling.scaling_backend == "ecs"


def test_programs_that_speak_plain_http_are_refused_and_only_people_are_redirected():
    rule = part("balancer.tf", r'"aws_lb_listener_rule" "plain" \{', r"\n\}")

    assert "aws_lb_listener.http.arn" in rule
    assert 'type = "fixed-response"' in rule
    assert re.findall(r'"(/[a-z]+/\*)"', rule) == ["/api/*", "/webhooks/*"]


def test_nobody_is_killed_who_still_has_time_to_end():
    processes = part("tasks.tf", r"processes = merge\(", r"environment = merge")
    web = re.search(r"procfile\.web,.*stop = (\d+)", processes)

    assert web is not None
    assert int(web[1]) > LINGER_SECONDS + GRACE_SECONDS
    assert "stop = local.drain_seconds + 20" in processes
    assert (
        "JOB_DRAIN_SECONDS          = tostring(local.drain_seconds)" in (TERRAFORM / "tasks.tf").read_text()
    )


def test_alarms_listen_for_what_the_product_says():
    said = {
        event
        for path in files(".py", under=("models", "emails", "tasks", "web"))
        for event in re.findall(r'log\.\w+\(\s*"([\w.]+)"', path.read_text())
    }
    listened = set(
        re.findall(r'"([a-z_]+\.[a-z_]+)"', part("alarms.tf", r"events = \{", r"balancer_dimensions"))
    )

    measured = re.findall(r'"(\w+)"', part("alarms.tf", r"\{ ReadyJobs", r"\}"))
    standing = (ROOT / "tasks" / "gauges.py").read_text()

    assert len(listened) > 8
    assert listened <= said
    assert len(measured) == 3
    assert [one for one in measured if f'"{one}":' not in standing] == []


def test_every_alarm_has_its_page_in_the_runbooks_and_every_page_its_alarm():
    alarms = (TERRAFORM / "alarms.tf").read_text()
    named = set(re.findall(r"runbooks\.md#([a-z-]+)\"", alarms))
    named |= set(re.findall(r"^ +([a-z]+-[a-z-]+) += \{", alarms, re.MULTILINE)) | {"cache-full"}
    named |= set(re.findall(r"- alert: ([a-z-]+)", (ROOT / "infra" / "observe" / "alerts.yml").read_text()))
    pages = re.findall(r"^## `([a-z-]+)`$", (ROOT / "docs" / "runbooks.md").read_text(), re.MULTILINE)

    assert sorted(pages) == sorted(named)

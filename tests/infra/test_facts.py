"""Each mistake that neither Terraform nor checkov sees is seen here."""

import json
from typing import Any

import pytest

from infra.checks.facts import broken

CONTAINER = {
    "name": "product",
    "image": "galley",
    "user": "10001:10001",
    "readonlyRootFilesystem": True,
    "stopTimeout": 120,
    "environment": [{"name": "PORT", "value": "8000"}],
}
DATABASE = {
    "engine": "postgres",
    "engine_version": "17",
    "instance_class": "db.t4g.medium",
    "manage_master_user_password": True,
}
RULE = {
    "Name": "rate",
    "Priority": 0,
    "Statement": {"RateBasedStatement": {"Limit": 2000, "AggregateKeyType": "IP"}},
    "VisibilityConfig": {
        "SampledRequestsEnabled": True,
        "CloudWatchMetricsEnabled": True,
        "MetricName": "rate",
    },
}


def complaints(kind: str, values: dict[str, Any]) -> str:
    one = {"address": f"{kind}.this", "type": kind, "values": values}
    return "\n".join(broken({"values": {"root_module": {"resources": [one]}}}))


def task(*, cpu: str = "256", memory: str = "512", **changes: Any) -> str:
    container = json.dumps([CONTAINER | changes])
    values = {"cpu": cpu, "memory": memory, "container_definitions": container}
    return complaints("aws_ecs_task_definition", values)


def policy(*actions: str) -> str:
    statement = {"Sid": "One", "Effect": "Allow", "Action": list(actions), "Resource": ["*"]}
    return complaints("aws_iam_role_policy", {"policy": json.dumps({"Statement": [statement]})})


def test_what_is_right_is_believed():
    assert task() == ""
    assert complaints("aws_db_instance", DATABASE) == ""
    assert complaints("aws_wafv2_web_acl", {"rule_json": json.dumps([RULE])}) == ""
    assert policy("ecs:UpdateService", "kms:GenerateDataKey*", "ses:SendEmail") == ""
    assert policy("iam:PassRole", "s3:ListBucket") == "", "no calls, but actions"


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"privileged": True}, "privileged"),
        ({"readonlyRootFilesystem": False}, "can write"),
        ({"user": "0:0"}, "as root"),
        ({"stopTimeout": 121}, "kills after"),
        ({"stopTimout": 30}, "stopTimout"),
        ({"environment": [{"name": "STRIPE_SECRET_KEY", "value": "sk_live_1"}]}, "in the open"),
        ({"memory": "4096"}, "no task of 256 units"),
    ],
)
def test_a_task_that_ecs_would_refuse_or_nobody_should_run_is_found(changes: dict[str, Any], complaint: str):
    assert complaint in task(**changes)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"password": "hunter2"}, "password"),
        ({"manage_master_user_password": None}, "password"),
        ({"engine_version": "seventeen"}, "no version"),
        ({"instance_class": "medium"}, "no class"),
    ],
)
def test_a_database_with_a_written_password_or_an_unknown_size_is_found(
    changes: dict[str, Any], complaint: str
):
    assert complaint in complaints("aws_db_instance", DATABASE | changes)


def test_a_firewall_rule_that_aws_does_not_know_is_found():
    wrong = RULE | {"Statement": {"RateStatement": {"Limit": 2000}}}

    assert "RateStatement" in complaints("aws_wafv2_web_acl", {"rule_json": json.dumps([wrong])})


def test_actions_that_do_not_exist_or_allow_everything_are_found():
    assert "there is no action ecs:ChangeService" in policy("ecs:ChangeService")
    assert "allows *" in policy("*")
    assert "allows s3:*" in policy("s3:*")

"""A deployment migrates first, moves every service, and says so when something did not go."""

import sys

import pytest

from infra.aws.__main__ import main
from infra.aws.deployment import Deployment, NotDeployedError
from tasks.worker import slots_of
from tests.infra.ecs import CLUSTER, ONCE, Cluster, ecs

KINDS = ("web", "dispatcher", *(f"worker-{queue}" for queue in slots_of([])))
IMAGE = "registry/galley@sha256:2"


def deploy(cluster: Cluster, *, is_migrating: bool = True) -> None:
    with ecs(cluster) as client:
        Deployment(client, CLUSTER, IMAGE, pause=0).run(is_migrating=is_migrating)


def test_the_schema_comes_first_and_then_every_service_has_the_image():
    cluster = Cluster(*KINDS)

    deploy(cluster)

    assert {cluster.image(kind) for kind in KINDS} == {IMAGE}
    assert cluster.ran == [cluster.revisions[f"{CLUSTER}-release"][-1]["taskDefinitionArn"]]
    for kind in ONCE:
        assert cluster.revisions[f"{CLUSTER}-{kind}"][-1]["containerDefinitions"][0]["image"] == IMAGE
    assert cluster.calls.index("RunTask") < cluster.calls.index("UpdateService")
    assert cluster.revisions[f"{CLUSTER}-web"][-1]["containerDefinitions"][0]["command"] == ["web"]


def test_after_a_migration_that_failed_nothing_has_moved():
    cluster = Cluster(*KINDS)
    cluster.exit_code = 1

    with pytest.raises(NotDeployedError, match=r"migration failed.*Nothing was moved"):
        deploy(cluster)

    assert "UpdateService" not in cluster.calls


def test_a_service_that_ecs_turned_back_is_named():
    cluster = Cluster(*KINDS)
    cluster.turned_back = {"web"}

    with pytest.raises(NotDeployedError, match="turned web back"):
        deploy(cluster)


def test_going_back_to_an_older_image_leaves_the_schema_alone():
    cluster = Cluster(*KINDS)

    deploy(cluster, is_migrating=False)

    assert cluster.ran == []
    assert cluster.image("web") == IMAGE


def test_a_missing_service_is_said_before_anything_happens():
    cluster = Cluster("web")

    with pytest.raises(NotDeployedError, match="no service dispatcher"):
        deploy(cluster)

    assert cluster.calls == ["DescribeServices"]


@pytest.mark.parametrize("name", ["AWS_REGION", "AWS_DEFAULT_REGION"])
def test_the_region_may_have_either_name(name: str, monkeypatch: pytest.MonkeyPatch):
    for one in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(one, raising=False)
    cluster = Cluster(*KINDS)
    with ecs(cluster) as client:
        for variable, value in {
            name: "eu-central-1",
            "AWS_ENDPOINT_URL": client.meta.endpoint_url,
            "AWS_ACCESS_KEY_ID": "nobody",
            "AWS_SECRET_ACCESS_KEY": "nothing",
        }.items():
            monkeypatch.setenv(variable, value)
        monkeypatch.setattr(sys, "argv", ["infra.aws", "deploy", "staging", IMAGE])

        assert main() == 0

    assert cluster.image("web") == IMAGE

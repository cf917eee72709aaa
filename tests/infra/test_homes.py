"""Containers on one machine and on Kubernetes run the processes of the Procfile, as nobody, with settings that exist."""

import re
from typing import Any

import pytest
import yaml

from infra.local.processes import ROOT, commands
from models.base.metrics import REGISTRY
from models.base.settings import example
from models.base.settings_group import CollectorSettings, ScalingSettings
from tasks.scaling import PACE, services_of
from web import health

KNOWN = set(re.findall(r"^([A-Z0-9_]+)=", example(), re.MULTILINE))
PROCFILE = {kind: ["python", *words[1:]] for kind, words in commands().items()}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    services: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    return {name: one for name, one in services.items() if one["image"] == "galley"}


@pytest.fixture(scope="module")
def pods() -> dict[str, Any]:
    manifests = yaml.safe_load_all((ROOT / "infra" / "kubernetes" / "galley.yaml").read_text())
    workloads = [one["spec"]["template"] for one in manifests if one["kind"] in {"Job", "Deployment"}]
    return {
        one["metadata"]["labels"]["process"]: one["spec"]
        | {"annotations": one["metadata"].get("annotations")}
        for one in workloads
    }


def test_compose_runs_the_procfile(compose: dict[str, Any]):
    assert {name: one["command"] for name, one in compose.items()} == PROCFILE
    for one in compose.values():
        assert set(one["environment"]) <= KNOWN
        assert one["read_only"]
        assert one["cap_drop"] == ["ALL"]


def test_kubernetes_runs_the_procfile(pods: dict[str, Any]):
    assert {kind: pod["containers"][0]["command"] for kind, pod in pods.items()} == PROCFILE
    for pod in pods.values():
        (container,) = pod["containers"]
        assert {one["name"] for one in container.get("env", ())} <= KNOWN
        assert pod["securityContext"]["runAsNonRoot"]
        assert container["securityContext"]["readOnlyRootFilesystem"]


def test_workers_may_drain_before_they_are_killed(compose: dict[str, Any], pods: dict[str, Any]):
    drain = int(compose["worker"]["environment"]["JOB_DRAIN_SECONDS"])
    (setting,) = pods["worker"]["containers"][0]["env"]

    assert compose["worker"]["stop_grace_period"] == "2m"
    assert pods["worker"]["terminationGracePeriodSeconds"] > drain == int(setting["value"])
    assert drain < 120


def test_what_workers_write_the_web_can_read(compose: dict[str, Any]):
    image = (ROOT / "infra" / "image" / "Containerfile").read_text()
    (folder,) = re.findall(r"FILE_FOLDER=(\S+)", image)

    assert f"--chown=10001:10001 /files {folder}" in image
    assert compose["worker"]["volumes"] == compose["web"]["volumes"] == [f"files:{folder}"]


def test_kubernetes_asks_for_paths_that_are_answered(pods: dict[str, Any]):
    (web,) = pods["web"]["containers"]
    asked = {web[probe]["httpGet"]["path"] for probe in ("readinessProbe", "livenessProbe")}

    assert asked == {path for one in health.handlers for path in one.paths}


def test_keda_reads_the_decision_that_the_dispatcher_tells(pods: dict[str, Any]):
    keda = yaml.safe_load((ROOT / "infra" / "kubernetes" / "keda" / "worker.yaml").read_text())["spec"]
    (dispatcher,) = pods["dispatcher"]["containers"]
    environment = {one["name"].lower(): one["value"] for one in dispatcher["env"]}
    backend = ScalingSettings.model_validate(environment).scaling_backend
    port = CollectorSettings.model_validate(environment).metrics_port
    (service,) = services_of(backend)
    (trigger,) = keda["triggers"]
    query = re.fullmatch(r'max\((\w+)\{service="(\w+)"\}\)', trigger["metadata"]["query"])

    assert keda["scaleTargetRef"]["name"] == "galley-worker"
    assert (keda["minReplicaCount"], keda["maxReplicaCount"]) == (service.least, service.most)
    assert keda["pollingInterval"] == PACE[backend]
    assert query is not None
    assert query[1] in {one.name for one in REGISTRY.collect()}
    assert (query[2], trigger["metadata"]["threshold"]) == (service.name, "1")
    assert [one["containerPort"] for one in dispatcher["ports"]] == [port]
    assert pods["dispatcher"]["annotations"]["prometheus.io/port"] == str(port)

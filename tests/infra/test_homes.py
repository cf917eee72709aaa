"""Containers on one machine and on Kubernetes run the processes of the Procfile, as nobody, with settings that exist."""

import re
from typing import Any

import pytest
import yaml

from infra.local.processes import ROOT, commands
from models.base.metrics import WORKERS_WANTED
from models.base.settings.example import example
from models.base.settings.running import CollectorSettings, ScalingSettings
from tasks.scaling import PACE, services_of
from web import health

KNOWN = set(re.findall(r"^([A-Z0-9_]+)=", example(), re.MULTILINE))
MANIFESTS = list(yaml.safe_load_all((ROOT / "infra" / "kubernetes" / "galley.yaml").read_text()))
PROCFILE = {kind: ["python", *words[1:]] for kind, words in commands().items()}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    services: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    return {name: one for name, one in services.items() if one["image"] == "galley"}


@pytest.fixture(scope="module")
def pods() -> dict[str, Any]:
    workloads = [one["spec"]["template"] for one in MANIFESTS if one["kind"] in {"Job", "Deployment"}]
    return {one["metadata"]["labels"]["process"]: one["spec"] | one["metadata"] for one in workloads}


def environment(pod: dict[str, Any]) -> dict[str, str]:
    (container,) = pod["containers"]
    return {one["name"]: one["value"] for one in container.get("env", ())}


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
        assert set(environment(pod)) <= KNOWN
        assert pod["securityContext"]["runAsNonRoot"]
        assert container["securityContext"]["readOnlyRootFilesystem"]


def test_workers_may_drain_before_they_are_killed(compose: dict[str, Any], pods: dict[str, Any]):
    drain = int(compose["worker"]["environment"]["JOB_DRAIN_SECONDS"])

    assert compose["worker"]["stop_grace_period"] == "2m"
    assert pods["worker"]["terminationGracePeriodSeconds"] > drain
    assert environment(pods["worker"])["JOB_DRAIN_SECONDS"] == str(drain)
    assert drain < 120


def test_what_workers_write_the_web_can_read(compose: dict[str, Any]):
    image = (ROOT / "infra" / "image" / "Containerfile").read_text()
    (folder,) = re.findall(r"FILE_FOLDER=(\S+)", image)

    assert f"--chown=10001:10001 /files {folder}" in image
    assert compose["worker"]["volumes"] == compose["web"]["volumes"] == [f"files:{folder}"]
    # Said once more, since an .env that is a copy of .env.example names another.
    assert {one["environment"]["FILE_FOLDER"] for one in compose.values()} == {folder}


def test_kubernetes_asks_for_paths_that_are_answered(pods: dict[str, Any]):
    (web,) = pods["web"]["containers"]
    asked = {web[probe]["httpGet"]["path"] for probe in ("startupProbe", "readinessProbe", "livenessProbe")}

    assert asked == {path for one in health.handlers for path in one.paths}


def test_every_process_that_lasts_answers_prometheus(compose: dict[str, Any], pods: dict[str, Any]):
    lasting = set(PROCFILE) - {"release"}
    scrape = yaml.safe_load((ROOT / "infra" / "observe" / "prometheus.yml").read_text())["scrape_configs"]
    (found,) = scrape[0]["dns_sd_configs"]

    assert set(found["names"]) == lasting
    for name in lasting:
        asked = pods[name]["annotations"]
        (*_, port) = pods[name]["containers"][0]["ports"]
        assert (asked["prometheus.io/scrape"], asked["prometheus.io/path"]) == ("true", "/metrics")
        assert (port["name"], str(port["containerPort"])) == ("metrics", asked["prometheus.io/port"])
        for given in (environment(pods[name]), compose[name]["environment"]):
            settings = CollectorSettings.model_validate({key.lower(): value for key, value in given.items()})
            assert (settings.metrics_host, settings.metrics_port) == ("0.0.0.0", port["containerPort"])
            assert settings.metrics_port == found["port"]


def test_emptying_a_node_leaves_a_web_process(pods: dict[str, Any]):
    budget, web = (
        next(one for one in MANIFESTS if (one["kind"], one["metadata"]["name"]) == (kind, "galley-web"))
        for kind in ("PodDisruptionBudget", "Deployment")
    )

    assert budget["spec"]["selector"]["matchLabels"] == pods["web"]["labels"]
    assert web["spec"]["replicas"] > budget["spec"]["minAvailable"] >= 1
    for spread in pods["web"]["topologySpreadConstraints"]:
        assert spread["labelSelector"]["matchLabels"] == pods["web"]["labels"]


def test_keda_reads_the_decision_where_the_dispatcher_tells_it(pods: dict[str, Any]):
    keda = yaml.safe_load((ROOT / "infra" / "kubernetes" / "keda" / "worker.yaml").read_text())["spec"]
    given = {name.lower(): value for name, value in environment(pods["dispatcher"]).items()}
    backend = ScalingSettings.model_validate(given).scaling_backend
    (service,) = services_of(backend)
    (trigger,) = keda["triggers"]
    url = re.fullmatch(r"http://([\w-]+)\.\w+:(\d+)/metrics", trigger["metadata"]["url"])
    ports = {
        (one["metadata"]["name"], port["port"]): one["spec"]["selector"]
        for one in MANIFESTS
        if one["kind"] == "Service"
        for port in one["spec"]["ports"]
    }
    WORKERS_WANTED.labels(service.name).set(3)
    (sample,) = next(iter(WORKERS_WANTED.collect())).samples
    (label,) = sample.labels.items()

    assert keda["scaleTargetRef"]["name"] == "galley-worker"
    assert (keda["minReplicaCount"], keda["maxReplicaCount"]) == (service.least, service.most)
    assert keda["pollingInterval"] == PACE[backend]
    assert url is not None
    assert ports[url[1], int(url[2])] == pods["dispatcher"]["labels"]
    assert url[2] == given["metrics_port"]
    assert trigger["metadata"]["valueLocation"] == '{}{{{}="{}"}}'.format(sample.name, *label)
    assert (trigger["type"], trigger["metadata"]["format"]) == ("metrics-api", "prometheus")
    assert trigger["metadata"]["targetValue"] == "1"
    WORKERS_WANTED.clear()

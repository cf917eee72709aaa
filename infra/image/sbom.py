"""Prints what is in this environment and below it, Python and Debian's packages of a dpkg's list, as a CycloneDX 1.6 bill
of materials.
"""

import json
import platform
import re
import sys
import uuid
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

Component = dict[str, Any]


def python_packages() -> Iterator[Component]:
    """What pip installed."""
    for one in distributions():
        name = re.sub(r"[-_.]+", "-", one.name).lower()  # PEP 503
        yield _component(name, one.version, f"pkg:pypi/{name}@{one.version}")


def debian_packages(status: Path) -> Iterator[Component]:
    """What dpkg installed, by its own list."""
    for entry in status.read_text().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in entry.splitlines() if re.match(r"[A-Z]\S*: ", line))
        if fields.get("Status") == "install ok installed":
            name, version = fields["Package"], fields["Version"]
            yield _component(name, version, f"pkg:deb/debian/{name}@{version}?arch={fields['Architecture']}")


def _component(name: str, version: str, purl: str) -> Component:
    return {"type": "library", "name": name, "version": version, "purl": purl, "bom-ref": purl}


def bill(components: list[Component]) -> dict[str, Any]:
    """The bill; the same components have the same serial number."""
    components = sorted(components, key=lambda one: str(one["purl"]))
    serial = uuid.uuid5(uuid.NAMESPACE_URL, "\n".join(one["purl"] for one in components))
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {"component": {"type": "application", "name": "galley", "bom-ref": "galley"}},
        "components": components,
    }


if __name__ == "__main__":
    version = platform.python_version()
    python = _component("python", version, f"pkg:generic/python@{version}")
    found = [python, *python_packages(), *debian_packages(Path(sys.argv[1]))]
    json.dump(bill(found), sys.stdout, indent=1)

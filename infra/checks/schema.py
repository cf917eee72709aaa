"""Keeps of a provider's schema what infra/terraform uses, small enough to be kept in the repository.

When a new type of resource comes in, or a newer provider, where the registry can be reached:
`terraform providers schema -json | python -m infra.checks.schema`.
"""

import gzip
import json
import re
import sys
from pathlib import Path
from typing import Any, Final

from infra.checks.__main__ import ADDRESS, HERE
from infra.local.processes import ROOT

_USED: Final = re.compile(r'^(resource|data) "(aws_\w+)"', re.MULTILINE)


def used() -> set[tuple[str, str]]:
    """Each (`resource` or `data`, type) that infra/terraform has."""
    files = (ROOT / "infra" / "terraform").glob("*.tf")
    return {found for file in files for found in _USED.findall(file.read_text())}


def kept(schema: dict[str, Any]) -> dict[str, Any]:
    """The schemas of these types alone, without the words of the documentation."""
    types = used()
    return {
        "provider": schema["provider"],
        "resource_schemas": {
            name: one for name, one in schema["resource_schemas"].items() if ("resource", name) in types
        },
        "data_source_schemas": {
            name: one for name, one in schema["data_source_schemas"].items() if ("data", name) in types
        },
    }


def write(schema: dict[str, Any], path: Path) -> None:
    """Write them the same way each time, so that no change is no difference."""
    text = json.dumps(kept(schema), separators=(",", ":"), sort_keys=True)
    path.write_bytes(gzip.compress(text.encode(), mtime=0))


if __name__ == "__main__":
    write(json.load(sys.stdin)["provider_schemas"][ADDRESS], HERE / "aws_schema.json.gz")

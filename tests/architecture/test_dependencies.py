"""What we take from others may be used, and is."""

from importlib import metadata
from pathlib import Path

import pytest

from infra import dependencies


@pytest.mark.slow
def test_every_locked_distribution_has_a_licence_of_the_list_or_a_reason():
    assert list(dependencies.unlicensed()) == []
    assert dependencies.EXCEPTIONS.keys() <= dependencies.locked()


@pytest.mark.slow
def test_every_dependency_is_used_and_every_other_use_is_one():
    assert list(dependencies.unused()) == []


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ("License-Expression: MPL-2.0 AND (Apache-2.0 OR MIT)", {"MPL-2.0", "Apache-2.0", "MIT"}),
        ("Classifier: License :: OSI Approved :: BSD License\nLicense: see the file", {"BSD-3-Clause"}),
        ("Classifier: License :: OSI Approved\nLicense: GPL-3.0-only\n  and more", {"GPL-3.0-only"}),
        ("Summary: says nothing", set()),
    ],
)
def test_a_licence_is_read_wherever_it_is_written(lines: str, found: set[str], tmp_path: Path):
    folder = tmp_path / "one-1.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.4\nName: one\nVersion: 1\n{lines}\n")

    assert dependencies.licences(metadata.Distribution.at(folder)) == found

"""What holds for every file of the project."""

import importlib.metadata
import re
from collections import Counter

import pytest

from models.base.settings.example import example
from tests.architecture.tree import MADE, ROOMS, ROOT, files, name

LONGEST = 400
NAMES_THAT_SAY_NOTHING = {
    "utils",
    "util",
    "helpers",
    "helper",
    "common",
    "services",
    "managers",
    "core",
    "misc",
}
#: Places of one machine, and hosts of registries: neither belongs into a project that is built anywhere.
FOREIGN = re.compile(
    r"(?<![\w.-])/(?:work|root|home/\w+|Users/\w+)/"
    r"|files\.pythonhosted\.org|pypi\.org/simple|registry\.npmjs\.org|deb\.debian\.org|proxy\.golang\.org"
)
THIS = "tests/architecture/test_files.py"


def test_no_file_is_longer_than_four_hundred_lines():
    lengths = {name(path): len(path.read_text().splitlines()) for path in files(".py")}
    # A migration is written by a program and read as a list.
    long = {path: count for path, count in lengths.items() if count > LONGEST and "/versions/" not in path}

    assert long == {}


def test_no_file_or_folder_has_a_name_that_says_nothing():
    parts = {part for path in files(".py") for part in path.relative_to(ROOT).with_suffix("").parts}

    assert parts & NAMES_THAT_SAY_NOTHING == set()


def test_no_file_knows_the_machine_it_was_written_on_or_where_packages_come_from():
    found = []
    for path in files():
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        found += [f"{name(path)}: {hit[0]}" for hit in FOREIGN.finditer(text) if name(path) != THIS]

    assert found == []


def test_no_two_messages_of_the_product_and_its_tests_share_a_kind():
    # They are known by it to the whole process: two would meet only where both modules are imported.
    said = re.compile(r'^ +kind: ClassVar\[str\] = "(.+)"', re.MULTILINE)
    kinds = [kind for path in files(".py") for kind in said.findall(path.read_text())]

    assert [kind for kind, count in Counter(kinds).items() if count > 1] == []
    assert len(kinds) > 50


def test_only_the_database_module_commits():
    # Alembic's environment holds a connection of its own, before there is a product.
    allowed = {"models/base/db.py", "models/migrations/env.py"}
    found = {name(path) for path in files(".py", under=ROOMS) if re.search(r"\.commit\(", path.read_text())}

    assert found - allowed == set()


def test_the_example_of_the_settings_is_what_the_settings_print():
    assert (ROOT / ".env.example").read_text() == example()


@pytest.mark.parametrize("room", [*ROOMS, "infra", "tests"])
def test_no_library_brings_a_package_with_the_name_of_a_room(room: str):
    # It would be a matter of luck which of the two is imported.
    assert importlib.metadata.packages_distributions().get(room, []) == []


def test_the_walk_over_the_tree_sees_what_is_ours_and_nothing_else():
    found = {name(path) for path in files()}

    assert {THIS, "Makefile", "pyproject.toml", ".ci/run", "web/static/app.css"} <= found
    assert not any(part in MADE for path in found for part in path.split("/"))

"""Messages meet their runners, the Procfile names what exists, and the schema is what the tables say."""

import importlib
import importlib.util
import re

from alembic import command
from alembic.script import ScriptDirectory

from infra.local.embedded import EmbeddedPostgres
from infra.local.processes import commands
from models.jobs.message import Job
from models.migrations import configuration, newest_revision
from tasks.runs import RUNNERS
from tasks.worker import PARTS, load_parts, slots_of
from tests.architecture.tree import ROOT, files


def messages() -> list[type[Job]]:
    """Every message of the product, wherever in models it is written down."""
    for path in files(".py", under=("models",)):
        if re.search(r"\(Job\b.*\):", path.read_text()):
            importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    found, more = [], Job.__subclasses__()
    while more:
        one = more.pop()
        more += one.__subclasses__()
        if one.__module__.startswith("models."):
            found.append(one)
    return found


def test_every_message_has_one_runner_and_every_runner_a_message():
    load_parts()
    ours = {one for one in RUNNERS if one.__module__.startswith("models.")}

    assert set(messages()) == ours
    assert len(messages()) > 5


def test_kinds_name_one_message_each_and_their_queues_exist():
    kinds = [one.kind for one in messages()]

    assert len(kinds) == len(set(kinds))
    assert {one.queue for one in messages()} <= slots_of([]).keys()


def test_every_module_with_runners_is_loaded_by_the_worker():
    with_runners = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in files(".py", under=("tasks",))
        if re.search(r"^@runs\(", path.read_text(), re.MULTILINE)
    }

    assert with_runners == set(PARTS)


def test_the_procfile_starts_modules_that_exist():
    found = commands()
    started = {kind: command[command.index("-m") + 1] for kind, command in found.items()}

    assert all(importlib.util.find_spec(module) for module in started.values())
    assert started.keys() == {"release", "web", "worker", "dispatcher"}


def test_the_tables_are_what_the_migrations_build(postgres: EmbeddedPostgres, migrated: str):
    command.check(configuration(postgres.database(migrated)))


def test_the_newest_revision_is_read_from_the_files_as_alembic_reads_it():
    assert newest_revision() == ScriptDirectory.from_config(configuration()).get_current_head()

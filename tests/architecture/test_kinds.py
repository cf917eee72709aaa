"""Whoever has not loaded the runners knows what they run all the same: the board, the API and the dispatcher."""

import subprocess
import sys

PROGRAM = """
import models.everything
from models.jobs.message import kinds
known = set(kinds())
from tasks.worker import load_parts
load_parts()
from tasks.runs import RUNNERS
print(sorted(one.kind for one in RUNNERS if one.kind not in known))
"""


def test_every_kind_that_is_run_is_known_to_whoever_imports_everything():
    asked = subprocess.run([sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True)
    assert asked.stdout.strip() == "[]", "import their modules in models/everything.py"

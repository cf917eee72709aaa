"""An idle worker stays small: the libraries come with the first question."""

import subprocess
import sys
from pathlib import Path

import pytest

PROBE = """
import sys
import tasks.llm, tasks.writing.model
heavy = {"openai", "anthropic", "pydantic_ai", "genai_prices"} & set(sys.modules)
sys.exit(f"imported: {heavy}" if heavy else 0)
"""


@pytest.mark.slow
def test_importing_the_module_does_not_import_the_libraries():
    done = subprocess.run(
        [sys.executable, "-c", PROBE],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr

"""The project's own files, as they lie on the disk: with or without git."""

from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
#: Made by tools, and not by us.
MADE = frozenset({".venv", ".git", "__pycache__", "build", "node_modules", ".hypothesis"})
ROOMS = ("models", "emails", "tasks", "web")


def files(*suffixes: str, under: tuple[str, ...] = (".",)) -> Iterator[Path]:
    """Every file of ours below these folders; with suffixes, only those that end so."""
    for folder in under:
        yield from _walk(ROOT / folder, suffixes)


def _walk(folder: Path, suffixes: tuple[str, ...]) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            is_ours = path.name not in MADE and not path.name.startswith(".data") and "cache" not in path.name
            if is_ours:
                yield from _walk(path, suffixes)
        elif path.name != ".env" and (not suffixes or path.name.endswith(suffixes)):
            yield path


def name(path: Path) -> str:
    """How a person would call the file."""
    return str(path.relative_to(ROOT))

"""Gathers in a folder what the product runs on, to be the root of its image: Python, the shared libraries that it and the
packages are linked with, certificates and time zones, each where it was.

What is left behind, a shell, Perl, a package manager, is two thirds of a small Debian, and what most of its security
notices are about.
"""

import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Final

#: What is read at run time and linked with by nobody: by OpenSSL, the loader, the C library, `zoneinfo`, and scanners.
FILES: Final = ("/etc/ld.so.cache", "/etc/nsswitch.conf", "/etc/os-release")
FOLDERS: Final = ("/etc/ssl", "/usr/lib/ssl", "/usr/share/ca-certificates", "/usr/share/zoneinfo")
#: Of the standard library: what installs, tests, documents or draws windows; and sources, since all of it is compiled.
UNUSED: Final = (
    *("ensurepip", "idlelib", "lib2to3", "pydoc_data", "test", "tkinter", "turtledemo", "config-*"),
    *("site-packages", "dist-packages", "__pycache__", "*.py"),
)
DPKG: Final = Path("/var/lib/dpkg")


def gather(root: Path) -> None:
    """Copy it all below `root`."""
    python, library, venv = Path(sys.executable).resolve(), sysconfig.get_path("stdlib"), Path(sys.prefix)
    for folder in FOLDERS:
        shutil.copytree(folder, root / folder[1:], symlinks=True)
    shutil.copytree(library, root / library[1:], ignore=shutil.ignore_patterns(*UNUSED))
    compiled = (*(root / library[1:]).rglob("*.so"), *venv.rglob("*.so"))
    for file in (*map(Path, FILES), python, *sorted(_linked(python, *compiled))):
        if not file.is_relative_to(venv):
            copy = root / file.relative_to("/")
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, copy)
    (root / python.relative_to("/").with_name("python3")).symlink_to(python.name)
    (root / "tmp").mkdir()
    (root / "tmp").chmod(0o1777)
    _tell_scanners(root)


def _linked(*compiled: Path) -> set[Path]:
    """The libraries that these are linked with, as `ldd` tells it, and the loader."""
    said = subprocess.run(["ldd", *compiled], check=True, capture_output=True, text=True).stdout
    if missing := re.findall(r"\S+ => not found", said):
        raise SystemExit("\n".join(missing))
    return {Path(one) for one in re.findall(r"(/\S+) \(0x", said)}


def _tell_scanners(root: Path) -> None:
    """Keep of dpkg's list, and of the licences, those of the packages that something was taken of."""
    taken = {_merged(f"/{file.relative_to(root)}") for file in root.rglob("*") if not file.is_dir()}
    names = {name for name, files in _packages() if taken & files}
    entries = (DPKG / "status").read_text().split("\n\n")
    (root / "var/lib/dpkg").mkdir(parents=True)
    (root / "var/lib/dpkg/status").write_text(
        "\n\n".join(one for one in entries if names & set(re.findall(r"^Package: (\S+)", one)))
    )
    for name in names:
        licence = Path("/usr/share/doc", name, "copyright")
        if licence.exists():
            (root / licence.parent.relative_to("/")).mkdir(parents=True)
            shutil.copy2(licence, root / licence.relative_to("/"))


def _packages() -> Iterator[tuple[str, set[str]]]:
    for one in (DPKG / "info").glob("*.list"):
        yield one.stem.partition(":")[0], {_merged(file) for file in one.read_text().splitlines()}


def _merged(file: str) -> str:
    """The name of a file since `/lib` is the same as `/usr/lib`; dpkg knows some by the former name."""
    return file.removeprefix("/usr")


if __name__ == "__main__":
    gather(Path(sys.argv[1]))

"""Keep the vendored browser libraries what their lock file says they are.

`python web/vendor.py check` compares every vendored file with `vendor.lock.json`, without a network.
`python web/vendor.py update` fetches the locked version by npm, refuses it if the archive is not the one
published under that version, and writes the files and their digests anew.

A new version is a decision: change `version` and `integrity` in the lock (`npm view NAME@VERSION dist.integrity`),
then update. The libraries are served as they were published; what must arrive together is put into one file.
"""

import base64
import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import TypedDict

LOCK = Path(__file__).parent / "vendor.lock.json"
VENDORED = Path(__file__).parent / "static" / "vendor"


class VendoredFile(TypedDict):
    sources: list[str]  # paths inside the archive's `package/`, put one after the other
    sha256: str


class Package(TypedDict):
    name: str
    version: str
    integrity: str  # npm's dist.integrity: "sha512-" and the archive's digest in base64
    files: dict[str, VendoredFile]  # by file name in static/vendor


class LockError(Exception):
    """What is on disk, or what was fetched, is not what the lock names."""


def read_lock(path: Path = LOCK) -> list[Package]:
    packages: list[Package] = json.loads(path.read_text("utf-8"))["packages"]
    return packages


def check(packages: list[Package], folder: Path = VENDORED) -> list[str]:
    """Everything in which `folder` differs from the lock, one sentence each; empty when they agree."""
    locked = {name: file["sha256"] for package in packages for name, file in package["files"].items()}
    present = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
    return [
        *(f"{name} is locked but missing" for name in sorted(locked.keys() - present.keys())),
        *(f"{name} is present but not locked" for name in sorted(present.keys() - locked.keys())),
        *(
            f"{name} differs from the lock"
            for name in sorted(locked.keys() & present.keys())
            if locked[name] != present[name]
        ),
    ]


def integrity_of(archive: Path) -> str:
    digest = hashlib.sha512(archive.read_bytes()).digest()
    return "sha512-" + base64.b64encode(digest).decode("ascii")


def update(package: Package, folder: Path = VENDORED) -> None:
    """Fetch one package with the npm client and write its locked files and their new digests."""
    with tempfile.TemporaryDirectory() as scratch:
        wanted = f"{package['name']}@{package['version']}"
        subprocess.run(  # noqa: S603 - the name and version come from our own lock file
            ["npm", "pack", "--silent", "--pack-destination", scratch, wanted],  # noqa: S607 - npm is found on PATH
            check=True,
            stdout=subprocess.DEVNULL,
        )
        (archive,) = Path(scratch).glob("*.tgz")
        if integrity_of(archive) != package["integrity"]:
            raise LockError(f"{wanted}: the archive's digest is not the locked one")
        folder.mkdir(parents=True, exist_ok=True)
        with tarfile.open(archive) as contents:
            for name, file in package["files"].items():
                data = b"\n".join(_read(contents, wanted, source) for source in file["sources"])
                (folder / name).write_bytes(data)
                file["sha256"] = hashlib.sha256(data).hexdigest()


def _read(archive: tarfile.TarFile, wanted: str, source: str) -> bytes:
    member = archive.extractfile(f"package/{source}")
    if member is None:
        raise LockError(f"{wanted} has no file {source}")
    return member.read()


def main(arguments: list[str]) -> int:
    packages = read_lock()
    if arguments == ["update"]:
        for package in packages:
            update(package)
        LOCK.write_text(json.dumps({"packages": packages}, indent=2) + "\n", "utf-8")
    elif arguments != ["check"]:
        sys.stderr.write("usage: vendor.py check | update\n")
        return 2
    differences = check(packages)
    for difference in differences:
        sys.stderr.write(f"{difference}\n")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

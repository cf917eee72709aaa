import gzip
import hashlib
from pathlib import Path

from tests.design.looks import STATIC
from web import vendor

BUDGET = 30_000  # bytes on the wire for all scripts and styles, gzipped


def test_scripts_and_styles_stay_within_their_budget():
    files = [path for path in STATIC.rglob("*") if path.suffix in {".css", ".js"}]
    sizes = {path.name: len(gzip.compress(path.read_bytes(), 9)) for path in files}
    assert {"app.css", "app.js", "passkey.js", "htmx.js"} == sizes.keys()
    assert sum(sizes.values()) < BUDGET, sizes


def test_vendored_files_are_the_locked_ones():
    assert vendor.check(vendor.read_lock()) == []


def test_a_changed_a_missing_and_an_unknown_file_are_each_named(tmp_path: Path):
    (tmp_path / "changed.js").write_text("other")
    (tmp_path / "unknown.js").write_text("whose?")
    digest = hashlib.sha256(b"locked").hexdigest()
    files: dict[str, vendor.VendoredFile] = {
        name: {"sources": [name], "sha256": digest} for name in ("changed.js", "missing.js")
    }
    package: vendor.Package = {"name": "a", "version": "1", "integrity": "sha512-", "files": files}
    assert vendor.check([package], tmp_path) == [
        "missing.js is locked but missing",
        "unknown.js is present but not locked",
        "changed.js differs from the lock",
    ]


def test_the_lock_names_what_was_published_and_nothing_of_where_from():
    (package,) = vendor.read_lock()
    assert (package["name"], package["version"]) == ("htmx.org", "4.0.1")
    assert package["integrity"].startswith("sha512-")
    assert "://" not in vendor.LOCK.read_text("utf-8")


def test_every_file_the_frame_asks_for_exists():
    for name in ("app.css", "app.js", "logo.svg", "favicon.svg", "favicon.ico"):
        assert (STATIC / name).stat().st_size > 0

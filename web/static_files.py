"""Style sheets, scripts and pictures: read once, kept in memory, each under an address that names its content.

An address that changes with the content can be cached for ever, and no deploy leaves a browser with old styles.
"""

import gzip
import hashlib
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from litestar import Request, Response, get
from litestar.connection.base import AuthT, StateT, UserT
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

FOLDER: Final = Path(__file__).parent / "static"
COMPRESSED: Final = frozenset({".css", ".js", ".svg", ".txt", ".ico", ".map"})
FOREVER: Final = "public, max-age=31536000, immutable"
FOR_A_DAY: Final = "public, max-age=86400"
TYPES: Final = {".ico": "image/x-icon", ".js": "text/javascript", ".txt": "text/plain"}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file, ready to be sent."""

    content: bytes
    gzipped: bytes | None
    media_type: str
    digest: str


class Assets:
    """Every file of a folder, by its path inside it."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self.files: Mapping[str, Asset] = {
            path.relative_to(folder).as_posix(): _asset(path)
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }

    def url(self, path: str) -> str:
        """The address of a file; raise KeyError for one that is not there, so that a template's slip is seen."""
        return f"/static/{self.files[path].digest}/{path}"


@lru_cache(maxsize=1)
def assets() -> Assets:
    """The files that we serve, read and compressed once for every application in this process."""
    return Assets()


def _asset(path: Path) -> Asset:
    content = path.read_bytes()
    gzipped = gzip.compress(content, 9, mtime=0) if path.suffix in COMPRESSED else None
    return Asset(
        content=content,
        gzipped=gzipped if gzipped is not None and len(gzipped) < len(content) else None,
        media_type=TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream",
        digest=hashlib.sha256(content).hexdigest()[:12],
    )


def _send(request: Request[UserT, AuthT, StateT], path: str, cache_control: str) -> Response[bytes]:
    assets: Assets = request.app.state.assets
    asset = assets.files.get(path)
    if asset is None:
        raise NotFoundException
    is_gzip = asset.gzipped is not None and "gzip" in request.headers.get("accept-encoding", "")
    etag = f'"{asset.digest}{"-gz" if is_gzip else ""}"'
    headers = {"ETag": etag, "Cache-Control": cache_control, "Vary": "Accept-Encoding"}
    if etag in request.headers.get("if-none-match", ""):
        return Response(b"", status_code=304, headers=headers)
    if is_gzip:
        headers["Content-Encoding"] = "gzip"
    body = asset.gzipped if is_gzip and asset.gzipped is not None else asset.content
    return Response(body, media_type=asset.media_type, headers=headers)


@get("/static/{digest:str}/{path:path}")
async def static_file(
    request: Request[UserT, AuthT, StateT], digest: FromPath[str], path: FromPath[str]
) -> Response[bytes]:
    """A file under its hashed address. An old address gets the present file, uncached: in the minutes of a deploy
    a page of the old version may ask a process of the new one.
    """
    name = path.lstrip("/")
    assets: Assets = request.app.state.assets
    is_current = name in assets.files and assets.files[name].digest == digest
    return _send(request, name, FOREVER if is_current else "no-cache")


@get("/favicon.ico")
async def favicon(request: Request[UserT, AuthT, StateT]) -> Response[bytes]:
    """The icon where browsers look for it without being told."""
    return _send(request, "favicon.ico", FOR_A_DAY)


handlers = [static_file, favicon]

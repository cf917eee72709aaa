"""Where files lie: in a folder that web and workers share, or in an S3 bucket. A file is written once, under a key
that is built from ids, and read whole pieces at a time.
"""

import asyncio
import functools
import shutil
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Protocol

import structlog

from models.base.errors import NotFound
from models.base.settings.working import FileSettings

log = structlog.get_logger(__name__)

#: Bytes that are read, and sent on, at a time.
PIECE: Final = 256 * 1024
#: What S3 says of a key that is not there; the second to those who may not list the bucket (GetObject, "Permissions").
ABSENT: Final = ("NoSuchKey", "AccessDenied")
GONE: Final = "This file is not kept any more. Ask for it again."


class Storage(Protocol):
    """Keeps files by key. Writing the same key again replaces the file, so that a job may begin twice."""

    async def put(self, key: str, file: Path, media_type: str) -> None:
        """Keep a copy of `file`."""

    async def read(self, key: str) -> AsyncIterator[bytes]:
        """The file, in pieces. Raises `NotFound` before the first of them if it is not kept (any more)."""

    async def delete(self, key: str) -> None:
        """Forget the file, if it is there."""

    async def sweep(self, below: str, before: datetime) -> None:
        """Forget what was written below this key before then and is still there: files whose job was stopped, or killed
        for the last time, between the file and the row that names it.
        """


@functools.lru_cache(maxsize=4)
def storage_of(settings: FileSettings) -> Storage:
    """The storage that the settings chose, the same one each time."""
    return BucketStorage(settings) if settings.s3_bucket else FolderStorage(settings.folder)


class FolderStorage:
    """Files in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def put(self, key: str, file: Path, media_type: str) -> None:  # noqa: ARG002 - a folder keeps no types
        """Copy beside and rename, so that nobody reads half a file."""
        await asyncio.to_thread(_copy, file, self._folder / key)

    async def read(self, key: str) -> AsyncIterator[bytes]:
        """Open now, read while it is sent."""
        try:
            opened = await asyncio.to_thread((self._folder / key).open, "rb")
        except FileNotFoundError:
            raise NotFound(GONE) from None
        return _pieces(opened)

    async def delete(self, key: str) -> None:
        """Remove the file."""
        await asyncio.to_thread((self._folder / key).unlink, missing_ok=True)

    async def sweep(self, below: str, before: datetime) -> None:
        """Remove old files, also the halves of those that were never renamed."""
        await asyncio.to_thread(_sweep, self._folder / below, before.timestamp())


class BucketStorage:
    """Objects in a bucket of S3, or of what speaks its protocol. The credentials are the process's own (boto3)."""

    def __init__(self, settings: FileSettings) -> None:
        self._settings = settings

    async def put(self, key: str, file: Path, media_type: str) -> None:
        """Upload; boto3 sends large files in parts."""
        more = {"ContentType": media_type}
        await asyncio.to_thread(
            lambda: self._client.upload_file(str(file), self._bucket, key, ExtraArgs=more)
        )

    async def read(self, key: str) -> AsyncIterator[bytes]:
        """Ask now, pass on while it is sent."""
        found = await asyncio.to_thread(self._found, key)
        return _pieces(found["Body"])

    async def delete(self, key: str) -> None:
        """Delete the object; S3 does not mind if there is none."""
        await asyncio.to_thread(lambda: self._client.delete_object(Bucket=self._bucket, Key=key))

    async def sweep(self, below: str, before: datetime) -> None:
        """Nothing: the bucket's lifecycle rule does it, and nobody here may list the bucket."""

    def _found(self, key: str) -> Any:
        try:
            return self._client.get_object(Bucket=self._bucket, Key=key)
        except self._client.exceptions.ClientError as refused:
            code = refused.response["Error"]["Code"]
            if code not in ABSENT:
                raise
            log.warning("files.gone", key=key, code=code)
            raise NotFound(GONE) from None

    @property
    def _bucket(self) -> str:
        return str(self._settings.s3_bucket)

    @functools.cached_property
    def _client(self) -> Any:
        import boto3

        return boto3.client(
            "s3", region_name=self._settings.s3_region, endpoint_url=self._settings.s3_endpoint_url
        )


def _copy(file: Path, there: Path) -> None:
    there.parent.mkdir(parents=True, exist_ok=True)
    beside = there.with_name(f"{there.name}.part")
    shutil.copyfile(file, beside)
    beside.replace(there)


def _sweep(folder: Path, before: float) -> None:
    for one in folder.rglob("*"):
        if one.is_file() and one.stat().st_mtime < before:
            one.unlink(missing_ok=True)


async def _pieces(opened: Any) -> AsyncIterator[bytes]:
    try:
        while piece := await asyncio.to_thread(opened.read, PIECE):
            yield piece
    finally:
        opened.close()

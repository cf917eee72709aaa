"""Reports are stored, and the answers get lost, or whoever stored them dies. S3 is moto, which counts what it has."""

import csv
import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import PurePath
from signal import SIGKILL
from typing import Any
from uuid import UUID

import boto3
from moto.server import ThreadedMotoServer

from models.accounts.states import Role
from models.accounts.tables import Person
from models.exports.jobs import Report
from models.jobs import enqueue
from tests.emails.conftest import MIRA
from tests.reliability.oracle import judge_effects
from tests.reliability.proxy import wire_to
from tests.reliability.stage import Stage

#: One file for each report, whole, under the name that its row leads to. It may have been put there twice: the second
#: time it replaced the first, under the same name.
_REPORTS = """
select split_part(job.subject, '_', 2)::bigint as token, count(file.key) as times, 1 as most,
       bool_and(made.id is not null and file.key = 'reports/' || made.id || '.' || made.format
                and file.bytes = made.bytes and file.rows = made.rows) as is_settled
  from stored file full join (select * from jobs where kind = 'exports.report') job on file.job_id = job.id
  left join exports made on made.id = job.id
 group by job.id, job.subject
"""


async def answers_of_s3_lost(stage: Stage) -> None:
    """A worker dies that has stored files and told nobody; then files arrive that nobody hears of, and others do not."""
    stage.oracle = partial(judge_effects, effects=_REPORTS, kind=Report.kind)
    with _s3() as port:
        async with wire_to(port) as wire:
            worker = _worker(wire.port)
            stage.start("dispatcher")
            victim = stage.start("worker", crash_at="after the work, before its transaction", **worker)
            tokens = stage.take(stage.size.jobs // 3)
            async with stage.transaction() as session:
                session.add(person := Person(email=MIRA, role=Role.EDITOR))
                await session.flush()
                for token in tokens:
                    await enqueue(session, Report("jobs"), subject=f"report_{token}", asked_by=person.id)
            stage.answered.update(tokens)
            assert await stage.ended(victim) == -SIGKILL
            await stage.strike(victim)
            wire.one_in = {b"ETag": 3, b"PUT /kept/": 7}
            stage.start("worker", **worker)
            await stage.until_finished("queue = 'reports'")
        await stage.fetch("create table stored (key text, job_id uuid, bytes bigint, rows bigint)")
        for key, content in _stored(port):
            rows = len(list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))) - 1
            stored = (key, UUID(PurePath(key).stem), len(content), rows)
            await stage.fetch("insert into stored values ($1, $2, $3, $4)", *stored)


def _worker(port: int) -> dict[str, Any]:
    """What a worker is started with that stores files at this port. What is lost is its own loss: boto3 tries once."""
    environment = {
        "FILE_S3_BUCKET": "kept",
        "FILE_S3_REGION": "us-east-1",
        "FILE_S3_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_MAX_ATTEMPTS": "1",
    }
    return {"queue": "reports", "environment": environment}


@contextmanager
def _s3() -> Iterator[int]:
    """The port of an S3 with a bucket."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        port = int(server.get_host_and_port()[1])
        _client(port).create_bucket(Bucket="kept")
        yield port
    finally:
        server.stop()


def _client(port: int) -> Any:
    return boto3.client(
        "s3",
        region_name="us-east-1",
        endpoint_url=f"http://127.0.0.1:{port}",
        aws_access_key_id="key",
        aws_secret_access_key="secret",
    )


def _stored(port: int) -> Iterator[tuple[str, bytes]]:
    client = _client(port)
    for page in client.get_paginator("list_objects_v2").paginate(Bucket="kept"):
        for one in page.get("Contents", ()):
            yield one["Key"], client.get_object(Bucket="kept", Key=one["Key"])["Body"].read()

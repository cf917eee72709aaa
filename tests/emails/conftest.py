"""SES as moto plays it, and a proxy before it that can spoil its answers."""

import http.client
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from emails.samples import sample
from tests.emails.faults import FaultProxy, faults_before

SENDER = "Galley <letters@galley.example>"
MIRA = "mira@hollow-hill.example"


@dataclass(frozen=True)
class Ses:
    """An SES that knows one sender."""

    host: str
    port: int

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def start_over(self) -> None:
        self._ask("POST", "/moto-api/reset")
        client = boto3.client(
            "sesv2",
            region_name="eu-west-1",
            endpoint_url=self.url,
            aws_access_key_id="key",
            aws_secret_access_key="secret",
        )
        client.create_email_identity(EmailIdentity="letters@galley.example")
        client.close()

    def taken(self) -> list[dict[str, Any]]:
        """Every letter SES has accepted, each with its `id`, `source`, `destinations` and `raw_data`."""
        letters: list[dict[str, Any]] = self._ask("GET", "/moto-api/data.json")["ses"].get("RawMessage", [])
        return letters

    def _ask(self, method: str, path: str) -> Any:
        connection = http.client.HTTPConnection(self.host, self.port)
        connection.request(method, path)
        with connection.getresponse() as answer:
            words = answer.read()
        connection.close()
        return json.loads(words)


@pytest.fixture(scope="session")
def moto() -> Iterator[Ses]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    yield Ses(*server.get_host_and_port())
    server.stop()


@pytest.fixture
def ses(moto: Ses) -> Ses:
    moto.start_over()
    return moto


@pytest.fixture
def proxy(ses: Ses) -> Iterator[FaultProxy]:
    with faults_before(ses.url) as proxy:
        yield proxy


@pytest.fixture
def mime() -> bytes:
    return sample("orders.backlink_ready").as_bytes(sender=SENDER, message_id="<4711@galley.example>")

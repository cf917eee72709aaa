"""A proxy before an HTTP service that loses, damages or replaces the service's answers."""

import http.client
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Literal
from urllib.parse import urlsplit

#: What happens to an answer after the service has done its work.
Fault = Literal["none", "an error instead", "dropped", "late"]


class FaultProxy(ThreadingHTTPServer):
    """Forwards to `upstream` with one fault; with `answer` set, it answers itself and forwards nothing."""

    daemon_threads = True

    def __init__(self, upstream: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = str(urlsplit(upstream).netloc)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.fault: Fault = "none"
        self.answer: tuple[int, str, str] | None = None  # status, error code, message
        self.asked = 0
        self.ended = Event()


class _Handler(BaseHTTPRequestHandler):
    server: FaultProxy
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.server.asked += 1
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.server.answer is not None:
            status, code, message = self.server.answer
            self._reply(status, f'{{"message": "{message}"}}'.encode(), {"x-amzn-ErrorType": code})
            return
        upstream = http.client.HTTPConnection(self.server.upstream)
        upstream.request("POST", self.path, body, dict(self.headers))
        with upstream.getresponse() as answer:
            words = answer.read()
        upstream.close()
        match self.server.fault:
            case "none":
                self._reply(
                    answer.status, words, {"x-amzn-ErrorType": answer.headers["x-amzn-errortype"] or ""}
                )
            case "an error instead":
                self._reply(500, b'{"message": "internal"}', {"x-amzn-ErrorType": "InternalFailure"})
            case "late":
                self.server.ended.wait()
                self.close_connection = True
            case "dropped":
                self.close_connection = True

    def _reply(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """The tests say enough."""


@contextmanager
def faults_before(upstream: str) -> Iterator[FaultProxy]:
    with FaultProxy(upstream) as proxy:
        thread = Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield proxy
        proxy.ended.set()
        proxy.shutdown()
        thread.join()

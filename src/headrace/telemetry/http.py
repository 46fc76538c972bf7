"""Serves `/metrics`, `/health/live` and `/health/ready` while a processor runs."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self

from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from headrace.telemetry.exposition import registry_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from headrace.telemetry.metrics import Metrics


class StatusServer:
    """The HTTP server of one processor; serves from a thread of its own between `start` and `close`."""

    def __init__(
        self,
        port: int,
        metrics: Metrics,
        *,
        live: Callable[[], bool],
        ready: Callable[[], bool],
        host: str = "0.0.0.0",
    ) -> None:
        """Bind the port.

        Args:
            port: 0 takes a free one.
            metrics: what `/metrics` shows.
            live: whether the processor still works; a supervisor restarts it if not.
            ready: whether it processes records right now.
            host: the address to listen on.
        """
        registry = registry_of(metrics)

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 30

            def do_GET(self) -> None:
                path = self.path.split("?", 1)[0]
                if path == "/metrics":
                    self._answer(200, generate_latest(registry), CONTENT_TYPE_LATEST)
                elif path in ("/health/live", "/health/ready"):
                    good = live() if path.endswith("live") else ready()
                    self._answer(
                        200 if good else 503, b"ok\n" if good else b"not ok\n", "text/plain; charset=utf-8"
                    )
                else:
                    self._answer(404, b"not found\n", "text/plain; charset=utf-8")

            def _answer(self, status: int, body: bytes, kind: str) -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing: a probe every few seconds is no news."""

        self._server = ThreadingHTTPServer((host, port), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="headrace-http", daemon=True)

    @property
    def port(self) -> int:
        """The port that is served."""
        return int(self._server.server_address[1])

    def start(self) -> Self:
        """Begin to serve."""
        self._thread.start()
        return self

    def close(self) -> None:
        """Stop serving and free the port."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

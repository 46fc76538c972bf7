"""A reverse proxy that guards a schema registry, as companies put one before theirs: TLS, and a user with a password."""

from __future__ import annotations

import base64
import http.client
import ssl
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tests.servers.threads import ThreadServer

if TYPE_CHECKING:
    from pathlib import Path


class RegistryProxy(ThreadServer):
    """Listens on a free port of 127.0.0.1.

    Args:
        registry: base URL of what is guarded.
        account: user and password that a request must have.
        certificate: PEM file with key and chain; None speaks plain HTTP.
    """

    def __init__(
        self, registry: str, account: tuple[str, str] | None = None, certificate: Path | None = None
    ) -> None:
        upstream = urlsplit(registry)
        self._path = upstream.path
        expected = (
            None if account is None else "Basic " + base64.b64encode(":".join(account).encode()).decode()
        )

        class Handler(BaseHTTPRequestHandler):
            def _pass_on(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if expected is not None and self.headers.get("Authorization") != expected:
                    self._answer(401, b'{"error_code": 401, "message": "Unauthorized"}', "application/json")
                    return
                connection = http.client.HTTPConnection(upstream.netloc, timeout=30)
                headers = {"Content-Type": self.headers.get("Content-Type") or "application/json"}
                connection.request(self.command, self.path, body, headers)
                response = connection.getresponse()
                kind = response.headers.get("Content-Type") or "application/json"
                self._answer(response.status, response.read(), kind)
                connection.close()

            def _answer(self, status: int, body: bytes, kind: str) -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PUT = do_DELETE = _pass_on

            def log_message(self, format: str, *args: object) -> None:
                """Keep the output of the tests clean."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        super().__init__(server)
        self._scheme = "http"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            # The handshake is made by the thread of the connection, so that a client that refuses disturbs nobody.
            server.socket = context.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
            self._scheme = "https"
        server.handle_error = lambda request, client_address: None  # type: ignore[method-assign]

    def url(self, account: str = "") -> str:
        """Give its base URL, with `user:password@` if they are given."""
        return f"{self._scheme}://{account}{self.bootstrap}{self._path}"

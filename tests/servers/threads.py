"""Small servers of the test process itself, each in a thread."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from socketserver import TCPServer


class ThreadServer:
    """Serves while the block lasts."""

    def __init__(self, server: TCPServer) -> None:
        self._server = server
        self._thread = threading.Thread(target=server.serve_forever, args=(0.05,))

    @property
    def port(self) -> int:
        """Where it listens on 127.0.0.1."""
        port: int = self._server.server_address[1]
        return port

    @property
    def bootstrap(self) -> str:
        """Its address, for a client of Kafka."""
        return f"127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

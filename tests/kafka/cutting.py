"""A way to a broker on which connections are cut at random: before a request arrives, or when its answer comes back."""

from __future__ import annotations

import contextlib
import random
import socket
import socketserver
import struct
import threading
from typing import Final, Self

_METADATA: Final = 3
_FIND_COORDINATOR: Final = 10
_HOST: Final = b"\x00\x09127.0.0.1"


class CuttingProxy:
    """Passes requests on to one broker, for clients that use no newer version than our own for where brokers are.

    Attributes:
        share: of all requests, how many are not answered.
        cut: how many were not.
        lost: how many of these had reached the broker, by the number of the request.
    """

    def __init__(self, port: int, seed: int) -> None:
        self.share = 0.0
        self.cut = 0
        self.lost: dict[int, int] = {}
        self._random = random.Random(seed)
        self._broker = port
        proxy = self

        class Connection(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with socket.create_connection(("127.0.0.1", port)) as broker, contextlib.suppress(OSError):
                    while (request := _receive(self.request)) is not None:
                        fate = proxy._random.random()
                        if fate < proxy.share / 2:
                            proxy.cut += 1
                            return
                        broker.sendall(request)
                        answer = _receive(broker)
                        (key,) = struct.unpack(">h", request[4:6])
                        if fate < proxy.share:
                            proxy.cut += 1
                            proxy.lost[key] = proxy.lost.get(key, 0) + 1
                            return
                        assert answer is not None
                        self.request.sendall(proxy._redirected(key, answer))

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True

        self._server = Server(("127.0.0.1", 0), Connection)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    def _redirected(self, key: int, answer: bytes) -> bytes:
        if key not in (_METADATA, _FIND_COORDINATOR):
            return answer
        here = struct.pack(">i", self._server.server_address[1])
        return answer.replace(_HOST + struct.pack(">i", self._broker), _HOST + here)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _receive(connection: socket.socket) -> bytes | None:
    """Give one message with its length; None at the end."""
    head = _read(connection, 4)
    if head is None:
        return None
    body = _read(connection, struct.unpack(">i", head)[0])
    return None if body is None else head + body


def _read(connection: socket.socket, count: int) -> bytes | None:
    found = bytearray()
    while len(found) < count:
        piece = connection.recv(count - len(found))
        if not piece:
            return None
        found += piece
    return bytes(found)

"""A way to a broker on which connections are cut at random, before a request arrives or when its answer comes back, and on which
requests are refused."""

from __future__ import annotations

import contextlib
import random
import socket
import socketserver
import struct
from typing import TYPE_CHECKING, Final

from tests.servers.threads import ThreadServer

if TYPE_CHECKING:
    from collections.abc import Callable

PRODUCE: Final = 0
_METADATA: Final = 3
_FIND_COORDINATOR: Final = 10
INIT_PRODUCER_ID: Final = 22
ADD_PARTITIONS: Final = 24
ADD_OFFSETS: Final = 25
END: Final = 26
COMMIT_OFFSETS: Final = 28
_HOST: Final = b"\x00\x09127.0.0.1"


class CuttingProxy(ThreadServer):
    """Passes requests on to one broker, for clients that use no newer version than our own for where brokers are.

    Attributes:
        share: of all requests, how many are not answered.
        cut: how many were not.
        lost: how many of these had reached the broker, by the number of the request.
        refusals: by the number of a request, the codes that the next ones of its kind are answered with; they go no further.
    """

    def __init__(self, port: int, seed: int) -> None:
        self.share = 0.0
        self.cut = 0
        self.lost: dict[int, int] = {}
        self.refusals: dict[int, list[int]] = {}
        self._random = random.Random(seed)
        self._broker = port
        proxy = self

        class Connection(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with socket.create_connection(("127.0.0.1", port)) as broker, contextlib.suppress(OSError):
                    while (request := _receive(self.request)) is not None:
                        (key,) = struct.unpack(">h", request[4:6])
                        if proxy.refusals.get(key):
                            self.request.sendall(_refusal(key, request, proxy.refusals[key].pop(0)))
                            continue
                        fate = proxy._random.random()
                        if fate < proxy.share / 2:
                            proxy.cut += 1
                            return
                        broker.sendall(request)
                        answer = _receive(broker)
                        if fate < proxy.share:
                            proxy.cut += 1
                            proxy.lost[key] = proxy.lost.get(key, 0) + 1
                            return
                        assert answer is not None
                        self.request.sendall(proxy._redirected(key, answer))

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True

        super().__init__(Server(("127.0.0.1", 0), Connection))

    def _redirected(self, key: int, answer: bytes) -> bytes:
        if key not in (_METADATA, _FIND_COORDINATOR):
            return answer
        here = struct.pack(">i", self.port)
        return answer.replace(_HOST + struct.pack(">i", self._broker), _HOST + here)


def _refusal(key: int, request: bytes, code: int) -> bytes:
    """Answer one of the requests of our own producer, in the version that it uses, with a code for all that it names."""
    fields = _Fields(request)
    fields.take(8)
    correlation = fields.take(4)
    fields.text()
    error = struct.pack(">h", code)
    if key == PRODUCE:
        fields.text()
        fields.take(6)
        # No offset, time or first offset, no rows, no reason.
        rest = error + struct.pack(">qqq", -1, -1, -1) + struct.pack(">ih", 0, -1)
        body = fields.of_partitions(lambda: fields.take(fields.number()), rest) + bytes(4)
    elif key == ADD_PARTITIONS:
        fields.text()
        fields.take(10)
        body = bytes(4) + fields.of_partitions(lambda: None, error)
    elif key in (ADD_OFFSETS, END):
        body = bytes(4) + error
    elif key == INIT_PRODUCER_ID:
        body = bytes(1) + bytes(4) + error + struct.pack(">qh", -1, -1) + bytes(1)
    else:
        assert key == COMMIT_OFFSETS
        # One partition of a topic with a short name that nobody looks at.
        body = bytes(1) + bytes(4) + b"\x02\x02t\x02" + bytes(4) + error + bytes(3)
    answer = correlation + body
    return struct.pack(">i", len(answer)) + answer


class _Fields:
    """Reads a request, of a version that is not flexible, field by field."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._at = 0

    def take(self, count: int) -> bytes:
        self._at += count
        return self._request[self._at - count : self._at]

    def number(self) -> int:
        number: int = struct.unpack(">i", self.take(4))[0]
        return number

    def text(self) -> bytes:
        """Give a text with its length."""
        length = self.take(2)
        return length + self.take(max(struct.unpack(">h", length)[0], 0))

    def of_partitions(self, skip: Callable[[], object], rest: bytes) -> bytes:
        """Give the same topics and partitions, each with something behind it; `skip` passes what the request has there."""
        topics = self.take(4)
        found = topics
        for _ in range(struct.unpack(">i", topics)[0]):
            found += self.text()
            partitions = self.take(4)
            found += partitions
            for _ in range(struct.unpack(">i", partitions)[0]):
                found += self.take(4) + rest
                skip()
        return found


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

"""A broker that at times says that its cluster has no brokers, as real ones do while they shut down or start."""

from __future__ import annotations

import socketserver
import struct
import threading
from typing import Final

from tests.servers.ports import free_ports
from tests.servers.threads import ThreadServer

_METADATA: Final = 3
_API_VERSIONS: Final = 18
_NO_LEADER: Final = 5
_UNSUPPORTED_VERSION: Final = 35


class ForgetfulBroker(ThreadServer):
    """Answers requests for metadata and nothing else.

    Attributes:
        forgets: whether it says that there is no broker, itself included.
        forgot: set by such an answer; clear it to wait for the next one.
        knew: set by an answer that names it.
    """

    def __init__(self) -> None:
        self.forgets = False
        self.forgot = threading.Event()
        self.knew = threading.Event()
        broker = self

        class Connection(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                while size := self.rfile.read(4):
                    request = self.rfile.read(struct.unpack(">i", size)[0])
                    answer = request[4:8] + broker._answer(request)
                    self.wfile.write(struct.pack(">i", len(answer)) + answer)

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                """Clients hang up when they like."""

        (port,) = free_ports(1)
        super().__init__(Server(("127.0.0.1", port), Connection))

    def _answer(self, request: bytes) -> bytes:
        key, version = struct.unpack(">hh", request[:4])
        if key == _API_VERSIONS:
            # The oldest forms, which have the plainest encoding.
            error = 0 if version == 0 else _UNSUPPORTED_VERSION
            return struct.pack(">hi", error, 2) + struct.pack(">6h", _METADATA, 0, 1, _API_VERSIONS, 0, 0)
        assert (key, version) == (_METADATA, 1)
        (length,) = struct.unpack(">h", request[8:10])
        topics = _strings(request[10 + length :])
        brokers = b""
        if not self.forgets:
            brokers = struct.pack(">i", 1) + _string("127.0.0.1") + struct.pack(">ih", self.port, -1)
        controller = -1 if self.forgets else 1
        described = b"".join(struct.pack(">h", _NO_LEADER) + _string(topic) + b"\0" * 5 for topic in topics)
        (self.forgot if self.forgets else self.knew).set()
        counts = struct.pack(">i", 0 if self.forgets else 1), struct.pack(">i", len(topics))
        return counts[0] + brokers + struct.pack(">i", controller) + counts[1] + described


def _string(text: str) -> bytes:
    return struct.pack(">h", len(text)) + text.encode()


def _strings(encoded: bytes) -> list[str]:
    count, place, found = struct.unpack(">i", encoded[:4])[0], 4, []
    for _ in range(max(count, 0)):
        (length,) = struct.unpack(">h", encoded[place : place + 2])
        found.append(encoded[place + 2 : place + 2 + length].decode())
        place += 2 + length
    return found

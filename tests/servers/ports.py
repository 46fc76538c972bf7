"""Ports for servers that are started, stopped and started again while others do the same."""

from __future__ import annotations

import random
import socket
from typing import Final

_PORTS: Final = range(10_000, 32_000)
"""Below those that Linux gives to outgoing connections (32768 and up, unless told otherwise): one of these may take the port of a
server that is away, even the very connection that looks for this server, and it could not come back."""

_reserved: list[socket.socket] = []


def free_ports(count: int) -> list[int]:
    """Give ports of 127.0.0.1 that are free, all different. They stay this process's until it ends."""
    found: list[int] = []
    candidates = random.sample(_PORTS, len(_PORTS))
    while len(found) < count:
        port = candidates.pop()
        if _reserve(port):
            found.append(port)
    return found


def _reserve(port: int) -> bool:
    # An abstract name: all processes of the machine see it, and it goes with this one.
    sign = socket.socket(socket.AF_UNIX)
    try:
        sign.bind(f"\0headrace-test-port-{port}")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
    except OSError:
        sign.close()
        return False
    _reserved.append(sign)
    return True

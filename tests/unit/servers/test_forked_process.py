"""What a forked process says of itself arrives in any pieces."""

from __future__ import annotations

import os
import socket
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.servers.commands import ForkedProcess

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder with a short name: that of a socket has a hundred characters at most, and those of tests are long."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def forked(home: Path, answer: Sequence[bytes]) -> ForkedProcess:
    """Give a process of a server that answers a call with these pieces, then hangs up."""

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            _, streams, _, _ = socket.recv_fds(connection, 1 << 16, 3)
            for stream in streams:
                os.close(stream)
            while connection.recv(1 << 16):
                pass
            for piece in answer:
                connection.sendall(piece)

    with socket.socket(socket.AF_UNIX) as listener, (home / "output").open("w") as output:
        listener.bind(str(home / "socket"))
        listener.listen()
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            return ForkedProcess(home / "bin", "none", [], output)
        finally:
            thread.join()


@pytest.mark.parametrize("answer", [[b"13897\n1"], [b"13897\n", b"1"], [b"138", b"97", b"\n", b"", b"1"]])
def test_the_id_and_the_exit_code_may_come_together(home: Path, answer: Sequence[bytes]) -> None:
    process = forked(home, answer)
    assert process.pid == 13897
    assert process.wait(10.0) == process.poll() == 1


@pytest.mark.parametrize("answer", [[], [b"138"], [b"13897\n"]])
def test_a_server_that_dies_is_told(home: Path, answer: Sequence[bytes]) -> None:
    with pytest.raises(AssertionError, match="the server of the commands said"):
        forked(home, answer).wait(10.0)

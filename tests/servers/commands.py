"""Processes without their start.

A command loads its modules for 0.7 CPU seconds and then works for a few hundredths, and the tests call some hundreds. Here
a server has everything loaded and forks a process for each call: what the tests look at is still a process, with its
arguments, folder, environment, standard streams, signals and exit code. Tests of the start itself, and one page of the
documentation, call the installed command instead.
"""

from __future__ import annotations

import os
import shlex
import signal
import socket
import sys
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, Self

from tests.servers.process import ServerProcess

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_ROOT: Final = Path(__file__).resolve().parents[2]
_SERVER: Final = Path(__file__).with_name("forked_commands.py")
_CLIENT: Final = """\
import _signal, _socket, os, sys
call = ascii(["headrace.cli", sys.argv[2:], os.getcwd(), dict(os.environ)]).encode()
streams = b"".join(number.to_bytes(4, sys.byteorder) for number in range(3))
server = _socket.socket(_socket.AF_UNIX)
server.connect(sys.argv[1])
server.sendall(call[server.sendmsg([call], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, streams)]):])
server.shutdown(_socket.SHUT_WR)
answer = b""
while more := server.recv(64):
    answer += more
code = int(answer.split()[1])
if code < 0:
    _signal.signal(-code, _signal.SIG_DFL)
    os.kill(os.getpid(), -code)
os._exit(code)
"""
"""Hands its call and its streams over, and ends as the command ended. The modules that it does without, json, socket and signal,
take as long to load as the interpreter takes to start."""


class ForkedProcess:
    """A process that runs `main` of a module.

    Args:
        folder: what the fixture `commands` gives.
        module: whose `main` is called without arguments.
        arguments: its command line.
        output: where its standard output and standard error go.
        environment: what it has beside ours.
    """

    def __init__(
        self,
        folder: Path,
        module: str,
        arguments: Sequence[str],
        output: IO[Any],
        environment: Mapping[str, str] | None = None,
    ) -> None:
        call = ascii([module, list(arguments), str(_ROOT), {**os.environ, **(environment or {})}]).encode()
        self._server = socket.socket(socket.AF_UNIX)
        self._answer = b""
        self._code: int | None = None
        try:
            self._server.connect(str(folder.parent / "socket"))
            with Path(os.devnull).open("rb") as nothing:
                streams = [nothing.fileno(), output.fileno(), output.fileno()]
                sent = socket.send_fds(self._server, [call], streams)
            self._server.sendall(call[sent:])
            self._server.shutdown(socket.SHUT_WR)
            while b"\n" not in self._answer:
                self._receive(60.0)
        except BaseException:
            self._server.close()
            raise
        # The exit code of a short one may have come along.
        self.pid = int(self._answer.split(b"\n")[0])

    def send_signal(self, number: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once and wait until it has ended."""
        self.send_signal(signal.SIGKILL)
        self.wait(60.0)

    def poll(self) -> int | None:
        """Give the exit code if it has ended."""
        try:
            return self.wait(0.0)
        except (BlockingIOError, TimeoutError):
            return None

    def wait(self, timeout: float) -> int:
        """Give the exit code, less than 0 after a signal.

        Raises:
            TimeoutError: it has not ended in so many seconds.
        """
        while self._code is None:
            self._receive(timeout)
        return self._code

    def _receive(self, timeout: float) -> None:
        """Take what the server says, in whatever pieces; it hangs up after the exit code."""
        self._server.settimeout(timeout)
        more = self._server.recv(64)
        self._answer += more
        if not more:
            self._server.close()
            words = self._answer.split()
            assert len(words) == 2, f"the server of the commands said {self._answer!r}"
            self._code = int(words[1])


class CommandServer:
    """Gives an executable `headrace`, and processes of other modules.

    A signal to the executable does not reach the command; one to a `ForkedProcess` does.
    """

    def __init__(self) -> None:
        self._home = tempfile.TemporaryDirectory(prefix="headrace-commands-")
        self._process: ServerProcess | None = None

    @property
    def folder(self) -> Path:
        """Holds the executable and nothing else: for PATH."""
        return Path(self._home.name) / "bin"

    def start(self) -> Self:
        home = Path(self._home.name)
        address, client = home / "socket", home / "client.py"
        client.write_text(_CLIENT, encoding="utf-8")
        self.folder.mkdir()
        call = shlex.join([sys.executable, "-I", "-S", str(client), str(address)])
        command = self.folder / "headrace"
        command.write_text(f'#!/bin/sh\nexec {call} "$@"\n', encoding="utf-8")
        command.chmod(0o755)
        self._process = ServerProcess(
            # A user must never see a warning of Python's.
            [sys.executable, "-P", "-W", "error", str(_SERVER), str(address)],
            output=home / "output.log",
            # A fork keeps only the thread that forks.
            environment={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        )
        self._process.wait_until(address.exists, 60)
        return self

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process = None
        self._home.cleanup()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

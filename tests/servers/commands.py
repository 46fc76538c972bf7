"""The command `headrace` without its start.

A command loads its modules for 0.7 CPU seconds and then works for a few hundredths, and the tests call some hundreds. Here
a server has everything loaded and forks a process for each call: what the tests look at is still a process, with its
arguments, folder, environment, standard streams and exit code. Tests of the start and of signals, and one page of the
documentation, call the installed command instead.
"""

from __future__ import annotations

import os
import shlex
import sys
import tempfile
from pathlib import Path
from typing import Final, Self

from tests.servers.process import ServerProcess

_SERVER: Final = Path(__file__).with_name("forked_commands.py")
_CLIENT: Final = """\
import json, os, signal, socket, sys
call = json.dumps([sys.argv[2:], os.getcwd(), dict(os.environ)]).encode()
with socket.socket(socket.AF_UNIX) as server:
    server.connect(sys.argv[1])
    socket.send_fds(server, [call], [0, 1, 2])
    server.shutdown(socket.SHUT_WR)
    answer = server.recv(16)
code = int(answer or 70)
if code < 0:
    signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
os._exit(code)
"""
"""Hands its call and its streams over, and ends as the command ended. It loads no more than that takes."""


class CommandServer:
    """Gives an executable `headrace`. A signal that is sent to it does not reach the command."""

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

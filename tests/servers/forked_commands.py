"""The server behind `tests.servers.commands`: loads the command line once and forks for every call."""

from __future__ import annotations

import ast
import atexit
import gc
import importlib
import os
import pkgutil
import select
import signal
import socket
import sys
import traceback
import warnings
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from headrace import cli

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from tests.servers.process import die_with_parent

if TYPE_CHECKING:
    from collections.abc import Iterator


def load() -> None:
    """Import whatever a command may need, except what commands must do without."""
    sys.meta_path.insert(0, cli.WithoutPandas())
    for module in pkgutil.iter_modules(cli.__path__):
        importlib.import_module(f"headrace.cli.{module.name}")
    importlib.import_module("headrace.log.kafka")
    # The collector would touch, and so copy, every page of these modules in each process.
    gc.collect()
    gc.freeze()


def serve(address: str) -> str:
    """Take calls for ever. Returns in the process of a call alone, with the name of the module that it is to run."""
    # Arrow's allocator has a thread; it takes care of forks itself.
    warnings.filterwarnings("ignore", message=".*use of fork", category=DeprecationWarning)
    running: dict[int, socket.socket] = {}
    waiting = f"{address}.new"
    with socket.socket(socket.AF_UNIX) as listener, _ends() as ended:
        listener.bind(waiting)
        listener.listen(64)
        Path(waiting).rename(address)
        while True:
            ready, _, _ = select.select([listener, ended], [], [])
            if ended in ready:
                ended.recv(1 << 16)
                _tell_ends(running)
            if listener not in ready:
                continue
            connection, _ = listener.accept()
            message, streams = _receive(connection)
            command = os.fork()
            if command == 0:
                die_with_parent()
                # A caller takes it for the end when nobody holds its connection any more.
                for other in (connection, *running.values()):
                    other.close()
                break
            running[command] = connection
            _tell(connection, f"{command}\n")
            for stream in streams:
                os.close(stream)
    return _become(message, streams)


@contextmanager
def _ends() -> Iterator[socket.socket]:
    """Give what can be read when a process of ours has ended."""
    woken, waking = socket.socketpair()
    waking.setblocking(False)
    with woken, waking:
        signal.set_wakeup_fd(waking.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        yield woken
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.set_wakeup_fd(-1)


def _tell_ends(running: dict[int, socket.socket]) -> None:
    """Tell those who wait for commands that have ended their exit codes."""
    while running:
        command, status = os.waitpid(-1, os.WNOHANG)
        if command == 0:
            return
        with running.pop(command) as connection:
            _tell(connection, str(os.waitstatus_to_exitcode(status)))


def _tell(connection: socket.socket, what: str) -> None:
    # A caller may have been killed.
    with suppress(OSError):
        connection.sendall(what.encode())


def _receive(connection: socket.socket) -> tuple[bytes, list[int]]:
    message, streams, _, _ = socket.recv_fds(connection, 1 << 16, 3)
    while more := connection.recv(1 << 16):
        message += more
    return message, streams


def _become(message: bytes, streams: list[int]) -> str:
    """Take over what the caller has; gives the module to run."""
    module, arguments, folder, environment = ast.literal_eval(message.decode())
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv[:] = ["headrace", *arguments]
    return str(module)


def run(module: str) -> None:
    """Run a program and end. Taking the interpreter down in order would cost more than most commands."""
    try:
        importlib.import_module(module).main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except BaseException:
        traceback.print_exc()
        code = 1
    atexit._run_exitfuncs()
    sys.stdout.flush()
    os._exit(code)


if __name__ == "__main__":
    load()
    run(serve(sys.argv[1]))

"""The server behind `tests.servers.commands`: loads the command line once and forks for every call."""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import pkgutil
import signal
import socket
import sys
import traceback
import warnings
from pathlib import Path

from headrace import cli

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from tests.servers.process import die_with_parent


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
    # Nobody waits for the processes that wait for the commands.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    # Arrow's allocator has a thread; it takes care of forks itself.
    warnings.filterwarnings("ignore", message=".*use of fork", category=DeprecationWarning)
    waiting = f"{address}.new"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(waiting)
        listener.listen(64)
        Path(waiting).rename(address)
        while True:
            connection, _ = listener.accept()
            message, streams = _receive(connection)
            if os.fork() == 0:
                die_with_parent()
                listener.close()
                if _started(connection, streams):
                    return _become(message, streams)
            connection.close()
            for stream in streams:
                os.close(stream)


def _receive(connection: socket.socket) -> tuple[bytes, list[int]]:
    message, streams, _, _ = socket.recv_fds(connection, 1 << 16, 3)
    while more := connection.recv(1 << 16):
        message += more
    return message, streams


def _started(connection: socket.socket, streams: list[int]) -> bool:
    """Fork once more: true in the command; the other process tells its id, waits for it, tells its exit code and ends."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    command = os.fork()
    if command == 0:
        die_with_parent()
        connection.close()
        return True
    for stream in streams:
        os.close(stream)
    connection.sendall(f"{command}\n".encode())
    _, status = os.waitpid(command, 0)
    connection.sendall(str(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


def _become(message: bytes, streams: list[int]) -> str:
    """Take over what the caller has; gives the module to run."""
    module, arguments, folder, environment = json.loads(message)
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

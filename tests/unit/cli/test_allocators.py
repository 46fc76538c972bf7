"""What allocators hold back: in a process of its own, for it is set once and for all."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="arenas are glibc's")
def test_threads_share_a_few_arenas() -> None:
    script = (
        "import ctypes, re, tempfile, threading\n"
        "from headrace.cli.allocators import keep_little\n"
        "import pyarrow as pa\n"
        "keep_little()\n"
        "libc = ctypes.CDLL(None)\n"
        "barrier = threading.Barrier(40)\n"
        "def work():\n"
        "    libc.malloc(100_000)\n"
        "    barrier.wait()\n"
        "threads = [threading.Thread(target=work) for _ in range(40)]\n"
        "[thread.start() for thread in threads]; [thread.join() for thread in threads]\n"
        "libc.fopen.restype = ctypes.c_void_p\n"
        "with tempfile.NamedTemporaryFile() as file:\n"
        "    stream = ctypes.c_void_p(libc.fopen(file.name.encode(), b'w'))\n"
        "    libc.malloc_info(0, stream); libc.fclose(stream)\n"
        "    print(len(re.findall('<heap nr', file.read().decode())), pa.default_memory_pool().backend_name)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    arenas, pool = done.stdout.split()
    assert pool == "system"
    assert int(arenas) <= 1 + max(2, os.cpu_count() or 1)

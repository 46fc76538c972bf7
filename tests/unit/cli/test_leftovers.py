"""What a start leaves behind is given back, and nothing else."""

from __future__ import annotations

import platform
import subprocess
import sys
import threading

import pytest

from headrace.cli.leftovers import Trimmed, _unwritten, trimmed

_SMAPS = b"""\
7000-8000 r-xp 00000000 fe:00 1  /site/pkg/lib one.so
Rss:                 400 kB
Anonymous:             0 kB
Swap:                  0 kB
VmFlags: rd ex mr mw me
8000-9000 r--p 00001000 fe:00 1  /site/pkg/lib one.so
Anonymous:             4 kB
Swap:                  0 kB
9000-a000 rw-p 00002000 fe:00 1  /site/pkg/lib one.so
Anonymous:             0 kB
Swap:                  0 kB
a000-b000 r--s 00000000 fe:00 2  /site/pkg/data
Anonymous:             0 kB
Swap:                  0 kB
b000-c000 r--p 00000000 fe:00 3  /site/other
Anonymous:             0 kB
Swap:                  0 kB
c000-d000 r--p 00000000 fe:00 4  /sites/pkg/lib.so
Anonymous:             0 kB
Swap:                  0 kB
d000-e000 r--p 00000000 00:00 0
Anonymous:             0 kB
Swap:                  0 kB
e000-f000 r--p 00003000 fe:00 1  /site/pkg/lib one.so
Anonymous:             0 kB
Swap:                  4 kB
"""


def test_only_unwritten_private_parts_of_packages_are_let_go_of() -> None:
    found = list(_unwritten(_SMAPS.splitlines(keepends=True), (b"/site/",)))
    assert found == [(0x7000, 0x8000), (0xB000, 0xC000)]


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux what is mapped")
def test_libraries_work_after_they_were_let_go_of() -> None:
    script = (
        "import re\n"
        "import duckdb\n"
        "from pathlib import Path\n"
        "from headrace.cli.leftovers import let_go_of_libraries\n"
        "def of_files():\n"
        "    return int(re.search(r'RssFile:\\s+(\\d+)', Path('/proc/self/status').read_text())[1])\n"
        "question = 'SELECT sum(range)::BIGINT FROM range(1000)'\n"
        "duck = duckdb.connect(config={'threads': 1})\n"
        "duck.execute(question).fetchall()\n"
        "before = of_files()\n"
        "let_go_of_libraries()\n"
        "print(before - of_files(), duck.execute(question).fetchall()[0][0])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    freed, answer = map(int, done.stdout.split())
    assert freed > 20_000
    assert answer == 499_500


def test_what_has_grown_is_given_back_and_nothing_else() -> None:
    # In MiB: as it begins, look by look, and after each time that something was given back.
    sizes = iter([10, 18, 19, 12, 20, 21, 21])
    seen: list[str] = []
    over = threading.Event()

    def anonymous() -> int:
        size = next(sizes, None)
        if size is None:
            over.set()
            return 0
        seen.append(str(size))
        return size << 20

    with Trimmed(lambda: seen.append("trim"), anonymous, lambda: seen.append("before"), look=0.001):
        assert over.wait(10)
    assert seen == ["10", "18", "19", "before", "trim", "12", "20", "21", "trim", "21"]


def test_a_system_that_tells_nothing_is_left_alone() -> None:
    def anonymous() -> int:
        raise FileNotFoundError

    seen: list[str] = []
    with Trimmed(lambda: seen.append("trim"), anonymous, lambda: seen.append("before"), look=0.0):
        pass
    assert not seen


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="trimming is glibc's")
def test_this_process_can_be_trimmed() -> None:
    with trimmed() as found:
        assert isinstance(found, Trimmed)

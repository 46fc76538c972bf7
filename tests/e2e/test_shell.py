"""The shell, driven as a person does: through a terminal."""

from __future__ import annotations

import os
import pty
import re
import select
import sys
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|\r")
_PATIENCE = 30.0


class Terminal:
    """A process behind a terminal of its own."""

    def __init__(self, arguments: list[str], environment: dict[str, str]) -> None:
        self.process, self._terminal = pty.fork()
        if self.process == 0:
            os.execve(arguments[0], arguments, environment)
        self._seen = ""

    def type(self, keys: str) -> None:
        """Press keys. What came before is forgotten: a prompt is drawn again with every key."""
        self._seen = ""
        os.write(self._terminal, keys.encode())

    def wait(self, text: str) -> str:
        """Read until a text has come; gives what came before it, and the text."""
        deadline = time.monotonic() + _PATIENCE
        while text not in self._seen:
            assert time.monotonic() < deadline, f"{text!r} did not come; what came: {self._seen[-2000:]!r}"
            ready, _, _ = select.select([self._terminal], [], [], 0.2)
            if ready:
                self._seen += _ESCAPES.sub("", os.read(self._terminal, 65536).decode(errors="replace"))
        before, _, self._seen = self._seen.partition(text)
        return before + text

    def end(self) -> tuple[int, str]:
        """Wait for the end of the process; gives its exit code, and what it said last."""
        try:
            while read := os.read(self._terminal, 65536):
                self._seen += _ESCAPES.sub("", read.decode(errors="replace"))
        except OSError:
            pass  # Linux's way to say that the other end is closed
        _, status = os.waitpid(self.process, 0)
        os.close(self._terminal)
        return os.waitstatus_to_exitcode(status), self._seen


def opened(tmp_path: Path, pager: str = "cat") -> Terminal:
    environment = {
        **os.environ,
        "HEADRACE_LOG": f"sqlite:{tmp_path / 'log.db'}",
        "HEADRACE_STATE_DIR": str(tmp_path / "state"),
        "TERM": "xterm",
        "PAGER": pager,
        "PROMPT_TOOLKIT_NO_CPR": "1",
        "NO_COLOR": "1",
    }
    start = [sys.executable, "-c", "from headrace.cli import main; main()", "sql"]
    terminal = Terminal(start, environment)
    terminal.wait("headrace>")
    return terminal


@pytest.fixture
def shell(tmp_path: Path) -> Terminal:
    return opened(tmp_path)


def test_a_session(shell: Terminal, tmp_path: Path) -> None:
    # A statement of two lines.
    shell.type("CREATE TABLE orders (amount int)\n")
    shell.wait("...>")
    shell.type("FORMAT (STRING, JSON);\n")
    shell.wait("table `orders` created")
    shell.type("INSERT INTO orders VALUES (1), (2);\n")
    shell.wait("2 records inserted")
    # Completion of a topic and of its column.
    shell.type("SELECT 40 + sum(amount) AS n FROM ord\t")
    shell.wait("FROM orders")
    shell.type(" WHERE amo\t")
    shell.wait("WHERE amount")
    shell.type(" > 1;\n")
    shell.wait("42")
    # Of a column by the alias of its topic, of a setting, and of a function.
    shell.type("SELECT o.amo\t")
    shell.wait("o.amo")
    shell.type("\x01\x0bSELECT x.amount FROM orders AS x WHERE x.amo\t")
    shell.wait("WHERE x.amount")
    shell.type(" = 1;\n")
    shell.wait("1\n")
    shell.type("SET max.q\t")
    shell.wait("SET max.query.time")
    shell.type(" = 1h;\n")
    shell.wait("headrace>")
    shell.type("SELECT INITC\t")
    shell.wait("INITCAP")
    shell.type("('ab cd') AS capital;\n")
    shell.wait("Ab Cd")
    # The statement before comes again by the arrow.
    shell.type("\x1b[A")
    shell.wait("SELECT INITCAP('ab cd') AS capital;")
    shell.type("\n")
    shell.wait("Ab Cd")
    # An error is underlined, and the session goes on.
    shell.type("SELECT amuont FROM orders;\n")
    assert "^^^^^^" in shell.wait("did you mean `amount`?")
    shell.type("\\format c\t")
    shell.wait("format csv")
    shell.type("\n")
    shell.wait("results are shown as csv")
    shell.type("SELECT 1 AS a, 'x,y' AS b;\n")
    assert '"a","b"\n' in shell.wait('1,"x,y"')
    shell.type("\\format json\n")
    shell.wait("results are shown as json")
    shell.type("\\timing\n")
    shell.wait("timing is on")
    shell.type("SELECT amount FROM orders WHERE amount = 2;\n")
    shell.wait('{"amount":2}')
    shell.wait(" s\n")
    # Ctrl-C ends a query that would take for ever, not the shell. DuckDB by itself misses every second one while it looks for
    # the next row.
    for _ in range(4):
        endless = "SELECT a.range FROM range(1000000) AS a, range(1000000) AS b WHERE a.range * b.range IN (5000, 8000)"
        shell.type(f"SELECT 7 AS seven; {endless};\n")
        shell.wait('{"seven":7}')
        shell.wait(" s\n")
        time.sleep(0.7)
        shell.type("\x03")
        shell.wait("headrace>")
    shell.type("\\q\n")
    code, said = shell.end()
    assert code == 0, said
    assert "SELECT amuont FROM orders;" in (tmp_path / "state" / "history.sql").read_text()


def test_results_longer_than_a_page_go_through_the_pager(tmp_path: Path) -> None:
    pager = tmp_path / "pager"
    pager.write_text("#!/bin/sh\nhead -n 3\nprintf -- '--More--'\nread answer < /dev/tty\n")
    pager.chmod(0o755)
    shell = opened(tmp_path, str(pager))
    # More than a pipe holds: the pager goes while rows are still written to it.
    shell.type("SELECT range AS n FROM range(200000);\n")
    shown = shell.wait("--More--")
    assert "n\n" in shown
    assert "199999" not in shown
    shell.type("q\n")
    shell.wait("headrace>")
    shell.type("\\pager\n")
    shell.wait("the pager is off")
    shell.type("SELECT 40 + 2 AS n;\n")
    assert "--More--" not in shell.wait("42")
    shell.type("\\q\n")
    code, said = shell.end()
    assert code == 0, said

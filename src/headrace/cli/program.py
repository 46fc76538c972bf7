"""Where the text of a program comes from: a file, -e, standard input, or the environment variable SQL."""

from __future__ import annotations

import hashlib
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from headrace.cli.failures import bad_call
from headrace.errors import Source

if TYPE_CHECKING:
    from collections.abc import Sequence

STDIN: Final = "<stdin>"


def read_program(file: str | None, text: str | None) -> Source:
    """Give the program that the call names.

    Order: -e, the file (`-` is standard input), the variable SQL, and standard input if something is piped into it.

    Raises:
        ProgramError: there is none, there are two, or the file cannot be read.
    """
    if text is not None and file is not None:
        message = f"both -e and the file `{file}` give a program"
        raise bad_call(message, help="give one of the two")
    if text is not None:
        return Source("-e", text)
    if file == "-":
        return Source(STDIN, sys.stdin.read())
    if file is not None:
        return read_file(Path(file))
    if os.environ.get("SQL"):
        return Source("SQL", os.environ["SQL"])
    if not sys.stdin.isatty():
        piped = sys.stdin.read()
        if piped.strip():
            return Source(STDIN, piped)
    message = "no program is given"
    raise bad_call(message, help="name a file, give the text with -e, pipe it in, or set the variable `SQL`")


def application_name(source: Source) -> str:
    """Give the application id of a program that names none: the name of its file, else one made from its text.

    Processes that run the same text share it, and so share the partitions.
    """
    if source.name.endswith(".sql"):
        return re.sub(r"[^A-Za-z0-9._-]", "-", Path(source.name).stem)
    return "headrace-" + hashlib.sha256(source.text.encode()).hexdigest()[:10]


def read_programs(paths: Sequence[str]) -> list[Source]:
    """Read files, the *.sql files of folders, and for `-` standard input.

    Raises:
        ProgramError: one of them cannot be read, or there are none.
    """
    sources = []
    for path in paths:
        if path == "-":
            sources.append(Source(STDIN, sys.stdin.read()))
        elif Path(path).is_dir():
            sources += [read_file(file) for file in sorted(Path(path).rglob("*.sql"))]
        else:
            sources.append(read_file(Path(path)))
    if not sources:
        message = "no file `*.sql` is in these folders"
        raise bad_call(message)
    return sources


def read_file(path: Path) -> Source:
    """Read a file of SQL.

    Raises:
        ProgramError: it cannot be read, or is no UTF-8.
    """
    try:
        return Source(str(path), path.read_text(encoding="utf-8"))
    except OSError as error:
        message = f"`{path}` cannot be read: {(error.strerror or 'unknown reason').lower()}"
        raise bad_call(message) from error
    except UnicodeDecodeError as error:
        message = f"`{path}` is not UTF-8 text (byte {error.start})"
        raise bad_call(message) from error

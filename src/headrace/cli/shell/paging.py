"""Results through a pager, where they are longer than the screen."""

from __future__ import annotations

import contextlib
import io
import os
import shlex
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def paged(*, wanted: bool) -> Iterator[None]:
    """Send standard output through $PAGER, or `less`, while entered; as it is without a terminal or a pager."""
    command = os.environ.get("PAGER") or ("less" if shutil.which("less") else "")
    if not wanted or not command or not sys.stdout.isatty():
        yield
        return
    # -F ends at once if one screen holds it all, -X leaves the text there, -S cuts wide lines.
    environment = {"LESS": "FRXS", **os.environ}
    try:
        pager = subprocess.Popen(shlex.split(command), stdin=subprocess.PIPE, env=environment)
    except (OSError, ValueError):
        # No such pager: the rows matter more.
        yield
        return
    assert pager.stdin is not None
    through = io.TextIOWrapper(pager.stdin, encoding="utf-8", write_through=True)
    try:
        with contextlib.redirect_stdout(through), contextlib.suppress(BrokenPipeError):
            yield
    finally:
        with contextlib.suppress(BrokenPipeError):
            through.close()
        while True:
            # Ctrl-C is for the pager now.
            with contextlib.suppress(KeyboardInterrupt):
                pager.wait()
                break

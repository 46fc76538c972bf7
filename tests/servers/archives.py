"""Archives of the classes that a server loads, which save a good part of the CPU time of each of its starts."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from tests.servers.jars import cache_root
from tests.servers.sharing import locked

if TYPE_CHECKING:
    from collections.abc import Callable


def archive_option(name: str, jars: Path, run: Callable[[str], None]) -> str:
    """Give the option of a JVM to load classes from the archive of this server. A JVM that cannot use it goes on without.

    Args:
        name: of the server.
        jars: its jars, in a folder named after their versions.
        run: starts the server with one more option of the JVM and stops it in order. Called once for these versions of
            the server and of Java: what the server has loaded by its end is the archive.
    """
    java = Path(shutil.which("java") or "java").resolve()
    version = f"{jars.name} {java} {java.stat().st_mtime_ns}"
    archive = cache_root() / f"{name}-classes-{hashlib.sha256(version.encode()).hexdigest()[:12]}.jsa"
    with locked(archive.with_suffix(".lock")):
        if not archive.exists():
            part = archive.with_suffix(".part")
            part.unlink(missing_ok=True)
            run(f"-XX:ArchiveClassesAtExit={part}")
            # Nothing, where this JVM makes none.
            part.touch()
            part.rename(archive)
    return f"-XX:SharedArchiveFile={archive}"

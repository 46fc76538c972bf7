"""Fetches the peers once, by Maven and pip, into a cache outside the tree, and compiles the Java programs."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.servers.sharing import locked

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_HERE: Final = Path(__file__).parent
_POM: Final = _HERE / "pom.xml"
PYTHON: Final = {
    "quix": ("quixstreams==3.28.1", "orjson==3.11.4"),
    "bytewax": ("bytewax==0.21.1", "confluent-kafka==2.16.1", "orjson==3.11.4"),
    "faust": ("faust-streaming==0.15.3", "aiokafka==0.14.0", "orjson==3.11.4", "uvloop==0.23.0"),
}
"""The packages of the engines that are written for Python, the engine's own first."""


def cache_root() -> Path:
    """Give the folder of the peers: `peers` in `HEADRACE_PEERS`, or `~/.cache/headrace/peers`."""
    named = os.environ.get("HEADRACE_PEERS")
    return Path(named) if named else Path.home() / ".cache" / "headrace" / "peers"


def java_classes(profile: str, program: str, *beside: str) -> list[str]:
    """Give the class path of a program: its classes, those of files beside it, and the jars of a profile of the pom."""
    jars = _made(f"{profile}-{_digest(_POM)}", lambda folder: _resolve(profile, folder))
    sources = [_HERE / f"{name}.java" for name in (program, *beside)]
    path = str(jars / "*")
    command = ["javac", "-proc:none", "-nowarn", "-cp", path]
    classes = _made(
        f"{program}-{_digest(_POM, *sources)}",
        lambda folder: _call([*command, "-d", str(folder), *map(str, sources)]),
    )
    return [str(classes), path]


def python_environment(engine: str) -> Path:
    """Give the interpreter of an environment with an engine's packages in it."""
    packages = PYTHON[engine]
    name = f"{engine}-{hashlib.sha256(repr((packages, sys.version)).encode()).hexdigest()[:12]}"

    def make(folder: Path) -> None:
        _call([sys.executable, "-m", "venv", str(folder)])
        _call([str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", *packages])

    return _made(name, make) / "bin" / "python"


def _resolve(profile: str, folder: Path) -> None:
    goal = ["mvn", "-q", "-B", "-f", str(_POM), f"-P{profile}", "dependency:copy-dependencies"]
    _call([*goal, f"-DoutputDirectory={folder}", "-DincludeScope=runtime", "-DincludeTypes=jar"])


def _made(name: str, make: Callable[[Path], None]) -> Path:
    """Give a folder of the cache, made once."""
    root = cache_root()
    root.mkdir(parents=True, exist_ok=True)
    target = root / name
    with locked(root / f"{name}.lock"):
        if not (target / ".made").exists():
            # An environment of Python names its own folder, so it is made where it stays.
            shutil.rmtree(target, ignore_errors=True)
            target.mkdir()
            make(target)
            (target / ".made").touch()
    return target


def _digest(*files: Path) -> str:
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]


def _call(command: Sequence[str]) -> None:
    with tempfile.TemporaryFile("w+") as said:
        result = subprocess.run(
            list(command), stdin=subprocess.DEVNULL, stdout=said, stderr=said, timeout=1200, check=False
        )
        if result.returncode != 0:
            said.seek(0)
            message = f"{' '.join(command[:4])} … failed:\n{said.read()[-4000:]}"
            raise RuntimeError(message)

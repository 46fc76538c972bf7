"""Fetches the servers' jars once, by Maven, into a cache outside the tree."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from tests.servers.sharing import locked

POM = Path(__file__).with_name("pom.xml")


def cache_root() -> Path:
    """Give the folder of everything that is fetched: `HEADRACE_CACHE`, or `~/.cache/headrace/servers`."""
    named = os.environ.get("HEADRACE_CACHE")
    return Path(named) if named else Path.home() / ".cache" / "headrace" / "servers"


def kafka_jars() -> Path:
    """Give the folder with the broker's jars."""
    return _resolved("kafka", ["-DincludeScope=runtime", "-DincludeTypes=jar"])


def registry_home() -> Path:
    """Give the folder with the unpacked registry."""
    return _resolved("registry", ["-Pregistry", "-DincludeTypes=tar.gz"])


def _resolved(name: str, options: list[str]) -> Path:
    """Resolve the pom into a folder named after its content, so that a changed pom is fetched anew."""
    root = cache_root()
    root.mkdir(parents=True, exist_ok=True)
    target = root / f"{name}-{hashlib.sha256(POM.read_bytes()).hexdigest()[:12]}"
    if target.is_dir():
        return target
    with locked(root / f"{name}.lock"):
        if target.is_dir():  # another process was faster
            return target
        part = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=root))
        try:
            _copy_dependencies(part, options)
            for archive in list(part.glob("*.tar.gz")):
                with tarfile.open(archive) as content:
                    content.extractall(part, filter="data")
                archive.unlink()
            part.rename(target)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return target


def _copy_dependencies(folder: Path, options: list[str]) -> None:
    command = ["mvn", "-q", "-B", "-f", str(POM), "dependency:copy-dependencies"]
    result = subprocess.run(
        [*command, f"-DoutputDirectory={folder}", *options],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    if result.returncode != 0:
        message = f"Maven could not fetch the servers:\n{result.stdout[-4000:]}{result.stderr[-4000:]}"
        raise RuntimeError(message)

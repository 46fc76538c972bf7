"""What figures depend on: the machine, the versions on it, and the state of the tree."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from tests.servers.jars import POM

_ROOT: Final = Path(__file__).resolve().parents[1]
_MADE_FROM: Final = ("src", "native", "benchmarks")


def machine() -> dict[str, Any]:
    """Give cores, memory in bytes, and the kind of processor."""
    return {
        "cores": os.cpu_count(),
        "memory": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "cpu": _processor(),
        "architecture": platform.machine(),
        "system": platform.system(),
    }


def versions() -> dict[str, str]:
    """Give the versions that all benchmarks share."""
    return {
        "Headrace": importlib.metadata.version("headrace"),
        "Kafka": _kafka(),
        "Java": _java(),
        "Python": platform.python_version(),
    }


def session(module: str) -> dict[str, Any]:
    """Give what may differ between two calls of a benchmark: the command, when it was, the load, the revision of the tree."""
    return {
        "date": now(),
        "command": f"python -m {module} {shlex.join(sys.argv[1:])}".strip(),
        "load": round(os.getloadavg()[0], 2),
        "revision": _revision(),
    }


def now() -> str:
    """Give the date and time, to the minute."""
    return f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor()
    found = re.search(r"^model name\s*: (.*)$", text, re.MULTILINE)
    return found.group(1).strip() if found else platform.processor()


def _kafka() -> str:
    found = re.search(
        r"<artifactId>kafka_[\d.]+</artifactId>\s*<version>(.*?)</version>", POM.read_text(encoding="utf-8")
    )
    assert found is not None
    return found.group(1)


def _java() -> str:
    said = subprocess.run(["java", "-version"], capture_output=True, text=True, check=True).stderr
    return said.partition('"')[2].partition('"')[0]


def _revision() -> str:
    """Give the commit, with a plus where what is measured differs from it; figures that were just written do not count."""
    try:
        commit = _git("rev-parse", "--short", "HEAD")
        return f"{commit}+" if _git("status", "--porcelain", "--", *_MADE_FROM) else commit
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(*words: str) -> str:
    done = subprocess.run(["git", "-C", str(_ROOT), *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()

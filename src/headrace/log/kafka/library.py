"""Finds the librdkafka that confluent-kafka brought along: one copy in the process (docs/adr/0001)."""

from __future__ import annotations

import functools
from pathlib import Path

# Imported first, so that its copy is in the process before ours is opened; both are then the same.
import confluent_kafka

from headrace.errors import Diagnostic
from headrace.errors.codes import log as codes
from headrace.log.errors import LogError


@functools.cache
def library_path() -> str:
    """Give the path of librdkafka.

    Raises:
        LogError: neither the wheel nor the system has one.
    """
    package = Path(confluent_kafka.__file__).parent
    for folder, pattern in (
        (package.parent / "confluent_kafka.libs", "librdkafka-*.so*"),
        (package / ".dylibs", "librdkafka*.dylib"),
    ):
        found = sorted(folder.glob(pattern))
        if found:
            return str(found[0])
    # What it needs is seldom needed.
    import ctypes.util

    named = ctypes.util.find_library("rdkafka")
    if named is None:
        diagnostic = Diagnostic(
            codes.NO_LIBRARY,
            "no librdkafka found beside `confluent-kafka` or on the system",
            help="install the wheel of `confluent-kafka` for this platform",
        )
        raise LogError((diagnostic,))
    return named

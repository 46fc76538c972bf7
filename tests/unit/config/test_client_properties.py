"""The lists of names are those of the library that runs."""

from __future__ import annotations

import ctypes
import re
from pathlib import Path

import confluent_kafka

from headrace.config.client_properties import CONSUMER, DIRECT_FETCH, DIRECT_PRODUCE, PRODUCER, SHARED
from headrace.config.java_properties import EXPLAINED, RENAMED

LINE = re.compile(r"([a-z0-9._]+)\s*\|\s*([CP*])\s*\|")
NO_TEXT = re.compile(r"Type: (pointer|see dedicated API)")


def test_every_property_of_librdkafka_is_known_with_its_side(tmp_path: Path) -> None:
    listing = tmp_path / "properties"
    [library] = (Path(confluent_kafka.__file__).parent.parent / "confluent_kafka.libs").glob("librdkafka*")
    client, libc = ctypes.CDLL(str(library)), ctypes.CDLL(None)
    libc.fopen.restype = ctypes.c_void_p
    libc.fopen.argtypes = [ctypes.c_char_p, ctypes.c_char_p]
    libc.fclose.argtypes = [ctypes.c_void_p]
    client.rd_kafka_conf_properties_show.argtypes = [ctypes.c_void_p]
    file = libc.fopen(str(listing).encode(), b"w")
    client.rd_kafka_conf_properties_show(file)
    libc.fclose(file)

    found: dict[str, set[str]] = {"*": set(), "C": set(), "P": set()}
    for line in listing.read_text().splitlines():
        match = LINE.match(line)
        if match is not None and not NO_TEXT.search(line) and match[1] not in ("builtin.features", "opaque"):
            found[match[2]].add(match[1])

    assert found["*"] == SHARED
    assert found["C"] | {DIRECT_FETCH} == CONSUMER
    assert found["P"] | {DIRECT_PRODUCE} == PRODUCER


def test_a_translation_leads_to_a_property_that_exists() -> None:
    assert set(RENAMED.values()) <= SHARED | CONSUMER | PRODUCER
    assert not set(RENAMED) & (SHARED | CONSUMER | PRODUCER)
    assert all(reason and not reason.endswith(".") for reason in EXPLAINED.values())

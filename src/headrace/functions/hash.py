"""Digests, in hexadecimal."""

from __future__ import annotations

from typing import Final

from headrace.functions.declaration import Example, Function
from headrace.functions.signature import signature

FAMILY: Final = "hash"

FUNCTIONS: Final = (
    Function(
        name="MD5",
        family=FAMILY,
        signatures=(signature("value STRING|BYTES", "STRING"),),
        description="Gives the MD5 digest of a text (as UTF-8) or of bytes, in lower case. Not safe against an attacker.",
        duckdb="md5",
        examples=(
            Example("MD5('')", "'d41d8cd98f00b204e9800998ecf8427e'"),
            Example("MD5('abc')", "'900150983cd24fb0d6963f7d28e17f72'"),
        ),
    ),
    Function(
        name="SHA256",
        family=FAMILY,
        signatures=(signature("value STRING|BYTES", "STRING"),),
        description="Gives the SHA-256 digest of a text (as UTF-8) or of bytes, in lower case.",
        duckdb="sha256",
        examples=(
            Example("SHA256('')", "'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'"),
            Example("SHA256('abc')", "'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'"),
        ),
    ),
)

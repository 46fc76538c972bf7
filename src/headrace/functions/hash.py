"""Digests, in hexadecimal."""

from __future__ import annotations

import functools
from typing import Final

from headrace.functions.declaration import Example, Function
from headrace.functions.sha2 import overloads
from headrace.functions.signature import signature

FAMILY: Final = "hash"

_UNSAFE: Final = " Not safe against an attacker."

_TABLE: Final = tuple(
    functools.reduce(lambda crc, _: (crc >> 1) ^ (0xEDB88320 if crc & 1 else 0), range(8), byte)
    for byte in range(256)
)
"""Remainders of the bytes by the polynomial of CRC-32, bits turned round."""


def _crc(value: str) -> str:
    """Give the text for the checksum of bytes, a byte after the other."""
    digits = f"hex({value})"
    byte = f"CAST('0x' || substr({digits}, CAST(2 * i + 1 AS INTEGER), 2) AS INTEGER)"
    bytes_ = f"list_transform(range(octet_length({value})), lambda i: CAST({byte} AS BIGINT))"
    step = f"xor({list(_TABLE)}[CAST(xor(c, b) & 255 AS INTEGER) + 1], c >> 8)"
    return f"CASE WHEN s IS NOT NULL THEN xor(list_reduce({bytes_}, lambda c, b: {step}, 4294967295), 4294967295) END"


def _digest(
    name: str, of_nothing: str, of_abc: str, more: str = "", *, macro: tuple[str, ...] = ()
) -> Function:
    """Declare a digest.

    Args:
        name: MD5, SHA1, SHA256 …
        of_nothing: digest of no bytes.
        of_abc: digest of `abc`.
        more: what else is to be said of it.
        macro: its SQL, where DuckDB has no function of the name.
    """
    called = name.replace("SHA", "SHA-")
    return Function(
        name=name,
        family=FAMILY,
        signatures=(signature("value STRING|BYTES", "STRING"),),
        description=f"Gives the {called} digest of a text (as UTF-8) or of bytes, in lower case.{more}",
        duckdb=None if macro else name.lower(),
        macro=macro,
        examples=(Example(f"{name}('')", f"'{of_nothing}'"), Example(f"{name}('abc')", f"'{of_abc}'")),
    )


def _sha2(name: str, of_nothing: str, of_abc: str) -> Function:
    """Declare a digest of the SHA-2 family that DuckDB has not."""
    slow = " It takes some 150 microseconds: where speed counts, SHA256 is far quicker."
    return _digest(name, of_nothing, of_abc, slow, macro=overloads(name))


FUNCTIONS: Final = (
    _digest("MD5", "d41d8cd98f00b204e9800998ecf8427e", "900150983cd24fb0d6963f7d28e17f72", _UNSAFE),
    _digest(
        "SHA1",
        "da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "a9993e364706816aba3e25717850c26c9cd0d89d",
        _UNSAFE,
    ),
    Function(
        name="CRC32",
        family=FAMILY,
        signatures=(signature("value STRING|BYTES", "LONG"),),
        description="Gives the CRC-32 checksum (as zlib and Ethernet have it) of a text (as UTF-8) or of bytes: 0 to 4294967295.",
        macro=(f"(s VARCHAR) AS {_crc('encode(s)')}", f"(s BLOB) AS {_crc('s')}"),
        examples=(
            Example("CRC32('123456789')", "3421780262"),
            Example("CRC32('')", "0"),
            Example("CRC32('é')", "235179326"),
        ),
    ),
    _digest(
        "SHA256",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    ),
    _sha2(
        "SHA224",
        "d14a028c2a3a2bc9476102bb288234c415a2b01f828ea62ac5b3e42f",
        "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7",
    ),
    _sha2(
        "SHA384",
        "38b060a751ac96384cd9327eb1b1e36a21fdb71114be07434c0cc7bf63f6e1da274edebfe76f65fbd51ad2f14898b95b",
        "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
    ),
    _sha2(
        "SHA512",
        "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f"
        "63b931bd47417a81a538327af927da3e",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd"
        "454d4423643ce80e2a9ac94fa54ca49f",
    ),
)

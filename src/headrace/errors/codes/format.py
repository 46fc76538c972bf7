"""Codes of formats and the schema registry: FMT01xx."""

from __future__ import annotations

from headrace.errors.codes.code import Code

UNDECODABLE = Code(
    "FMT0101",
    "record cannot be decoded",
    "The bytes of a record do not follow the format or the schema of its topic.",
)

UNSUPPORTED_TYPE = Code(
    "FMT0102",
    "format cannot hold the type",
    "A format was asked to read or write a type that it has no form for, for example fields in a STRING, or a key of a"
    " map in JSON that is not text. Convert the expression, or choose another format with `STORE KEY AS` or"
    " `STORE VALUE AS`.",
)

READ_ONLY_FORMAT = Code(
    "FMT0103",
    "format is for reading only",
    "Topics can be read in this format, but nothing is written in it. Choose JSON or AVRO for the target.",
)

BAD_SCHEMA = Code(
    "FMT0104",
    "schema cannot be used",
    "A schema is malformed, recursive, or uses something that has no column type. Recursive schemas have no fixed"
    " set of columns; give the topic a schema without recursion.",
)

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

BAD_SCHEMA = Code(
    "FMT0104",
    "schema cannot be used",
    "A schema is malformed, recursive, or uses something that has no column type. Recursive schemas have no fixed"
    " set of columns; give the topic a schema without recursion, or take its values as bytes with `_vtype = BYTES`.",
)

NO_REGISTRY = Code(
    "FMT0105",
    "AVRO needs a schema registry",
    "Records in AVRO carry only the id of their schema. Name the registry with `--registry` or"
    " `HEADRACE_SCHEMA_REGISTRY`; the embedded log has one of its own.",
)

UNKNOWN_SCHEMA = Code(
    "FMT0120",
    "schema is not in the registry",
    "The registry has no schema of the id that stands in a record. The record was written against another registry, or "
    "its bytes are no framed Avro at all.",
)

INCOMPATIBLE_SCHEMA = Code(
    "FMT0121",
    "schema is not compatible with its subject",
    "The registry refuses the schema as the next version of the subject. The notes say which field is in the way. Give "
    "new fields a default, write to another topic, or change the compatibility level of the subject.",
)

REGISTRY_AWAY = Code(
    "FMT0122",
    "schema registry cannot be reached",
    "No answer came from the schema registry in time. Check `--registry` (`HEADRACE_SCHEMA_REGISTRY`). A processor that "
    "runs waits for it.",
)

REGISTRY_REFUSED = Code(
    "FMT0123",
    "schema registry refused the request",
    "The registry answered with an error: wrong credentials, missing rights, or a path that is no schema registry. Its "
    "URL ends where the Confluent API begins, for example `http://host:8081`.",
)

BAD_REGISTRY = Code(
    "FMT0124",
    "registry settings not understood",
    "A registry is named by `http://host:port` or `https://host:port`. Properties are those of the Confluent client: "
    "`basic.auth.user.info`, `ssl.ca.location`, `ssl.certificate.location`, `ssl.key.location`, `timeout` …",
)

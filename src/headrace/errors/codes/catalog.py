"""Codes of the catalog: CAT01xx."""

from __future__ import annotations

from headrace.errors.codes.code import Code

UNKNOWN_TOPIC = Code(
    "CAT0101",
    "unknown topic",
    "No topic of this name exists in the log, and no WITH of the program defines it. Topic names are case sensitive.",
)

NOTHING_KNOWN = Code(
    "CAT0102",
    "nothing is known of the topic",
    "The topic has no records yet, or none but tombstones, no schema in the registry and no declaration, so its fields are not known. "
    "Declare it in the program with `CREATE TABLE name (column type, …) FORMAT (key, value)`, register its schema, "
    "or start the program when the topic has records.",
)

UNSUPPORTED_FORMAT = Code(
    "CAT0103",
    "no such format",
    "The name is not a format that Headrace knows: JSON, JSON_SR, AVRO, PROTOBUF, CSV, STRING, INT, LONG, BYTES; and, for reading "
    "only, XML, DEBEZIUM_JSON, DEBEZIUM_AVRO.",
)

BAD_DECLARATION = Code(
    "CAT0104",
    "declaration does not hold together",
    "A column of `CREATE TABLE` has an unknown type, is declared twice, or does not go with the format of its key or value: "
    "STRING, INT, LONG and BYTES hold one value and no fields.",
)

UNKNOWN_STATE = Code(
    "CAT0106",
    "unknown state",
    "`STATE('application', 'store')` reads the state of a processor, and nothing is known of this store here. What stores hold is "
    "written into the folder of local state when a processor starts: run the query on a machine where the processor "
    "runs or ran, with the same `--state-dir` and `--log`. `headrace plan` shows the names of stores.",
)

UNREADABLE_SAMPLE = Code(
    "CAT0105",
    "values of the topic do not follow one format",
    "The sampled records of the topic follow no format that can be told from their bytes, or not the one that the program names. "
    "Declare the topic with `CREATE TABLE` to say what it holds.",
)

DEFINITIONS = Code(
    "CAT0107",
    "definitions cannot be read or written",
    "Declared tables, views and synonyms are kept in the compacted topic `_headrace_definitions` of the log. Reading needs the "
    "right to read it, defining the right to create and write it; nothing else may write to it.",
)

NOT_DEFINED = Code(
    "CAT0108",
    "no such definition",
    "The statement names a table, view, synonym or query that is not there, or one that is there already. `SHOW TABLES`, "
    "`SHOW VIEWS`, `SHOW SYNONYMS` and `SHOW QUERIES` list what is.",
)

"""The languages in which schemas of a registry are written."""

from __future__ import annotations

import json
from enum import StrEnum


class SchemaKind(StrEnum):
    """A language of schemas, by the name that registries give it."""

    AVRO = "AVRO"
    JSON = "JSON"
    PROTOBUF = "PROTOBUF"

    @property
    def spoken(self) -> str:
        """The name as people write it."""
        return {"AVRO": "Avro", "JSON": "JSON", "PROTOBUF": "Protobuf"}[self.value]


def kind_of(text: str) -> SchemaKind:
    """Tell the language of a schema from its text.

    A JSON Schema names its draft in `$schema`; ours do, and Avro has no such key. What is no JSON is Protobuf.
    """
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError):
        return SchemaKind.PROTOBUF
    return SchemaKind.JSON if isinstance(tree, dict) and "$schema" in tree else SchemaKind.AVRO

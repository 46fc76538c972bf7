"""In which formats the results of operators are written where the program does not say it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from headrace.formats.interface import Format
from headrace.formats.registered import KINDS
from headrace.plan.topology import Facet
from headrace.types.sql import is_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace.planner.relations import SelectRelation
    from headrace.planner.typed import Typed


def formats_of(rows: SelectRelation, key: Sequence[Typed]) -> tuple[Format, Format]:
    """Give how the result is written where the program does not say it: one value as itself, several as a record."""
    reads = rows.reads
    records = (Format.JSON, *KINDS)
    value = reads.value_format if reads.value_format in records else Format.JSON
    record = reads.key_format if reads.key_format in records else value
    if len(key) == 1 and rows.key_passes and key[0].node == rows.source.pull(Facet.KEY, ()).node:
        return reads.key_format, value
    if len(key) > 1 or (key and pa.types.is_struct(key[0].type)):
        return record, value
    kind = key[0].type if key else pa.int32()
    for test, found in (
        (is_text, Format.STRING),
        (pa.types.is_int32, Format.INT),
        (pa.types.is_int64, Format.LONG),
        (pa.types.is_binary, Format.BYTES),
    ):
        if test(kind):
            return found, value
    # A message of Protobuf has fields; a single key has none.
    return Format.JSON if record is Format.PROTOBUF else record, value

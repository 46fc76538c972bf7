"""Which change records of Debezium are about a row: the same for JSON and Avro."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as compute

from headrace.formats.interface import RowError
from headrace.types.change_records import OPERATION, ROW_GONE, ROW_THERE

if TYPE_CHECKING:
    from collections.abc import Sequence

pc: Any = compute
"""Its functions; the stubs have them for some types of arrays only."""

_KNOWN: Final = pa.array([*ROW_THERE, ROW_GONE])
_WORDS: Final = ", ".join(ROW_THERE)


def wrong_operations(
    operations: pa.Array[Any], there: pa.BooleanArray, errors: Sequence[RowError]
) -> tuple[RowError, ...]:
    """Add those that tell nothing of a row to the errors, by row.

    Args:
        operations: the field `op` of n records.
        there: which of them are no tombstones.
        errors: of records that cannot be decoded.
    """
    strange = pc.and_not(there, pc.is_in(operations, value_set=_KNOWN))
    if strange.true_count == 0:
        return tuple(errors)
    bad = {error.row for error in errors}
    rows = [row for row in pc.indices_nonzero(strange).to_pylist() if row not in bad]
    found = [RowError(row, _reason(known=operations[row].is_valid)) for row in rows]
    return tuple(sorted([*errors, *found], key=lambda error: error.row))


def _reason(*, known: bool) -> str:
    if not known:
        return f"not a change record: it has no `{OPERATION}`"
    return f"not a change of a row: `{OPERATION}` is none of {_WORDS} and {ROW_GONE}"

"""Which type can stand for which: the common type of two columns, and what may be written where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa

from headrace.types.sql import is_number, is_text

if TYPE_CHECKING:
    from headrace.types.shape import Field

_DIGITS: Final[dict[pa.DataType, int]] = {pa.int8(): 3, pa.int16(): 5, pa.int32(): 10}
_WIDTH: Final[dict[pa.DataType, int]] = {pa.int8(): 0, pa.int16(): 1, pa.int32(): 2, pa.int64(): 3}


def common_type(left: pa.DataType, right: pa.DataType) -> pa.DataType | None:
    """Give the narrowest type that holds both without surprise; None if there is none.

    int < long < float < double, decimals win over integers, null fits everything, records are joined field by field
    in the order of the left one (fields that only one has become nullable).
    """
    if left.equals(right):
        return left
    if pa.types.is_null(left):
        return right
    if pa.types.is_null(right):
        return left
    if is_number(left) and is_number(right):
        return _common_number(left, right)
    if pa.types.is_struct(left) and pa.types.is_struct(right):
        return common_record(left, right)
    if pa.types.is_list(left) and pa.types.is_list(right):
        item = common_type(left.value_type, right.value_type)
        return None if item is None else pa.list_(item)
    if pa.types.is_map(left) and pa.types.is_map(right):
        key = common_type(left.key_type, right.key_type)
        item = common_type(left.item_type, right.item_type)
        return None if key is None or item is None else pa.map_(key, item)
    if (
        pa.types.is_timestamp(left)
        and pa.types.is_timestamp(right)
        and (left.tz is None) == (right.tz is None)
    ):
        units = ("s", "ms", "us", "ns")
        return pa.timestamp(max(left.unit, right.unit, key=units.index), tz=left.tz)
    if is_text(left) and is_text(right):
        return pa.string()
    return None


def common_record(left: pa.DataType, right: pa.DataType) -> pa.DataType | None:
    """Give the record that holds both, see `common_type`."""
    fields: list[Field] = []
    others = {right.field(i).name: right.field(i) for i in range(right.num_fields)}
    for index in range(left.num_fields):
        mine = left.field(index)
        other = others.pop(mine.name, None)
        if other is None:
            fields.append(mine.with_nullable(True))
            continue
        kind = common_type(mine.type, other.type)
        if kind is None:
            return None
        fields.append(pa.field(mine.name, kind, mine.nullable or other.nullable))
    fields.extend(field.with_nullable(True) for field in others.values())
    return pa.struct(fields)


def fits(written: pa.DataType, target: pa.DataType) -> bool:
    """Say whether values of one type can be written where another is declared, without loss."""
    if pa.types.is_null(written) or written.equals(target):
        return True
    if pa.types.is_struct(written) and pa.types.is_struct(target):
        return _record_fits(written, target)
    if pa.types.is_list(written) and pa.types.is_list(target):
        return fits(written.value_type, target.value_type)
    if pa.types.is_map(written) and pa.types.is_map(target):
        return fits(written.key_type, target.key_type) and fits(written.item_type, target.item_type)
    if pa.types.is_timestamp(written) and pa.types.is_timestamp(target):
        # Finer instants lose digits below the unit of the target, as every Kafka client does with milliseconds.
        return bool((written.tz is None) == (target.tz is None))
    if pa.types.is_time(written) and pa.types.is_time(target):
        return True
    if is_text(written) and is_text(target):
        return True
    if pa.types.is_decimal(written) and pa.types.is_decimal(target):
        whole = target.precision - target.scale >= written.precision - written.scale
        return bool(whole and target.scale >= written.scale)
    if pa.types.is_floating(written) and pa.types.is_float64(target):
        return True
    return common_type(written, target) == target if is_number(written) and is_number(target) else False


def lenient(kind: pa.DataType, target: pa.DataType) -> pa.DataType:
    """Take the nullability of a target: a null where it allows none is then an error of the record, not of the plan."""
    if pa.types.is_list(kind) and pa.types.is_list(target):
        return pa.list_(lenient(kind.value_type, target.value_type))
    if pa.types.is_map(kind) and pa.types.is_map(target):
        return pa.map_(kind.key_type, lenient(kind.item_type, target.item_type))
    if not pa.types.is_struct(kind) or not pa.types.is_struct(target):
        return kind
    fields = []
    for index in range(kind.num_fields):
        mine = kind.field(index)
        place = target.get_field_index(mine.name)
        if place >= 0:
            theirs = target.field(place)
            mine = pa.field(mine.name, lenient(mine.type, theirs.type), theirs.nullable)
        fields.append(mine)
    return pa.struct(fields)


def _record_fits(written: pa.DataType, target: pa.DataType) -> bool:
    fields = {target.field(i).name: target.field(i) for i in range(target.num_fields)}
    for index in range(written.num_fields):
        mine = written.field(index)
        theirs = fields.pop(mine.name, None)
        if theirs is None or (mine.nullable and not theirs.nullable) or not fits(mine.type, theirs.type):
            return False
    return all(field.nullable for field in fields.values())


def _common_number(left: pa.DataType, right: pa.DataType) -> pa.DataType:
    if left in _WIDTH and right in _WIDTH:
        return max(left, right, key=lambda kind: _WIDTH[kind])
    if pa.types.is_floating(left) or pa.types.is_floating(right):
        both_float = all(
            pa.types.is_float32(kind) or kind in (pa.int8(), pa.int16()) for kind in (left, right)
        )
        return pa.float32() if both_float else pa.float64()
    sizes = [_decimal_size(kind) for kind in (left, right)]
    scale = max(size[1] for size in sizes)
    whole = max(size[0] - size[1] for size in sizes)
    return pa.decimal128(min(38, whole + scale), min(scale, 38))


def _decimal_size(kind: pa.DataType) -> tuple[int, int]:
    if pa.types.is_decimal(kind):
        return kind.precision, kind.scale
    return _DIGITS.get(kind, 19), 0

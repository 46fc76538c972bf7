"""Schemas of what is written: names of records, numbers of fields, and the schema that the target has already."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from headrace.formats.interface import Format, Registry, Side
from headrace.formats.registered import KINDS, schema_name, schema_text, schema_type
from headrace.plan.topology import Facet
from headrace.types.coercion import fits, lenient

if TYPE_CHECKING:
    from headrace.planner.targets import Target

DEFAULT_NAMESPACE = "lenses"
"""The namespace of records that nobody named, as the runner of 2018 had it."""


def name_side(
    form: Format, kind: pa.DataType, target: Target, facet: Facet, registry: Registry | None
) -> Side:
    """Give the side of a target for a type that is written there.

    A schema that the registry has already is kept if the type fits it; otherwise the new schema takes its names, so
    that it can become its next version.
    """
    if form not in KINDS:
        return Side(form, kind)
    key = facet is Facet.KEY
    settings = target.settings
    name = settings.key_avro_record if key else settings.value_avro_record
    namespace = settings.key_avro_namespace if key else settings.value_avro_namespace
    before = None
    latest = registry.latest(f"{target.name}-{facet.value[1:]}") if registry is not None else None
    if latest is not None and registry is not None and registry.kind(latest[0]) is KINDS[form]:
        there = schema_type(form, latest[1])
        # A plain field of Protobuf has no null; that is no reason for another schema.
        written = lenient(kind, there) if form is Format.PROTOBUF else kind
        if fits(written, there) and _same_fields(kind, there) and name is None and namespace is None:
            return Side(form, there, latest[1])
        before = latest[1]
        known = schema_name(form, before)
        name, namespace = name or known[0], namespace if namespace is not None else known[1]
    namespace = DEFAULT_NAMESPACE if namespace is None else namespace
    schema = schema_text(form, kind, name or target.name, namespace, before)
    return Side(form, kind, schema)


def _same_fields(kind: pa.DataType, there: pa.DataType) -> bool:
    if not pa.types.is_struct(kind) or not pa.types.is_struct(there):
        return True
    mine = {kind.field(index).name for index in range(kind.num_fields)}
    return mine == {there.field(index).name for index in range(there.num_fields)}

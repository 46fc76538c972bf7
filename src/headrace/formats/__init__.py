"""Bytes to Arrow and back: JSON, Avro, CSV, the primitive formats; the schema registry.

The engine asks `make_decoder` and `make_encoder` for each side of a topic; the catalog samples with them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from headrace.formats.modules import module_of
from headrace.formats.windowed import WindowedDecoder, WindowedEncoder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace.formats.interface import Decoder, Encoder, Path, Registry, Side

__all__ = ["make_decoder", "make_encoder"]


def make_decoder(side: Side, paths: Sequence[Path], registry: Registry | None = None) -> Decoder:
    """Give a decoder of some fields of a key or value.

    Args:
        side: what the bytes hold.
        paths: the fields to decode, each as one column; () is the whole value. Nothing else is decoded.
        registry: where schemas of writers come from; AVRO needs it.

    Raises:
        ProgramError: the format cannot hold the type, a path leads nowhere, or there is no registry.
    """
    if side.window is not None:
        return WindowedDecoder(side, paths, lambda key, inner: make_decoder(key, inner, registry))
    return module_of(side.format).decoder(side, paths, registry)


def make_encoder(side: Side, schema_id: int | None = None) -> Encoder:
    """Give an encoder of a key or value.

    Args:
        side: what the bytes hold; the arrays that are encoded have its type.
        schema_id: the id under which `side.schema` is registered; AVRO needs it.

    Raises:
        ProgramError: the format cannot hold the type, or it is for reading only.
    """
    if side.window is not None:
        return WindowedEncoder(side, lambda key: make_encoder(key, schema_id))
    return module_of(side.format).encoder(side, schema_id)

"""Which module implements which format."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final, Protocol, cast

from headrace.formats.interface import Decoder, Encoder, Format, Path, Registry, Side

if TYPE_CHECKING:
    from collections.abc import Sequence


class FormatModule(Protocol):
    """What a module of a format offers."""

    def decoder(self, side: Side, paths: Sequence[Path], registry: Registry | None) -> Decoder:
        """As `make_decoder`."""

    def encoder(self, side: Side, schema_id: int | None) -> Encoder:
        """As `make_encoder`."""


_SHARED: Final = {
    Format.STRING: "primitive",
    Format.INT: "primitive",
    Format.LONG: "primitive",
    Format.BYTES: "primitive",
}
"""Formats that share a module; every other has one of its own name."""


def module_of(format: Format) -> FormatModule:
    """Give the module of a format; it is imported on first use."""
    name = _SHARED.get(format, format.lower())
    return cast("FormatModule", import_module(f"headrace.formats.{name}"))

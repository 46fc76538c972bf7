"""XML: a document a value; elements and attributes are fields by their names. For reading only.

The name of the outermost element does not count, nor do prefixes of namespaces. A field is the one element of its name, else the
attribute; an array is all elements of its name; `_text` is the text of an element that has fields. What is absent is null, and so
is what says `xsi:nil`, or holds nothing and is no text. A document type is refused, for its entities can grow without end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from headrace import _native
from headrace.errors import Diagnostic, ProgramError
from headrace.errors.codes.format import UNSUPPORTED_TYPE
from headrace.formats.native import NativeDecoder, refusing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headrace.formats.interface import Decoder, Encoder, Path, Registry, Side


def decoder(side: Side, paths: Sequence[Path], registry: Registry | None) -> Decoder:
    """As `make_decoder`."""
    with refusing(side.format):
        return NativeDecoder(_native.XmlDecoder(side.type, paths))


def encoder(side: Side, schema_id: int | None) -> Encoder:
    """As `make_encoder`: refused."""
    message = f"{side.format} is for reading only"
    help = "write to a topic of another format, such as JSON"
    raise ProgramError((Diagnostic(UNSUPPORTED_TYPE, message, help=help),))

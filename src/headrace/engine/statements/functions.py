"""SHOW FUNCTIONS and DESCRIBE FUNCTION, from the registry of functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headrace.engine.statements.answers import Rows, texts
from headrace.engine.statements.patterns import like
from headrace.engine.statements.workspace import refused
from headrace.errors.codes import catalog as codes
from headrace.errors.suggest import did_you_mean
from headrace.functions import all_functions, function_names, lookup

if TYPE_CHECKING:
    from headrace.errors import Span


def show_functions(pattern: str | None) -> Rows:
    """List the functions with what they do; those of DuckDB that are called by their own names are not among them."""
    chosen = set(like([function.name for function in all_functions()], pattern))
    found = sorted(
        (item for item in all_functions() if item.name in chosen), key=lambda item: (item.name, item.kind)
    )
    rows = [
        (item.name, item.family, str(item.kind), "\n".join(item.usage()), item.description) for item in found
    ]
    return texts(("name", "family", "kind", "usage", "description"), rows)


def describe_function(name: str, span: Span) -> Rows:
    """Tell of one function.

    Raises:
        ProgramError: there is none of that name.
    """
    found = lookup(name)
    if found is None:
        way_out = did_you_mean(name.upper(), list(function_names()))
        way_out = (
            way_out or "functions of DuckDB can be called too; they are described in its own documentation"
        )
        raise refused(codes.NOT_DEFINED, f"there is no function `{name}`", span, way_out)
    rows: list[tuple[str, str]] = [
        ("name", found.name),
        ("kind", str(found.kind)),
        ("usage", "\n".join(found.usage())),
        ("description", found.description),
        ("null arguments", str(found.nulls.value)),
    ]
    if found.aliases:
        rows.append(("also called", ", ".join(found.aliases)))
    rows += [("example", f"{example.call} = {example.result}") for example in found.examples]
    return texts(("property", "value"), rows)

"""The built-in functions of the language, rendered to DuckDB."""

from headrace.functions.declaration import Example, Function, Kind, Nulls, Volatility
from headrace.functions.registry import (
    all_functions,
    form_named,
    forms,
    function_names,
    lookup,
    lookup_all,
    macros_in,
    setup_sql,
)
from headrace.functions.signature import Mismatch, Parameter, Signature

__all__ = [
    "Example",
    "Function",
    "Kind",
    "Mismatch",
    "Nulls",
    "Parameter",
    "Signature",
    "Volatility",
    "all_functions",
    "form_named",
    "forms",
    "function_names",
    "lookup",
    "lookup_all",
    "macros_in",
    "setup_sql",
]

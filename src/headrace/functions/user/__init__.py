"""Functions that users write in Python: declared, found, and run over the Arrow arrays of a batch."""

from headrace.functions.user.declare import (
    EACH,
    FAMILY,
    PREFIX,
    TOTAL,
    DeclarationError,
    DuckdbFunction,
    UserFunction,
    UserKind,
    aggregate,
    scalar,
    table,
)
from headrace.functions.user.evaluate import AggregateCalls, UserFunctionError
from headrace.functions.user.load import UserFunctions, from_file, resolve

__all__ = [
    "EACH",
    "FAMILY",
    "PREFIX",
    "TOTAL",
    "AggregateCalls",
    "DeclarationError",
    "DuckdbFunction",
    "UserFunction",
    "UserFunctionError",
    "UserFunctions",
    "UserKind",
    "aggregate",
    "from_file",
    "resolve",
    "scalar",
    "table",
]

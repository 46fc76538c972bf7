"""What a function is: one declaration from which checking, rendering, the reference page and its tests come.

The families (`string`, `number`, …) are lists of these; `registry` finds them by name. A function is rendered as a DuckDB
expression, so a stream, a snapshot query and a test compute it in the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlglot import exp

from headrace.errors import Diagnostic, ProgramError, Span
from headrace.errors.codes import function as codes

if TYPE_CHECKING:
    import pyarrow as pa

    from headrace.functions.signature import Mismatch, Signature

MACRO_PREFIX = "hr_"
"""Macros of ours begin with this, so that they never hide a function of DuckDB."""

Renderer = Callable[[Sequence[exp.Expression], Span | None], exp.Expression]
"""Gives the DuckDB expression of a call; the span is the call's place in the SQL. Raises ProgramError."""


class Kind(StrEnum):
    """What a call needs to run."""

    SCALAR = "scalar"
    """Nothing but its arguments."""
    HEADER = "header"
    """The headers column of the record as an extra first argument, which the planner supplies."""
    AGGREGATE = "aggregate"
    """A group of records."""
    FORM = "form"
    """A place of its own in the query: what the planner knows by its form, not by its name alone."""


class Nulls(StrEnum):
    """What a null argument does."""

    PROPAGATE = "null if any argument is null"
    HANDLED = "as described"
    NEVER = "never null"


class Volatility(StrEnum):
    """When two calls with equal arguments give equal results."""

    IMMUTABLE = "always the same"
    STABLE = "the same within a batch of records"
    VOLATILE = "different in each call"


@dataclass(frozen=True, slots=True)
class Example:
    """A call and its result, both SQL; the result is a DuckDB expression. Each one runs as a test."""

    call: str
    result: str


@dataclass(frozen=True, slots=True)
class Function:
    """A built-in function.

    Args:
        name: upper case; `aliases` likewise.
        signatures: the accepted argument lists with the result type of each.
        description: one or more sentences for the reference page, edge cases included.
        examples: at least two for a scalar function.
        duckdb: the DuckDB function that takes the same arguments, if there is one.
        macro: the overloads of a DuckDB macro, `(a, b) AS …` each, where more than a name is needed.
        renderer: where even a macro is not enough (an argument that must be a literal, or a result that depends on one).
        never_null: the result is not null, whatever the arguments are; the planner may mark the column so.
    """

    name: str
    family: str
    signatures: tuple[Signature, ...]
    description: str
    examples: tuple[Example, ...] = ()
    aliases: tuple[str, ...] = ()
    kind: Kind = Kind.SCALAR
    nulls: Nulls = Nulls.PROPAGATE
    volatility: Volatility = Volatility.IMMUTABLE
    duckdb: str | None = None
    macro: tuple[str, ...] = ()
    renderer: Renderer | None = field(default=None, compare=False)

    @property
    def never_null(self) -> bool:
        """Say whether the result is never null."""
        return self.nulls is Nulls.NEVER

    def may_be_null(self, arguments: Iterable[bool]) -> bool:
        """Say whether the result may be null.

        Args:
            arguments: whether each argument may be null.
        """
        if self.nulls is Nulls.PROPAGATE:
            return any(arguments)
        return self.nulls is not Nulls.NEVER

    @property
    def macro_name(self) -> str:
        """Name of the macro in DuckDB."""
        return MACRO_PREFIX + self.name.lower()

    def accepts(self, count: int) -> bool:
        """Say whether a call with this many arguments fits a signature."""
        return any(signature.accepts(count) for signature in self.signatures)

    def render(
        self, args: Sequence[exp.Expression], span: Span | None = None, called: str | None = None
    ) -> exp.Expression:
        """Give the DuckDB expression of a call.

        Args:
            args: DuckDB expressions, already bound; literals as written, since some functions translate them. For a
                function of kind HEADER the headers column comes first.
            span: place of the call, for diagnostics.
            called: the name as the call has it, which may be an alias; None: the function's own.

        Raises:
            ProgramError: the number of arguments is wrong, or an argument that must be a literal is not, or is no good.
        """
        shown = len(args) - (1 if self.kind is Kind.HEADER else 0)
        if not self.accepts(shown):
            raise ProgramError((self._wrong_count(shown, span, called or self.name),))
        if self.kind is Kind.AGGREGATE:
            message = f"`{self.name}` is an aggregate and has no rendering for a single record"
            raise TypeError(message)
        if self.renderer is not None:
            return self.renderer(args, span)
        if self.duckdb is not None:
            return exp.Anonymous(this=self.duckdb, expressions=[arg.copy() for arg in args])
        return _call_once(self.macro_name, args)

    def mismatch(self, types: Sequence[pa.DataType]) -> Mismatch | None:
        """Say which argument has a type that no signature takes; None if all fit.

        Args:
            types: of the arguments that the user wrote; as many as a signature takes.
        """
        best: Mismatch | None = None
        for signature in self.signatures:
            if not signature.accepts(len(types)):
                continue
            found = signature.mismatch(types)
            if found is None:
                return None
            # The signature that fails latest is the one the user meant.
            if best is None or found.index > best.index:
                best = found
        return best

    def setup_sql(self) -> str | None:
        """Give the statement that creates the macro on one connection, if the function has one."""
        if not self.macro:
            return None
        return f"CREATE OR REPLACE TEMP MACRO {self.macro_name}" + ", ".join(self.macro)

    def usage(self) -> tuple[str, ...]:
        """Give each signature as text, `NAME(a TYPE, …) -> TYPE`."""
        return tuple(signature.describe(self.name) for signature in self.signatures)

    def _wrong_count(self, count: int, span: Span | None, called: str) -> Diagnostic:
        counts = sorted({len(signature.parameters) for signature in self.signatures})
        more = any(signature.variadic for signature in self.signatures)
        wanted = " or ".join(str(number) for number in counts) + (" or more" if more else "")
        plural = "" if wanted == "1" else "s"
        return Diagnostic(
            codes.ARGUMENT_COUNT,
            f"`{called}` takes {wanted} argument{plural}, not {count}",
            span,
            help="write " + " or ".join(f"`{item.describe(called)}`" for item in self.signatures),
        )


VOLATILE_IN_DUCKDB = frozenset(
    {"random", "uuid", "uuidv4", "uuidv7", "gen_random_uuid", "hr_randint", "hr_uuid"}
)


def _call_once(macro: str, args: Sequence[exp.Expression]) -> exp.Expression:
    """Call a macro so that each argument is evaluated once.

    A macro is text: an argument that it names twice is computed twice. DuckDB merges equal expressions, so this only
    matters where the two results would differ; then the arguments go through a list of one record.
    """
    if not any(_volatile(arg) for arg in args):
        return exp.Anonymous(this=macro, expressions=[arg.copy() for arg in args])
    record = exp.Struct(
        expressions=[
            exp.PropertyEQ(this=exp.to_identifier(f"a{index}"), expression=arg.copy())
            for index, arg in enumerate(args)
        ]
    )
    call = exp.Anonymous(
        this=macro,
        expressions=[exp.column(f"a{index}", table="hr_once") for index in range(len(args))],
    )
    body = exp.Lambda(this=call, expressions=[exp.to_identifier("hr_once")], colon=True)
    mapped = exp.Anonymous(this="list_transform", expressions=[exp.Array(expressions=[record]), body])
    return exp.Anonymous(this="list_extract", expressions=[mapped, exp.Literal.number(1)])


def _volatile(node: exp.Expression) -> bool:
    for found in node.walk():
        if isinstance(found, exp.Rand | exp.Uuid):
            return True
        if isinstance(found, exp.Anonymous) and str(found.this).lower() in VOLATILE_IN_DUCKDB:
            return True
    return False

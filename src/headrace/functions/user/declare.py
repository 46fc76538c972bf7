"""What a user function is, and the decorators that make one of a Python function or class."""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final, Literal, TypeVar, overload

import pyarrow as pa
from sqlglot import exp

from headrace.functions.declaration import Function, Kind, Nulls, Renderer, Volatility
from headrace.functions.signature import Parameter, Signature
from headrace.functions.user.annotations import AnnotationError, UserType, rows_type, user_type
from headrace.functions.user.evaluate import ITEM, AggregateCalls, Evaluate, per_batch, per_value
from headrace.functions.user.packing import UnpackableError
from headrace.types.sql import type_name

if typing.TYPE_CHECKING:
    from headrace.errors import Span

Body = TypeVar("Body", bound=Callable[..., Any])
Class = TypeVar("Class", bound=type[Any])

FAMILY: Final = "user"
PREFIX: Final = "hr_user_"
"""User functions have these names in DuckDB, so that they never hide one of DuckDB's from DuckDB itself."""

EACH: Final = "__each"
TOTAL: Final = "__total"
"""Behind the name of an aggregate: what gives the item of the values of one record, and the result of a list of items."""

_RETRACTIONS: Final = ("retract", "remove")
"""What other systems call the method that takes a row back, and we `subtract`."""

_DECLARED: Final = "__headrace_function__"
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9]*(_[A-Za-z0-9]+)*")
_UNKNOWN_PARAMETERS: Final = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


class DeclarationError(Exception):
    """A function or class that cannot be a user function. The message is for the user."""


class UserKind(StrEnum):
    """What a user function makes of what."""

    SCALAR = "scalar"
    """A value of the values of a record."""
    TABLE = "table"
    """Rows of the values of a record, for LATERAL."""
    AGGREGATE = "aggregate"
    """A value of a group of records."""


@dataclass(frozen=True, slots=True)
class DuckdbFunction:
    """A function to register with DuckDB; one without parameters takes a boolean that counts for nothing."""

    name: str
    parameters: tuple[pa.DataType, ...]
    result: pa.DataType
    volatile: bool
    evaluate: Evaluate = field(compare=False)


@dataclass(frozen=True, slots=True)
class UserFunction:
    """A user function, ready to be called.

    Args:
        kind: what it makes of what.
        declaration: what the planner checks calls against.
        registrations: what DuckDB needs: the function itself, or the parts of an aggregate.
        parts: of an aggregate, by their names in DuckDB: what gives the item of the values of one record, and what gives
            the result of a list of items.
        origin: the file it is from, or the entry point as `entry point <name>`.
        retraction: the method of an aggregate's class that seems to take values back. It is not called.
        fold: of an aggregate: makes one item of several, see `AggregateCalls`.
        subtracts: the aggregate can take values back.
    """

    kind: UserKind
    declaration: Function
    registrations: tuple[DuckdbFunction, ...]
    parts: tuple[Function, ...] = ()
    origin: str = ""
    retraction: str | None = None
    fold: Callable[[list[bytes]], bytes] | None = field(default=None, compare=False)
    subtracts: bool = False

    @property
    def name(self) -> str:
        """Its name in SQL, upper case."""
        return self.declaration.name


@overload
def scalar(function: Body, /) -> Body: ...


@overload
def scalar(*, name: str | None = None, volatile: bool = False) -> Callable[[Body], Body]: ...


def scalar(
    function: Body | None = None, /, *, name: str | None = None, volatile: bool = False
) -> Body | Callable[[Body], Body]:
    """Make a function that SQL can call for each record.

    Types come from its annotations. With plain types it is called with the values of one record at a time; with
    `Annotated[pa.Array, pa.float64()]` for all arguments and the result, with Arrow arrays of many. It is not called where
    an argument is null, unless the argument may be None; the result is null then.

    Args:
        function: it stays as it is, so that it can be called and tested in Python.
        name: in SQL, in any case; that of the function if none is given.
        volatile: equal arguments may give different results, so each call counts.

    Raises:
        DeclarationError: annotations are missing or say no type of SQL.

    Example:
        >>> @scalar
        ... def initials(name: str) -> str:
        ...     return "".join(part[0] for part in name.split())
        >>> initials("Ada King")
        'AK'
    """

    def declare(body: Body) -> Body:
        return _declared(body, _scalar(body, name, volatile=volatile))

    return declare if function is None else declare(function)


@overload
def table(function: Body, /) -> Body: ...


@overload
def table(*, name: str | None = None) -> Callable[[Body], Body]: ...


def table(function: Body | None = None, /, *, name: str | None = None) -> Body | Callable[[Body], Body]:
    """Make a function that gives rows for each record, for `LATERAL f(x) AS row`.

    It is annotated with `Iterator[T]`: T is a plain type, or a dataclass, NamedTuple or TypedDict whose fields are the
    columns of the row. Outside LATERAL a call gives the array of the rows.

    Args:
        function: it stays as it is.
        name: in SQL, in any case; that of the function if none is given.

    Raises:
        DeclarationError: annotations are missing or say no type of SQL.
    """

    def declare(body: Body) -> Body:
        return _declared(body, _table(body, name))

    return declare if function is None else declare(function)


@overload
def aggregate(class_: Class, /) -> Class: ...


@overload
def aggregate(*, name: str | None = None) -> Callable[[Class], Class]: ...


def aggregate(class_: Class | None = None, /, *, name: str | None = None) -> Class | Callable[[Class], Class]:
    """Make an aggregate of a class.

    The class has the methods `init() -> state`, `add(state, value, …) -> state`, `merge(state, later) -> state` and
    `result(state) -> value`. One object serves all groups, so what a group knows is in its state and nowhere else. A state is
    what JSON can hold (a tuple comes back as a list), unless `dump(state) -> bytes` and `load(bytes) -> state` say how it is
    written. Over tables nothing more is needed: a row that goes takes its own state along, so a group keeps the state of each of
    its rows. With `subtract(state, value, …) -> state`, which takes a value back that `add` has taken in, it keeps one.

    Args:
        class_: it stays as it is. It is made without arguments, once.
        name: in SQL, in any case; that of the class if none is given.

    Raises:
        DeclarationError: a method or an annotation of `add` or `result` is missing, or `subtract` takes other values than `add`.
    """

    def declare(body: Class) -> Class:
        return _declared(body, _aggregate(body, name))

    return declare if class_ is None else declare(class_)


def declared(value: object) -> UserFunction | None:
    """Give what a decorator made of a function or class; None if none did."""
    found = vars(value).get(_DECLARED) if hasattr(value, "__dict__") else None
    return found if isinstance(found, UserFunction) else None


def _declared(body: Body, function: UserFunction) -> Body:
    setattr(body, _DECLARED, function)
    return body


def _scalar(body: Callable[..., Any], name: str | None, *, volatile: bool) -> UserFunction:
    name = _sql_name(body, name)
    names, parameters, result = _signature(body, name, user_type)
    arrays = {kind.array for kind in (*parameters, result)}
    if len(arrays) > 1:
        message = f"`{name}` mixes Arrow arrays and values in its annotations; all are arrays or none is"
        raise DeclarationError(message)
    if result.array and not parameters:
        message = f"`{name}` takes no array, so it cannot know how long its result must be"
        raise DeclarationError(message)
    evaluate = (per_batch if result.array else per_value)(name, body, parameters, result)
    shown = _declaration(body, name, names, parameters, result, volatile=volatile)
    registered = _registered(name, parameters, result, evaluate, volatile)
    return UserFunction(UserKind.SCALAR, shown, (registered,))


def _table(body: Callable[..., Any], name: str | None) -> UserFunction:
    name = _sql_name(body, name)
    names, parameters, result = _signature(body, name, rows_type)

    def rows(*arguments: Any) -> list[Any] | None:
        found = body(*arguments)
        return None if found is None else list(found)

    shown = _declaration(body, name, names, parameters, result)
    registered = _registered(name, parameters, result, per_value(name, rows, parameters, result))
    return UserFunction(UserKind.TABLE, shown, (registered,))


def _aggregate(class_: type, name: str | None) -> UserFunction:
    name = _sql_name(class_, name)
    missing = [method for method in ("init", "add", "merge", "result") if not hasattr(class_, method)]
    if missing:
        message = f"the aggregate `{name}` has no method `{missing[0]}`"
        raise DeclarationError(message)
    body = class_()
    names, parameters, _ = _signature(body.add, name, user_type, state=True)
    result = _signature(body.result, name, user_type, state=True)[2]
    _check_aggregate(name, body, names, parameters)
    try:
        calls = AggregateCalls(name, body, parameters, result)
    except UnpackableError as error:
        message = f"an argument of `{name}`: {error}"
        raise DeclarationError(message) from None
    shown = _declaration(class_, name, names, parameters, result, kind=Kind.AGGREGATE)
    item, items = UserType(ITEM), UserType(pa.list_(ITEM))
    each = _registered(f"{name}{EACH}", parameters, item, calls.each)
    total = _registered(f"{name}{TOTAL}", (items,), result, calls.total)
    parts = (
        # Faults in the arguments are shown under the name that the user wrote.
        replace(shown, kind=Kind.SCALAR, renderer=_renderer(each.name)),
        replace(
            shown,
            kind=Kind.SCALAR,
            signatures=(Signature((Parameter("items", ("ARRAY",)),), shown.signatures[0].result),),
            nulls=Nulls.HANDLED if result.optional else Nulls.NEVER,
            renderer=_renderer(total.name),
        ),
    )
    subtracts = hasattr(class_, "subtract")
    retraction = next((method for method in _RETRACTIONS if hasattr(class_, method)), None)
    return UserFunction(
        UserKind.AGGREGATE,
        shown,
        (each, total),
        parts,
        retraction=None if subtracts else retraction,
        fold=calls.fold,
        subtracts=subtracts,
    )


def _check_aggregate(name: str, body: Any, names: list[str], parameters: list[UserType]) -> None:
    if any(kind.array for kind in parameters):
        message = f"`{name}` takes Arrow arrays; an aggregate takes the values of one record at a time"
        raise DeclarationError(message)
    if not hasattr(body, "subtract"):
        return
    others = list(inspect.signature(body.subtract).parameters.values())[1:]
    if len(others) != len(names):
        message = f"`subtract` of `{name}` must take what `add` takes: {', '.join(('state', *names))}"
        raise DeclarationError(message)


def _sql_name(body: Any, name: str | None) -> str:
    found = name if name is not None else str(body.__name__)
    if not _NAME.fullmatch(found):
        message = f"`{found}` is no name for a function: letters, digits and single underscores between them"
        raise DeclarationError(message)
    return found.upper()


def _signature(
    body: Callable[..., Any], name: str, result_type: Callable[[Any], UserType], *, state: bool = False
) -> tuple[list[str], list[UserType], UserType]:
    """Give names and types of the parameters, and the type of the result; `state`: of methods, whose first is the state."""
    try:
        hints = typing.get_type_hints(body, include_extras=True)
    except NameError as error:
        message = f"an annotation of `{name}` names `{error.name}`, which is not there"
        raise DeclarationError(message) from None
    parameters = list(inspect.signature(body).parameters.values())[1 if state else 0 :]
    kinds = []
    for parameter in parameters:
        if parameter.kind in _UNKNOWN_PARAMETERS or parameter.kind is inspect.Parameter.KEYWORD_ONLY:
            message = f"`{name}` must name all its arguments, and take them by position"
            raise DeclarationError(message)
        kinds.append(
            _annotated(hints, parameter.name, f"the argument `{parameter.name}` of `{name}`", user_type)
        )
    is_add = state and body.__name__ == "add"
    result = UserType(ITEM) if is_add else _annotated(hints, "return", f"the result of `{name}`", result_type)
    return [parameter.name for parameter in parameters], kinds, result


def _annotated(hints: dict[str, Any], key: str, what: str, kind: Callable[[Any], UserType]) -> UserType:
    if key not in hints:
        message = f"{what} has no annotation, so its type is not known"
        raise DeclarationError(message)
    try:
        return kind(hints[key])
    except AnnotationError as error:
        message = f"{what}: {error}"
        raise DeclarationError(message) from None


def _declaration(
    body: Any,
    name: str,
    names: list[str],
    parameters: list[UserType],
    result: UserType,
    *,
    kind: Literal[Kind.SCALAR, Kind.AGGREGATE] = Kind.SCALAR,
    volatile: bool = False,
) -> Function:
    signature = Signature(
        tuple(
            Parameter(label, (_fitting(item.type),)) for label, item in zip(names, parameters, strict=True)
        ),
        type_name(result.type).upper() if not pa.types.is_nested(result.type) else type_name(result.type),
    )
    plain = not result.optional and not any(item.optional for item in parameters)
    return Function(
        name=name,
        family=FAMILY,
        kind=kind,
        signatures=(signature,),
        description=inspect.cleandoc(body.__doc__ or ""),
        nulls=Nulls.PROPAGATE if plain else Nulls.HANDLED,
        volatility=Volatility.VOLATILE if volatile else Volatility.IMMUTABLE,
        renderer=None if kind is Kind.AGGREGATE else _renderer(PREFIX + name.lower()),
    )


def _renderer(duckdb_name: str) -> Renderer:
    def render(args: Sequence[exp.Expression], span: Span | None) -> exp.Expression:
        given = [arg.copy() for arg in args] or [exp.true()]
        return exp.Anonymous(this=duckdb_name, expressions=given)

    return render


def _registered(
    name: str,
    parameters: Sequence[UserType],
    result: UserType,
    evaluate: Evaluate,
    volatile: bool = False,
) -> DuckdbFunction:
    return DuckdbFunction(
        PREFIX + name.lower(),
        tuple(item.type for item in parameters) or (pa.bool_(),),
        result.type,
        volatile,
        evaluate,
    )


def _fitting(kind: pa.DataType) -> str:
    """Give the name that signatures have for the types that DuckDB turns into this one."""
    if pa.types.is_integer(kind):
        return "LONG" if pa.types.is_int64(kind) else "INT"
    if pa.types.is_floating(kind):
        return "DOUBLE"
    if pa.types.is_decimal(kind):
        return "NUMBER"
    for test, name in _FITTING:
        if test(kind):
            return name
    return "ANY"


_FITTING: Final = (
    (pa.types.is_boolean, "BOOLEAN"),
    (pa.types.is_string, "STRING"),
    (pa.types.is_binary, "BYTES"),
    (pa.types.is_date, "DATE"),
    (pa.types.is_time, "TIME"),
    (pa.types.is_timestamp, "TIMESTAMP"),
    (pa.types.is_list, "ARRAY"),
    (pa.types.is_struct, "RECORD"),
    (pa.types.is_map, "MAP"),
)

"""User functions: types from annotations, how they are run, and where they are found."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TypedDict

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.cli import WithoutPandas
from headrace.errors import ProgramError
from headrace.functions.user import UserFunction, UserFunctionError, UserFunctions, from_file, load, resolve
from headrace.functions.user.annotations import user_type
from headrace.functions.user.declare import declared
from headrace.functions.user.packing import Packing
from headrace.udf import Array, DeclarationError, Float32, Int32, aggregate, scalar, table

if TYPE_CHECKING:
    from pathlib import Path


EXAMPLES = int(os.environ.get("HEADRACE_FUZZ_EXAMPLES", "10"))


class Pair(NamedTuple):
    first: int
    second: str | None


class Named(TypedDict):
    pairs: list[Pair]


PAIR = pa.struct([pa.field("first", pa.int64(), nullable=False), pa.field("second", pa.string())])


@pytest.mark.parametrize(
    ("annotation", "kind"),
    [
        (bool, pa.bool_()),
        (int, pa.int64()),
        (Int32, pa.int32()),
        (Float32, pa.float32()),
        (Decimal, pa.decimal128(38, 18)),
        (Annotated[Decimal, pa.decimal128(10, 2)], pa.decimal128(10, 2)),
        (datetime, pa.timestamp("us", "UTC")),
        (list[str], pa.list_(pa.string())),
        (Sequence[int], pa.list_(pa.int64())),
        (dict[str, list[int]], pa.map_(pa.string(), pa.list_(pa.int64()))),
        (Pair, PAIR),
        (Named, pa.struct([pa.field("pairs", pa.list_(PAIR), nullable=False)])),
    ],
)
def test_annotations_say_types(annotation: Any, kind: pa.DataType) -> None:
    assert user_type(annotation).type == kind
    assert not user_type(annotation).optional
    assert user_type(annotation | None).optional


def column(*values: Any, kind: pa.DataType | None = None) -> pa.ChunkedArray[Any]:
    return pa.chunked_array([pa.array(values, kind)])


def run(function: Any, *columns: pa.ChunkedArray[Any]) -> list[Any]:
    return evaluate(declared(function), *columns).to_pylist()


def evaluate(function: UserFunction | None, *columns: pa.ChunkedArray[Any], part: int = 0) -> pa.Array[Any]:
    assert function is not None
    return function.registrations[part].evaluate(columns)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(st.tuples(st.none() | st.integers(-9, 9), st.none() | st.text(max_size=3)), min_size=1))
def test_values_come_and_go_as_they_are(rows: list[tuple[int | None, str | None]]) -> None:
    @scalar
    def same(pair: Named | None) -> Named | None:
        assert pair is None or all(isinstance(item, Pair) for item in pair["pairs"])
        return pair

    values = [
        None if first is None else {"pairs": [{"first": first, "second": second}]} for first, second in rows
    ]
    assert run(same, column(*values, kind=user_type(Named).type)) == values


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(st.tuples(st.none() | st.integers(-9, 9), st.none() | st.integers(-9, 9)), min_size=1))
def test_a_function_is_not_called_for_nulls_that_it_does_not_take(
    rows: list[tuple[int | None, int | None]],
) -> None:
    @scalar
    def both(a: int, b: int | None) -> int:
        return a + (b or 0)

    @scalar
    def arrays(
        a: Annotated[Array, pa.int64()], b: Annotated[Array, pa.int64()] | None
    ) -> Annotated[Array, pa.int64()]:
        assert b is not None
        assert not a.null_count
        return pa.array(
            [(x or 0) + (y or 0) for x, y in zip(a.to_pylist(), b.to_pylist(), strict=True)], pa.int64()
        )

    columns = [column(*side, kind=pa.int64()) for side in zip(*rows, strict=True)]
    expected = [None if a is None else a + (b or 0) for a, b in rows]
    assert run(both, *columns) == run(arrays, *columns) == expected


def test_a_table_function_gives_an_array_of_rows() -> None:
    @table
    def pairs(text: str) -> Iterator[Pair]:
        for number, letter in enumerate(text):
            yield Pair(number, letter if letter != "-" else None)

    assert run(pairs, column("a-", "", None)) == [
        [{"first": 0, "second": "a"}, {"first": 1, "second": None}],
        [],
        None,
    ]


def test_failures_name_the_function_and_the_place_and_no_value() -> None:
    @scalar
    def fails(x: int) -> int:
        raise KeyError(x)

    @scalar
    def wrong(x: int) -> int:
        return "secret"  # type: ignore[return-value]

    @scalar
    def leaves(x: int) -> int:
        raise SystemExit(x)

    @scalar
    def gone(x: Annotated[Array, pa.int64()]) -> Annotated[Array, pa.int64()]:
        raise SystemExit

    @scalar
    def short(x: Annotated[Array, pa.int64()]) -> Annotated[Array, pa.int64()]:
        return x[:1]

    for function, words in (
        (fails, r"^`FAILS` raised KeyError at test_user_functions.py:\d+$"),
        (leaves, r"^`LEAVES` raised SystemExit at test_user_functions.py:\d+$"),
        (gone, r"^`GONE` raised SystemExit at test_user_functions.py:\d+$"),
        (wrong, "^`WRONG` returned a value that is no long$"),
        (short, "^`SHORT` did not return an array as long as its arguments$"),
    ):
        with pytest.raises(UserFunctionError, match=words):
            run(function, column(7, 8))


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(st.lists(st.floats(0.1, 9.0), max_size=4), min_size=1, max_size=4))
def test_an_aggregate_does_not_depend_on_how_values_are_grouped(parts: list[list[float]]) -> None:
    @aggregate
    class Sizes:
        def init(self) -> dict[str, list[float]]:
            return {"values": []}

        def add(self, state: dict[str, list[float]], value: float) -> dict[str, list[float]]:
            return {"values": [*state["values"], value]}

        def merge(
            self, state: dict[str, list[float]], later: dict[str, list[float]]
        ) -> dict[str, list[float]]:
            return {"values": state["values"] + later["values"]}

        def result(self, state: dict[str, list[float]]) -> list[float]:
            return state["values"]

    function = declared(Sizes)
    states = [evaluate(function, column(*part, kind=pa.float64())).to_pylist() for part in parts]
    found = evaluate(function, column(*states, None, kind=pa.list_(pa.binary())), part=1)
    assert found.to_pylist() == [*parts, []]


def untyped(x):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    return x


def mixed(x: Annotated[Array, pa.int64()]) -> int:
    return len(x)


def strange(x: complex) -> int:
    return 1


def many(*x: int) -> int:
    return 1


def two(x: int | str) -> int:
    return 1


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (untyped, "the argument `x` of `UNTYPED` has no annotation"),
        (mixed, "`MIXED` mixes Arrow arrays and values"),
        (strange, "the argument `x` of `STRANGE`: `complex` is no type that SQL has"),
        (many, "`MANY` must name all its arguments"),
        (two, "may be of several types"),
    ],
)
def test_what_cannot_be_a_function_is_refused(function: Any, words: str) -> None:
    with pytest.raises(DeclarationError, match=words.replace("(", r"\(")):
        scalar(function)


def test_an_aggregate_without_merge_is_refused() -> None:
    class Half:
        def init(self) -> int:
            return 0

        def add(self, state: int, x: int) -> int:
            return state

    with pytest.raises(DeclarationError, match="the aggregate `HALF` has no method `merge`"):
        aggregate(Half)


def test_an_aggregate_takes_values_and_subtracts_what_it_adds() -> None:
    class Arrays:
        def init(self) -> int:
            return 0

        def add(self, state: int, x: Annotated[Array, pa.int64()]) -> int:
            return state

        def merge(self, state: int, later: int) -> int:
            return state

        def result(self, state: int) -> int:
            return state

    class Other(Arrays):
        def add(self, state: int, x: int) -> int:  # type: ignore[override]
            return state

        def subtract(self, state: int, x: int, y: int) -> int:
            return state

    class Strange(Other):
        def add(  # type: ignore[override]
            self, state: int, x: Annotated[int, pa.duration("s")]
        ) -> int:
            return state

        def subtract(self, state: int, x: int) -> int:  # type: ignore[override]
            return state

    for class_, words in (
        (Arrays, "`ARRAYS` takes Arrow arrays; an aggregate takes the values of one record at a time"),
        (Other, "`subtract` of `OTHER` must take what `add` takes: state, x"),
        (Strange, r"an argument of `STRANGE`: values of the type duration\[s\] cannot be kept"),
    ):
        with pytest.raises(DeclarationError, match=words):
            aggregate(class_)


class Reading(TypedDict):
    at: datetime
    pairs: list[Pair]
    sums: dict[str, Decimal]


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    st.tuples(
        st.none() | st.binary(max_size=3),
        st.floats(allow_nan=False),
        st.dates(),
        st.times(),
        st.text(max_size=3),
        st.fixed_dictionaries(
            {
                "at": st.datetimes().map(lambda at: at.replace(tzinfo=UTC)),
                "pairs": st.lists(st.builds(Pair, st.integers(-(2**63), 2**63 - 1), st.none() | st.text())),
                "sums": st.dictionaries(st.text(), st.decimals(-9, 9, places=18), max_size=2),
            }
        ),
    )
)
def test_packed_values_come_back_as_they_were(values: tuple[Any, ...]) -> None:
    kinds = [user_type(kind) for kind in (bytes | None, float, date, time, str, Reading)]
    packing = Packing(kinds)
    raw: list[Any] = []
    for value, kind in zip(values, kinds, strict=True):
        dumped = value if kind.dump is None or value is None else kind.dump(value)
        (plain,) = column(dumped, kind=kind.type).to_pylist(maps_as_pydicts="strict")
        raw.append(plain)
    packed = packing.pack(raw)
    assert packing.unpack(packed) == [*values]
    assert packing.pack(raw) == packed


def written(folder: Path, body: str, name: str = "f.py") -> str:
    path = folder / name
    path.write_text(
        "from headrace.udf import aggregate, scalar, table\n" + textwrap.dedent(body), encoding="utf-8"
    )
    return str(path)


@pytest.fixture(autouse=True)
def _paths(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))


def test_a_file_is_loaded_again_when_it_changes(tmp_path: Path) -> None:
    file = written(tmp_path, "@scalar\ndef one(x: int) -> int: return 1\n")
    first = from_file(file)
    assert from_file(file) is first
    written(tmp_path, "@scalar\ndef other(x: int) -> int: return 100\n")
    found = from_file(file)
    assert [item.name for item in found.all()] == ["OTHER"]
    assert found.find("Other") is not None
    assert resolve("OTHER", str(tmp_path / "f.py")) == found.find("other")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("x = 1", "it has none; mark them with the decorators of `headrace.udf`"),
        ("x = 1\nx = nosuch", "NameError: name 'nosuch' is not defined (line 3)"),
        ("import sys\nsys.exit(3)", "SystemExit: 3 (line 3)"),
        ("def (", "SyntaxError: invalid syntax (line 2)"),
        (
            "@scalar\ndef f(x): return x",
            "the argument `x` of `F` has no annotation, so its type is not known",
        ),
        ("@scalar\ndef upper(x: str) -> str: return x", "`UPPER` is the name of a built-in function"),
        (
            "@scalar\ndef f(x: int) -> int: return x\n@scalar(name='F')\ndef g(x: int) -> int: return x",
            "two functions are called `F`",
        ),
        ("@scalar(name='a__b')\ndef f(x: int) -> int: return x", "`a__b` is no name for a function"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(body: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(ProgramError) as caught:
        from_file(written(tmp_path, body))
    [fault] = caught.value.diagnostics
    assert fault.code.id == "SQL0405"
    assert words in fault.message


def test_a_file_may_import_what_the_command_line_hides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hiding = WithoutPandas()
    monkeypatch.setattr(sys, "meta_path", [hiding, *sys.meta_path])
    from_file(written(tmp_path, "@scalar\ndef one(x: int) -> int: return 1\n"))
    assert hiding not in sys.meta_path


def test_a_file_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(ProgramError, match="cannot be read: no such file or directory"):
        from_file(str(tmp_path / "none.py"))


def test_installed_packages_offer_functions_by_entry_points(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, "@scalar\ndef offered(x: int) -> int: return x\n", "offering.py")
    info = tmp_path / "offering-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: offering\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text("[headrace.functions]\nthem = offering\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    load.installed.cache_clear()
    try:
        found = UserFunctions().find("offered")
        assert found is not None
        assert found.origin == "entry point them"
        assert resolve("OFFERED", found.origin) == found
    finally:
        load.installed.cache_clear()
        sys.modules.pop("offering", None)

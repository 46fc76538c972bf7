"""Filters of JsonPath, `[?(@.price < 10 && @.name == 'x')]`, to conditions of DuckDB over `hr_element`."""

from __future__ import annotations

import re
from typing import Final

ELEMENT: Final = "hr_element"

_TOKEN: Final = re.compile(
    r"""\s*(?:
      (?P<field>@(?:\.[^.\[\]'"\s()?@*:<>=!&|,]+|\[-?[0-9]+\]|\['(?:[^'\\]|\\.)*'\]|\["(?:[^"\\]|\\.)*"\])*)
    | (?P<number>-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)
    | '(?P<single>(?:[^'\\]|\\.)*)'
    | "(?P<double>(?:[^"\\]|\\.)*)"
    | (?P<word>true|false|null)\b
    | (?P<sign>==|!=|<=|>=|<|>|&&|\|\||!|\(|\)|\])
    )""",
    re.VERBOSE,
)
_PART: Final = re.compile(
    r"""\.(?P<name>[^.\[]+)|\[(?P<index>-?[0-9]+)\]|\['(?P<single>(?:[^'\\]|\\.)*)'\]|\["(?P<double>(?:[^"\\]|\\.)*)"\]"""
)
_COMPARE: Final = {"==": "=", "!=": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_TURNED: Final = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_INTEGERS: Final = "('BIGINT', 'UBIGINT')"
_EXACT: Final = 10**18


class FilterError(Exception):
    """A filter that cannot be read from `at` on."""

    def __init__(self, message: str, at: int) -> None:
        super().__init__(message)
        self.message = message
        self.at = at


def read_filter(text: str, at: int) -> tuple[str, int]:
    """Read a filter.

    Args:
        text: of the path.
        at: where its `[?` is.

    Returns:
        The condition, as SQL in which `hr_json`, `hr_json_text` and `hr_json_type` stand for DuckDB's functions, and the place
        behind the filter.

    Raises:
        FilterError: it is none, or has more than comparisons of fields with constants.
    """
    reader = _Reader(text, at + 2)
    condition = reader.either()
    reader.take("]")
    return condition, reader.at


def json_name(name: str) -> str:
    """Give a step to a field as DuckDB writes it."""
    return '"' + name.replace('"', '\\"') + '"'


def unescaped(quoted: str) -> str:
    """Give what a quoted text means."""
    return re.sub(r"\\(.)", r"\1", quoted)


class _Reader:
    """Goes through the text of a filter."""

    def __init__(self, text: str, at: int) -> None:
        self._text = text
        self.at = at

    def take(self, sign: str) -> None:
        """Go past a sign that must be here."""
        if not self._has(sign):
            raise self._fault()

    def either(self) -> str:
        """Read conditions joined by `||`."""
        parts = [self._both()]
        while self._has("||"):
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else f"({' OR '.join(parts)})"

    def _both(self) -> str:
        parts = [self._one()]
        while self._has("&&"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else f"({' AND '.join(parts)})"

    def _one(self) -> str:
        if self._has("!"):
            return f"(NOT {self._one()})"
        if self._has("("):
            inner = self.either()
            self.take(")")
            return inner
        begun = self.at
        left = self._operand()
        sign = next((sign for sign in ("==", "!=", "<=", ">=", "<", ">") if self._has(sign)), None)
        if sign is None:
            if not left.startswith("$"):
                self.at = begun
                raise self._fault()
            return f"(hr_json_type({ELEMENT}, {_quoted(left)}) IS NOT NULL)"
        right = self._operand()
        if left.startswith("$") == right.startswith("$"):
            message = "a filter of a JSON path compares a field with a constant"
            raise FilterError(message, begun)
        if right.startswith("$"):
            left, right, sign = right, left, _TURNED.get(sign, sign)
        return _compared(left, sign, right)

    def _operand(self) -> str:
        """Read a field, as a path that begins with `$`, or a constant: a JSON text, or a text behind a quote."""
        found = _TOKEN.match(self._text, self.at)
        if found is None or found["sign"]:
            raise self._fault()
        self.at = found.end()
        if found["field"]:
            return "$" + "".join(_step(part) for part in _PART.finditer(found["field"]))
        if found["number"] or found["word"]:
            return found["number"] or found["word"]
        text = found["single"] if found["single"] is not None else found["double"]
        return "'" + unescaped(text)

    def _has(self, sign: str) -> bool:
        found = _TOKEN.match(self._text, self.at)
        if found is None or found["sign"] != sign:
            return False
        self.at = found.end()
        return True

    def _fault(self) -> FilterError:
        message = "the filter of the JSON path cannot be read from here: write `[?(@.field < 10 && @.other == 'text')]`"
        return FilterError(message, self.at)


def _step(part: re.Match[str]) -> str:
    if part["index"] is not None:
        index = int(part["index"])
        return f"[{index}]" if index >= 0 else f"[#{index}]"
    if part["name"] is not None:
        return "." + json_name(part["name"])
    return "." + json_name(unescaped(part["single"] if part["single"] is not None else part["double"]))


def _compared(field: str, sign: str, constant: str) -> str:
    """Compare a field with a constant: values of another type are neither equal to it nor in an order with it."""
    if sign == "!=":
        return f"(NOT {_compared(field, '==', constant)})"
    place = f"{ELEMENT}, {_quoted(field)}"
    kind, text, operator = f"hr_json_type({place})", f"hr_json_text({place})", _COMPARE[sign]
    if constant.startswith("'"):
        return f"coalesce({kind} = 'VARCHAR' AND {text} {operator} {_quoted(constant[1:])}, FALSE)"
    if constant == "null":
        return f"coalesce({kind} = 'NULL', FALSE)" if sign in ("==", "<=", ">=") else "FALSE"
    if constant in ("true", "false"):
        return f"coalesce({kind} = 'BOOLEAN' AND {text} = '{constant}', FALSE)" if sign == "==" else "FALSE"
    whole = constant.lstrip("-").isdigit() and abs(int(constant)) < _EXACT
    exact = (
        f"WHEN {kind} IN {_INTEGERS} THEN CAST({text} AS HUGEINT) {operator} {int(constant)} "
        if whole
        else ""
    )
    kinds = "('DOUBLE')" if whole else "('DOUBLE', 'BIGINT', 'UBIGINT')"
    other = (
        f"WHEN {kind} IN {kinds} THEN CAST({text} AS DOUBLE) {operator} CAST({_quoted(constant)} AS DOUBLE) "
    )
    return f"(CASE {exact}{other}ELSE FALSE END)"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"

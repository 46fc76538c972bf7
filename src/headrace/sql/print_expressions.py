"""Prints expressions. Brackets are printed where the tree has them (`exp.Paren`), so operators need no precedence here."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from sqlglot import exp

from headrace.sql.nodes import Duration, Target, Window, Within
from headrace.sql.typenames import CANONICAL

Printer = Callable[[exp.Expr], str]

_PLAIN = re.compile(r"[^\W\d]\w*\Z")

_BINARY: dict[type[exp.Expr], str] = {
    exp.Or: "OR",
    exp.And: "AND",
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
    exp.NullSafeEQ: "IS NOT DISTINCT FROM",
    exp.NullSafeNEQ: "IS DISTINCT FROM",
    exp.Is: "IS",
    exp.Like: "LIKE",
    exp.ILike: "ILIKE",
    exp.Glob: "GLOB",
    exp.SimilarTo: "SIMILAR TO",
    exp.Escape: "ESCAPE",
    exp.DPipe: "||",
    exp.BitwiseAnd: "&",
    exp.BitwiseOr: "|",
    exp.BitwiseLeftShift: "<<",
    exp.BitwiseRightShift: ">>",
    exp.JSONExtract: "->",
    exp.JSONExtractScalar: "->>",
    exp.Add: "+",
    exp.Sub: "-",
    exp.Mul: "*",
    exp.Div: "/",
    exp.Mod: "%",
    exp.Pow: "**",
    exp.Collate: "COLLATE",
}


def expression(node: exp.Expr) -> str:
    """Print an expression or any other part of a query, on one line.

    Raises:
        TypeError: the tree has a node that no text of the language gives.
    """
    printer = _PRINTERS.get(type(node)) or QUERY_PRINTERS.get(type(node))
    if printer is None:
        message = f"{type(node).__name__} has no text in the language"
        raise TypeError(message)
    return printer(node)


def expressions(nodes: Iterable[exp.Expr]) -> str:
    """Print nodes with commas between."""
    return ", ".join([expression(node) for node in nodes])


def items(node: exp.Expr) -> str:
    """Print the list that a node holds."""
    return expressions(node.expressions)


def type_name(node: exp.Expr) -> str:
    """Print a type under its canonical name."""
    kind = node.this
    if kind is exp.DType.ARRAY:
        return f"{type_name(node.expressions[0])}[]"
    if kind is exp.DType.STRUCT:
        fields = (f"{expression(field.this)} {type_name(field.args['kind'])}" for field in node.expressions)
        return f"struct({', '.join(fields)})"
    if kind is exp.DType.MAP:
        return f"map({', '.join(map(type_name, node.expressions))})"
    parameters = ", ".join(expression(parameter.this) for parameter in node.expressions)
    return f"{CANONICAL[kind]}({parameters})" if parameters else CANONICAL[kind]


def _binary(node: exp.Expr) -> str:
    operator = _BINARY[type(node)]
    parts: list[str] = []
    # Chains of one operator lean to the left and may be long; walk down instead of recursing.
    left = node
    while type(left) is type(node):
        parts.append(expression(left.args["expression"]))
        left = left.this
    parts.append(expression(left))
    return f" {operator} ".join(reversed(parts))


def _not(node: exp.Expr) -> str:
    inner = node.this
    if isinstance(inner, exp.Is):
        return f"{expression(inner.this)} IS NOT {expression(inner.expression)}"
    if isinstance(inner, exp.In):
        return _in(inner, "NOT IN")
    if isinstance(inner, exp.Between):
        return _between(inner, "NOT BETWEEN")
    match = inner.this if isinstance(inner, exp.Escape) else inner
    if isinstance(match, exp.Like | exp.ILike | exp.Glob | exp.SimilarTo):
        text = f"{expression(match.this)} NOT {_BINARY[type(match)]} {expression(match.expression)}"
        return text if match is inner else f"{text} ESCAPE {expression(inner.expression)}"
    return f"NOT {expression(inner)}"


def _in(node: exp.Expr, operator: str = "IN") -> str:
    field, query = node.args.get("field"), node.args.get("query")
    single = field if field is not None else query
    alternatives = expression(single) if single is not None else f"({items(node)})"
    return f"{expression(node.this)} {operator} {alternatives}"


def _between(node: exp.Expr, operator: str = "BETWEEN") -> str:
    low, high = expression(node.args["low"]), expression(node.args["high"])
    return f"{expression(node.this)} {operator} {low} AND {high}"


def _negative(node: exp.Expr) -> str:
    operand = expression(node.this)
    return f"- {operand}" if operand.startswith("-") else f"-{operand}"  # two hyphens would begin a comment


def _identifier(node: exp.Expr) -> str:
    name = str(node.this)
    if node.args.get("quoted") or not _PLAIN.match(name):
        return "`" + name.replace("`", "``") + "`"
    return name


def _column(node: exp.Expr) -> str:
    parts = (node.args.get(key) for key in ("catalog", "db", "table", "this"))
    return ".".join(expression(part) for part in parts if part is not None)


def _literal(node: exp.Expr) -> str:
    text = str(node.this)
    return "'" + text.replace("'", "''") + "'" if node.args.get("is_string") else text


def _star(node: exp.Expr) -> str:
    text = "*"
    if node.args.get("except_"):
        text += f" EXCLUDE ({expressions(node.args['except_'])})"
    if node.args.get("replace"):
        text += f" REPLACE ({expressions(node.args['replace'])})"
    return text


def _call(node: exp.Expr) -> str:
    name = node.this if _PLAIN.match(node.this) else "`" + node.this.replace("`", "``") + "`"
    return f"{name}({items(node)})"


def _case(node: exp.Expr) -> str:
    parts = ["CASE"]
    if node.args.get("this") is not None:
        parts.append(expression(node.this))
    parts.extend(
        f"WHEN {expression(branch.this)} THEN {expression(branch.args['true'])}"
        for branch in node.args["ifs"]
    )
    if node.args.get("default") is not None:
        parts.append(f"ELSE {expression(node.args['default'])}")
    return " ".join([*parts, "END"])


def _interval(node: exp.Expr) -> str:
    unit = node.args.get("unit")
    return f"INTERVAL {expression(node.this)}" + (f" {unit.name}" if unit is not None else "")


def _ordered(node: exp.Expr) -> str:
    text = expression(node.this)
    text += " DESC" if node.args.get("desc") else ""
    return text + (" NULLS FIRST" if node.args.get("nulls_first") else "")


def _order(node: exp.Expr) -> str:
    behind = f"{expression(node.this)} " if node.args.get("this") is not None else ""
    return f"{behind}ORDER BY {items(node)}"


def _over(node: exp.Expr) -> str:
    alias = node.args.get("alias")
    before = f"{expression(node.this)} OVER " if node.args.get("this") is not None else ""
    if (
        alias is not None
        and before
        and not any(node.args.get(key) for key in ("partition_by", "order", "spec"))
    ):
        return before + expression(alias)
    parts = [expression(alias)] if alias is not None else []
    if node.args.get("partition_by"):
        parts.append(f"PARTITION BY {expressions(node.args['partition_by'])}")
    parts.extend(expression(node.args[key]) for key in ("order", "spec") if node.args.get(key) is not None)
    return f"{before}({' '.join(parts)})"


def _frame(node: exp.Expr) -> str:
    kind, start = node.args["kind"], _bound(node, "start")
    text = f"{kind} BETWEEN {start} AND {_bound(node, 'end')}" if node.args.get("end") else f"{kind} {start}"
    return text + (f" EXCLUDE {node.args['exclude']}" if node.args.get("exclude") else "")


def _bound(node: exp.Expr, key: str) -> str:
    value = node.args[key]
    text = value if isinstance(value, str) else expression(value)
    side = node.args.get(f"{key}_side")
    return f"{text} {side}" if side else text


def _field(node: exp.Expr) -> str:
    name = _literal(exp.Literal.string(node.this.name))
    return f"{name}: {expression(node.expression)}"


def _slice(node: exp.Expr) -> str:
    first, last = (
        expression(part) if (part := node.args.get(key)) is not None else "" for key in ("this", "expression")
    )
    return f"{first}:{last}"


def _struct(node: exp.Expr) -> str:
    return f"{{{', '.join([_field(field) for field in node.expressions])}}}"


def _target(node: exp.Expr) -> str:
    return f"{expression(node.this)} AS {'.'.join(expression(part) for part in node.expressions)}"


def _duration(node: exp.Expr) -> str:
    return f"{node.args['this']}{node.args['unit']}"


def _window_call(node: exp.Expr) -> str:
    lengths = (node.args.get(key) for key in ("size", "advance", "retention"))
    pairs = (f"{length.args['this']},{length.args['unit']}" for length in lengths if length is not None)
    shown = f"{node.args['kind']}({','.join(pairs)})"
    offset = node.args.get("offset")
    return shown if offset is None else f"{shown} OFFSET {expression(offset)}"


def _within(node: exp.Expr) -> str:
    after = node.args.get("after")
    before = expression(node.this)
    return f"WITHIN {before}" if after is None else f"WITHIN ({before}, {expression(after)})"


QUERY_PRINTERS: dict[type[exp.Expr], Printer] = {}
"""Printers of queries, filled by `print_queries`: expressions hold queries and queries hold expressions."""

_PRINTERS: dict[type[exp.Expr], Printer] = {
    **dict.fromkeys(_BINARY, _binary),
    exp.Not: _not,
    exp.In: _in,
    exp.Between: _between,
    exp.Neg: _negative,
    exp.BitwiseNot: lambda node: f"~{expression(node.this)}",
    exp.AtTimeZone: lambda node: f"{expression(node.this)} AT TIME ZONE {expression(node.args['zone'])}",
    exp.Identifier: _identifier,
    exp.Var: lambda node: str(node.this),
    exp.Column: _column,
    exp.Dot: lambda node: f"{expression(node.this)}.{expression(node.expression)}",
    exp.Bracket: lambda node: f"{expression(node.this)}[{items(node)}]",
    exp.Slice: _slice,
    exp.Literal: _literal,
    exp.Null: lambda _: "NULL",
    exp.Boolean: lambda node: "TRUE" if node.this else "FALSE",
    exp.Placeholder: lambda node: f"${node.this}" if node.args.get("this") else "?",
    exp.Star: _star,
    exp.Paren: lambda node: f"({expression(node.this)})",
    exp.Tuple: lambda node: f"({items(node)})",
    exp.Array: lambda node: f"[{items(node)}]",
    exp.Struct: _struct,
    exp.Anonymous: _call,
    exp.PropertyEQ: lambda node: f"{expression(node.this)} := {expression(node.expression)}",
    exp.Kwarg: lambda node: f"{expression(node.this)} => {expression(node.expression)}",
    exp.Lambda: lambda node: f"LAMBDA {items(node)}: {expression(node.this)}",
    exp.Distinct: lambda node: f"DISTINCT {items(node)}",
    exp.IgnoreNulls: lambda node: f"{expression(node.this)} IGNORE NULLS",
    exp.RespectNulls: lambda node: f"{expression(node.this)} RESPECT NULLS",
    exp.Filter: lambda node: f"{expression(node.this)} FILTER (WHERE {expression(node.expression.this)})",
    exp.WithinGroup: lambda node: f"{expression(node.this)} WITHIN GROUP ({expression(node.expression)})",
    exp.Window: _over,
    exp.WindowSpec: _frame,
    exp.Case: _case,
    exp.Cast: lambda node: f"CAST({expression(node.this)} AS {type_name(node.args['to'])})",
    exp.TryCast: lambda node: f"TRY_CAST({expression(node.this)} AS {type_name(node.args['to'])})",
    exp.DataType: type_name,
    exp.Extract: lambda node: f"EXTRACT({node.this.name} FROM {expression(node.expression)})",
    exp.Interval: _interval,
    exp.Exists: lambda node: f"EXISTS ({expression(node.this)})",
    exp.Any: lambda node: f"ANY {expression(node.this)}",
    exp.All: lambda node: f"ALL {expression(node.this)}",
    exp.CurrentDate: lambda _: "CURRENT_DATE",
    exp.CurrentTime: lambda _: "CURRENT_TIME",
    exp.CurrentTimestamp: lambda _: "CURRENT_TIMESTAMP",
    exp.Alias: lambda node: f"{expression(node.this)} AS {expression(node.args['alias'])}",
    Target: _target,
    exp.Order: _order,
    exp.Ordered: _ordered,
    exp.Rollup: lambda node: f"ROLLUP ({items(node)})",
    exp.Cube: lambda node: f"CUBE ({items(node)})",
    exp.GroupingSets: lambda node: f"GROUPING SETS ({items(node)})",
    Duration: _duration,
    Window: _window_call,
    Within: _within,
}

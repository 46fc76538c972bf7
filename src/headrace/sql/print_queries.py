"""Prints queries: SELECT with its clauses, set operations, joins, sources."""

from __future__ import annotations

from sqlglot import exp

from headrace.sql.nodes import ArrayLateral, Join, Select
from headrace.sql.print_expressions import QUERY_PRINTERS, expression, expressions, items
from headrace.sql.print_patterns import PATTERN_PRINTERS

_WIDTH = 100

_OPERATORS: dict[type[exp.Expr], str] = {exp.Union: "UNION", exp.Except: "EXCEPT", exp.Intersect: "INTERSECT"}


def query(node: exp.Expr, joint: str) -> str:
    """Print a query; `joint` stands between its clauses, a blank or a line end with the indentation."""
    text = _body(node, joint)
    names = node.args.get("with_")
    if names is None:
        return text
    entries = (
        f"{expression(entry.args['alias'])} AS ({query(entry.this, ' ')})" for entry in names.expressions
    )
    word = "WITH RECURSIVE" if names.args.get("recursive") else "WITH"
    return f"{word} {', '.join(entries)}{joint}{text}"


def _body(node: exp.Expr, joint: str) -> str:
    if isinstance(node, exp.Select):
        return _select(node, joint)
    if isinstance(node, exp.SetOperation):
        return _set_operation(node, joint)
    if isinstance(node, exp.Values):
        return joint.join([f"VALUES {items(node)}", *_modifiers(node)])
    if isinstance(node, exp.Subquery):
        return joint.join([f"({query(node.this, ' ')})", *_modifiers(node)])
    message = f"{type(node).__name__} is not a query"
    raise TypeError(message)


def _set_operation(node: exp.SetOperation, joint: str) -> str:
    lines: list[str] = []
    top: exp.Expr = node
    # Chains lean to the left and may be long; walk down instead of recursing.
    while isinstance(top, exp.SetOperation):
        operator = _OPERATORS[type(top)]
        operator += "" if top.args.get("distinct") else " ALL"
        operator += " BY NAME" if top.args.get("by_name") else ""
        lines[:0] = [operator, query(top.expression, joint), *_modifiers(top)]
        top = top.this
    return joint.join([query(top, joint), *lines])


def _select(node: exp.Select, joint: str) -> str:
    lines = [_head(node, joint)]
    source = node.args.get("from_")
    if source is not None:
        lines.append(f"FROM {expression(source.this)}")
    for join in node.args.get("joins") or []:
        if isinstance(join, exp.Join) and not (join.kind or join.side or join.method):
            lines[-1] += f", {expression(join.this)}"
        else:
            lines.append(expression(join))
    lines.extend(_lateral(lateral) for lateral in node.args.get("laterals") or [])
    lines.extend(_clauses(node))
    return joint.join(lines)


def _head(node: exp.Select, joint: str) -> str:
    words = ["SELECT"]
    if node.args.get("mode"):
        words.append(node.args["mode"])
    distinct = node.args.get("distinct")
    if distinct is not None:
        words.append("DISTINCT")
        on = distinct.args.get("on")
        if on is not None:
            words.append(f"ON {expression(on)}")
    columns = [expression(item) for item in node.expressions]
    line = " ".join([*words, ", ".join(columns)])
    if len(line) <= _WIDTH or not joint.startswith("\n"):
        return line
    return " ".join(words) + f"{joint}  " + f",{joint}  ".join(columns)


def _clauses(node: exp.Select) -> list[str]:
    args = node.args
    lines = []
    if args.get("eventtime") is not None:
        lines.append(f"EVENTTIME BY {expression(args['eventtime'])}")
    if args.get("where") is not None:
        lines.append(f"WHERE {expression(args['where'].this)}")
    if args.get("window") is not None:
        lines.append(f"WINDOW BY {_window_by(args['window'])}")
    if args.get("windows"):
        definitions = (
            f"{expression(item.this)} AS {expression(_definition(item))}" for item in args["windows"]
        )
        lines.append(f"WINDOW {', '.join(definitions)}")
    sorts = args.get("order") is not None and args.get("window") is None
    grace = f"GRACE BY {expression(args['grace'])}" if args.get("grace") is not None else None
    if grace is not None and not sorts:
        lines.append(grace)
    if args.get("group") is not None:
        group = args["group"]
        lines.append(f"GROUP BY {'ALL' if group.args.get('all') else items(group)}")
    if args.get("having") is not None:
        lines.append(f"HAVING {expression(args['having'].this)}")
    if args.get("qualify") is not None:
        lines.append(f"QUALIFY {expression(args['qualify'].this)}")
    modifiers = _modifiers(node)
    if grace is not None and sorts:
        modifiers.insert(1, grace)
    lines.extend(modifiers)
    if args.get("emit"):
        lines.append(f"EMIT {args['emit']}")
    return lines


def _definition(item: exp.Expr) -> exp.Expr:
    bare = item.copy()
    bare.set("this", None)
    return bare


def _window_by(window: exp.Expr) -> str:
    lengths = (window.args.get(key) for key in ("size", "advance", "retention"))
    shown = (
        f"{window.args['kind']} {','.join(expression(length) for length in lengths if length is not None)}"
    )
    offset = window.args.get("offset")
    return shown if offset is None else f"{shown} OFFSET {expression(offset)}"


def _modifiers(node: exp.Expr) -> list[str]:
    lines = []
    if node.args.get("order") is not None:
        lines.append(expression(node.args["order"]))
    if node.args.get("limit") is not None:
        lines.append(f"LIMIT {expression(node.args['limit'].expression)}")
    if node.args.get("offset") is not None:
        lines.append(f"OFFSET {expression(node.args['offset'].expression)}")
    return lines


def _lateral(node: exp.Expr) -> str:
    if isinstance(node, ArrayLateral):
        return f"LATERAL {expression(node.this)} AS {expression(node.args['alias'])}"
    return expression(node)


# Nodes that stand inside queries, and queries that stand inside expressions


def _aliased(node: exp.Expr, text: str) -> str:
    alias = node.args.get("alias")
    return text if alias is None else f"{text} AS {expression(alias)}"


def _subquery(node: exp.Expr) -> str:
    return _aliased(node, query(node, " "))


def _table(node: exp.Expr) -> str:
    return _aliased(node, expression(node.this))


def _lateral_query(node: exp.Expr) -> str:
    return _aliased(node, f"LATERAL {expression(node.this)}")


def _table_alias(node: exp.Expr) -> str:
    columns = node.args.get("columns")
    name = expression(node.this)
    return f"{name}({expressions(columns)})" if columns else name


def _join(node: exp.Expr) -> str:
    args = node.args
    words = [args.get("method"), args.get("side"), args.get("kind")]
    if args.get("kind") == "INNER":
        words = [args.get("method")]
    joined = "JOIN GLOBAL TABLE" if args.get("broadcast") else "JOIN"
    text = " ".join([*(word for word in words if word), joined, expression(node.this)])
    if args.get("on") is not None:
        text += f" ON {expression(args['on'])}"
    if args.get("using"):
        text += f" USING ({expressions(args['using'])})"
    if args.get("within") is not None:
        text += f" {expression(args['within'])}"
    if args.get("grace") is not None:
        text += f" GRACE BY {expression(args['grace'])}"
    return text


def _inline(node: exp.Expr) -> str:
    return query(node, " ")


QUERY_PRINTERS.update(
    {
        **PATTERN_PRINTERS,
        Select: _inline,
        exp.Select: _inline,
        exp.Union: _inline,
        exp.Except: _inline,
        exp.Intersect: _inline,
        exp.Values: _inline,
        exp.Subquery: _subquery,
        exp.Table: _table,
        exp.TableAlias: _table_alias,
        exp.Lateral: _lateral_query,
        ArrayLateral: _lateral,
        Join: _join,
        exp.Join: _join,
    }
)

"""Text to program: every statement is read, and every statement that cannot be read is reported."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from headrace.errors import Diagnostic, ProgramError, Source, Span
from headrace.errors.codes import sql as codes
from headrace.sql.commands import CreateView, Delete
from headrace.sql.cursor import Fault
from headrace.sql.nodes import CreateTable, DuckdbQuery, Insert, Program, Query, Set, Statement, With
from headrace.sql.spans import nearest_span
from headrace.sql.statements import StatementGrammar
from headrace.sql.tokens import Token, tokenize
from headrace.sql.words import STATEMENTS

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_HEIGHT = 150
"""How high an expression tree may be, chains of one operator counted once: what printing can follow on Python's stack."""

MAX_CHAIN = 900
"""How high it may be with every operator counted: what DuckDB follows (its `max_expression_depth` is 1000)."""

_MAX_DIAGNOSTICS = 20
_DIVISION = "//"
"""Of whole numbers in DuckDB; here, as in Lenses SQL, a comment."""

_EXAMPLE = "the least is `INSERT INTO target SELECT STREAM * FROM topic`"


def parse_program(text: str, name: str = "SQL", *, in_duckdb: Callable[[str], bool] | None = None) -> Program:
    """Read a program: statements with `;` between.

    Args:
        text: the SQL, of either dialect.
        name: the name under which the user knows the text, for messages.
        in_duckdb: asked of each statement that cannot be read, whether it is a query in DuckDB's own SQL; such a
            statement is no fault, but a `DuckdbQuery`. None: there are none.

    Raises:
        ProgramError: with a diagnostic for each fault, in the order of the text.
    """
    source = Source(name, text)
    tokens, unreadable = tokenize(text)
    grammar = StatementGrammar(text, tokens)
    statements: list[Statement] = []
    faults: list[Diagnostic] = []
    remaining = list(unreadable)
    while len(faults) < _MAX_DIAGNOSTICS:
        while grammar.take_mark(";"):
            pass
        if grammar.at_end():
            break
        begin = grammar.token.start
        statement, found = _statement(grammar)
        # A character or quote that cannot be read makes what the grammar says of that statement guesswork.
        lexical = [
            item
            for item in remaining
            if item.span is not None and begin <= item.span.start < grammar.token.end
        ]
        remaining = [item for item in remaining if item not in lexical]
        wrong = lexical or found
        own = None
        if in_duckdb is not None and grammar.at_end() and (wrong or isinstance(statement, Query)):
            own = _for_duckdb(grammar, begin, None if wrong else statement, in_duckdb)
        if own is not None:
            statements.append(own)
            continue
        faults.extend(wrong)
        if statement is not None:
            statements.append(statement)
    faults.extend(remaining[: max(_MAX_DIAGNOSTICS - len(faults), 0)])
    if not statements and not faults:
        end = len(text.rstrip())
        faults.append(
            Diagnostic(codes.EMPTY_PROGRAM, "the program holds no statement", Span(end, end), _EXAMPLE)
        )
    if faults:
        faults.sort(key=lambda item: item.span or Span(0, 0))
        raise ProgramError(tuple(faults[:_MAX_DIAGNOSTICS]), source)
    return Program(tuple(statements), source)


def parse_query(text: str, name: str = "SQL") -> Program:
    """Read a text that must be one query, for `headrace query`; SET statements may stand before it.

    Raises:
        ProgramError: the text is wrong, or is not one query.
    """
    program = parse_program(text, name)
    queries = [statement for statement in program.statements if isinstance(statement, Query)]
    others = [statement for statement in program.statements if not isinstance(statement, Query | Set)]
    wrong = others[0] if others else (queries[1] if len(queries) > 1 else None)
    if wrong is None and queries:
        return program
    last: Statement = wrong or program.statements[-1]
    message = "only one query can run at a time" if not others and queries else "a query is expected"
    help_ = "run a program of statements with `headrace run`"
    raise ProgramError((Diagnostic(codes.UNSUPPORTED_STATEMENT, message, last.span, help_),), program.source)


def _statement(grammar: StatementGrammar) -> tuple[Statement | None, list[Diagnostic]]:
    """Read a statement, and go on to the next one whatever happens."""
    grammar.found = []
    start = grammar.token
    try:
        statement = grammar.statement()
        _check_height(statement)
    except Fault as fault:
        grammar.found.append(fault.diagnostic)
        _skip(grammar)
        return None, grammar.found
    except RecursionError:
        grammar.found.append(_too_deep(start))
        _skip(grammar)
        return None, grammar.found
    _check_end(grammar)
    return statement, grammar.found


def _for_duckdb(
    grammar: StatementGrammar, begin: int, read: Statement | None, in_duckdb: Callable[[str], bool]
) -> DuckdbQuery | None:
    """Give a statement as DuckDB's, if it is one.

    Args:
        grammar: at its end.
        begin: where it begins in the text.
        read: what this grammar makes of it; None if it cannot be read.
        in_duckdb: whether a text is a query in DuckDB's own SQL.
    """
    # What `//` cuts off belongs to the statement that it may be a division in.
    whole = grammar.text[begin : grammar.token.start].rstrip()
    texts = [whole] if _DIVISION in whole else []
    if read is None:
        texts.append(grammar.text[begin : grammar.previous.end])
    for own in texts:
        if in_duckdb(own):
            return DuckdbQuery(own, Span(begin, begin + len(own)), read if isinstance(read, Query) else None)
    return None


def _check_end(grammar: StatementGrammar) -> None:
    if grammar.at_end():
        return
    token = grammar.token
    if grammar.statement_begins():
        place = grammar.previous.end
        grammar.report(
            codes.MISSING_SEMICOLON,
            f"{token.upper} begins another statement",
            token.span,
            f"add `;` after {grammar.describe(grammar.previous)}" if place else None,
        )
        return
    try:
        grammar.unexpected("`;` or the end of the text", STATEMENTS)
    except Fault as fault:
        grammar.found.append(fault.diagnostic)
    _skip(grammar)


def _skip(grammar: StatementGrammar) -> None:
    grammar.surface()
    while not grammar.at_end():
        grammar.advance()


def _too_deep(token: Token) -> Diagnostic:
    return Diagnostic(
        codes.TOO_COMPLEX,
        "the statement is nested too deep",
        token.span,
        "name inner parts by `WITH name AS (…)`",
    )


def _check_height(statement: Statement) -> None:
    trees: list[exp.Expression] = []
    match statement:
        case Insert() | Query():
            trees = [statement.query, *(named.query for named in statement.names)]
        case With():
            trees = [named.query for named in statement.names]
        case CreateTable():
            trees = [column.type for column in statement.columns]
        case CreateView():
            trees = [statement.query, *(named.query for named in statement.names)]
        case Delete():
            trees = [statement.condition]
        case _:
            return
    stack: list[tuple[exp.Expr, int, int]] = [(tree, 1, 1) for tree in trees]
    while stack:
        node, height, chain = stack.pop()
        if height > MAX_HEIGHT or chain > MAX_CHAIN:
            place = nearest_span(node) or statement.span
            message = "the expression is too long or too deep"
            help_ = "name parts of it by `WITH name AS (…)`, or use IN for a list of alternatives"
            raise Fault(Diagnostic(codes.TOO_COMPLEX, message, place, help_))
        for child in node.iter_expressions():
            same = type(child) is type(node) and isinstance(child, exp.Binary)
            stack.append((child, height + (not same), chain + 1))

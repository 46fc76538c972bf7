"""The grammar of type names: `int`, `decimal(10, 2)`, `string[]`, `struct(a int)`, `map(string, long)`."""

from __future__ import annotations

from difflib import get_close_matches

from sqlglot import exp

from headrace.errors.codes import sql as codes
from headrace.sql.cursor import Cursor
from headrace.sql.tokens import Kind, Token

Type = exp.DataType.Type

TYPES: dict[str, exp.DType] = {
    "BOOLEAN": Type.BOOLEAN,
    "BOOL": Type.BOOLEAN,
    "TINYINT": Type.TINYINT,
    "SMALLINT": Type.SMALLINT,
    "SHORT": Type.SMALLINT,
    "INT": Type.INT,
    "INTEGER": Type.INT,
    "LONG": Type.BIGINT,
    "BIGINT": Type.BIGINT,
    "HUGEINT": Type.INT128,
    "UTINYINT": Type.UTINYINT,
    "USMALLINT": Type.USMALLINT,
    "UINTEGER": Type.UINT,
    "UBIGINT": Type.UBIGINT,
    "FLOAT": Type.FLOAT,
    "REAL": Type.FLOAT,
    "DOUBLE": Type.DOUBLE,
    "DECIMAL": Type.DECIMAL,
    "NUMERIC": Type.DECIMAL,
    "STRING": Type.TEXT,
    "TEXT": Type.TEXT,
    "VARCHAR": Type.TEXT,
    "CHAR": Type.TEXT,
    "BYTES": Type.VARBINARY,
    "BLOB": Type.VARBINARY,
    "VARBINARY": Type.VARBINARY,
    "DATE": Type.DATE,
    "TIME": Type.TIME,
    "TIMESTAMP": Type.TIMESTAMP,
    "TIMESTAMPTZ": Type.TIMESTAMPTZ,
    "DATETIME": Type.TIMESTAMP,
    "TIMESTAMP_S": Type.TIMESTAMP_S,
    "TIMESTAMP_MS": Type.TIMESTAMP_MS,
    "TIMESTAMP_NS": Type.TIMESTAMP_NS,
    "INTERVAL": Type.INTERVAL,
    "UUID": Type.UUID,
    "JSON": Type.JSON,
}
"""Names that a type may have in the text, upper case."""

CANONICAL: dict[exp.DType, str] = {kind: name.lower() for name, kind in reversed(TYPES.items())}
"""The name under which a type is printed: the first that `TYPES` has for it."""

_NESTED = ("STRUCT", "MAP", "ARRAY")


class TypeGrammar(Cursor):
    """Reads a type."""

    def data_type(self) -> exp.DataType:
        """Read a type with its parameters and array brackets."""
        start = self.position
        self.enter()
        node = self._plain_type(start)
        while self.at_mark("["):
            opening = self.advance()
            self.close(opening)
            node = self.mark(exp.DataType(this=Type.ARRAY, expressions=[node], nested=True), start)
        self.leave()
        return node

    def _plain_type(self, start: int) -> exp.DataType:
        token = self.token
        if token.kind is not Kind.WORD:
            self.unexpected("a type")
        self.advance()
        name = token.upper
        if name in _NESTED and self.at_mark("(", "<"):
            return self._nested_type(name, start)
        dtype = TYPES.get(name)
        if dtype is None:
            near = get_close_matches(name, (*TYPES, *_NESTED), n=1)
            help_ = (
                f"did you mean `{near[0].lower()}`?"
                if near
                else "for example int, long, double, decimal(10, 2), string"
            )
            self.fail(codes.UNKNOWN_TYPE, f"`{token.text}` is not a type", token.span, help_)
        if dtype is Type.TIMESTAMP and self.take_words("WITH", "TIME", "ZONE"):
            dtype = Type.TIMESTAMPTZ
        node = exp.DataType(this=dtype, nested=False)
        if dtype in (Type.DECIMAL, Type.TEXT) and self.at_mark("("):
            parameters = self._parameters()
            # The length of a string is not enforced, by us or by DuckDB.
            if dtype is Type.DECIMAL:
                node.set("expressions", parameters)
        return self.mark(node, start)

    def _parameters(self) -> list[exp.DataTypeParam]:
        opening = self.advance()
        parameters = []
        while True:
            start = self.position
            token = self.token
            if token.kind is not Kind.NUMBER or not token.value.isdigit():
                self.unexpected("a whole number")
            self.advance()
            number = self.mark(exp.Literal.number(token.value), start)
            parameters.append(self.mark(exp.DataTypeParam(this=number), start))
            if not self.take_mark(","):
                break
        self.close(opening)
        return parameters

    def _nested_type(self, name: str, start: int) -> exp.DataType:
        opening = self.advance()
        parts: list[exp.Expression] = []
        while True:
            part = self.position
            if name == "STRUCT":
                field = self.identifier("a field name", any_word=True)
                self.take_mark(":")
                parts.append(self.mark(exp.ColumnDef(this=field, kind=self.data_type()), part))
            else:
                parts.append(self.data_type())
            if not self.take_mark(","):
                break
        if opening.text == "<":
            self._split_shift()
            self.expect_mark(">")
        else:
            self.close(opening)
        wanted = {"MAP": 2, "ARRAY": 1}.get(name)
        if wanted is not None and len(parts) != wanted:
            what = "a key type and a value type" if name == "MAP" else "one type"
            self.fail(codes.UNKNOWN_TYPE, f"`{name.lower()}` takes {what}", self.span_from(start))
        node = exp.DataType(this=getattr(Type, name), expressions=parts, nested=True)
        return self.mark(node, start)

    def _split_shift(self) -> None:
        """Read `>>` as the ends of two types."""
        token = self.token
        if token.text != ">>" or token.kind is not Kind.MARK:
            return
        middle = token.start + 1
        ends = ((token.start, middle), (middle, token.end))
        self.tokens[self.position : self.position + 1] = [
            Token(Kind.MARK, ">", start, end, ">") for start, end in ends
        ]

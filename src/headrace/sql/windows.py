"""The grammar of durations and windows, in the spelling of both dialects: `5m`, `(5, m)`, `TUMBLE 5m`, `TUMBLE(5, m)`."""

from __future__ import annotations

from typing import NoReturn

from headrace.errors import Span
from headrace.errors.codes import sql as codes
from headrace.sql.cursor import Cursor
from headrace.sql.nodes import Duration, Window
from headrace.sql.tokens import UNITS, Kind, Token
from headrace.sql.words import meant

WINDOWS = ("TUMBLE", "HOP", "CUMULATE", "SESSION", "SLIDE", "SLIDING")

_ALIGNED = ("TUMBLE", "HOP", "CUMULATE")
"""Windows that begin at multiples of a length, and may be moved by OFFSET."""

_LONG_UNITS = {
    "MILLISECOND": "ms",
    "SECOND": "s",
    "MINUTE": "m",
    "HOUR": "h",
    "DAY": "d",
    "WEEK": "w",
    "MONTH": "M",
    "YEAR": "y",
}
_UNITS_HELP = "the units are ms, s, m, h, d and w, for example `10m`"
_MAX_DIGITS = 15
_SHAPES = {
    "TUMBLE": (1, 1, "one duration, its size"),
    "HOP": (2, 2, "two durations, size and advance"),
    "CUMULATE": (2, 2, "two durations, the longest size and the step"),
    "SESSION": (1, 2, "the gap, and perhaps the retention"),
    "SLIDE": (1, 1, "one duration, its size"),
    "SLIDING": (1, 1, "one duration, its size"),
}


class WindowGrammar(Cursor):
    """Reads durations and windows."""

    def duration(self, what: str = "a duration", *, comma: bool = False) -> Duration:
        """Read `5m`, `5 m`, `5 minutes`; with `comma` also `5, m`, as 2018 writes inside brackets."""
        start = self.position
        token = self.token
        if token.kind is Kind.DURATION:
            self.advance()
            return self._duration(token, token.text[len(token.text.rstrip("mshdwMy")) :], start)
        if token.kind is Kind.SUFFIXED:
            self._bad_unit(token)
        if token.kind is not Kind.NUMBER:
            self.unexpected(f"{what} such as `10m`")
        self.advance()
        if not token.value.isdigit():
            self.fail(codes.BAD_DURATION, "a duration is a whole number with a unit", token.span, _UNITS_HELP)
        if comma and self.at_mark(",") and self.peek().kind is Kind.WORD:
            self.advance()
        unit = self.token
        if unit.kind is not Kind.WORD:
            self._no_unit(token)
        written = unit.text if unit.text in UNITS else _LONG_UNITS.get(unit.upper.removesuffix("S"))
        written = written or (unit.text.lower() if unit.text.lower() in UNITS else None)
        if written is None:
            if comma or len(unit.text) <= 2 or meant(unit.text, _LONG_UNITS):
                self.fail(codes.BAD_DURATION, f"`{unit.text}` is not a unit of time", unit.span, _UNITS_HELP)
            self._no_unit(token)
        self.advance()
        return self._duration(token, written, start)

    def _duration(self, token: Token, unit: str, start: int) -> Duration:
        if len(token.value) > _MAX_DIGITS:
            self.fail(codes.BAD_DURATION, "the duration is too long", token.span)
        return self.mark(Duration(this=int(token.value), unit=unit), start)

    def _no_unit(self, token: Token) -> NoReturn:
        help_ = f"write `{token.text}m` for minutes; {_UNITS_HELP.partition(',')[0]}, s, m, h, d and w"
        self.fail(codes.BAD_DURATION, f"the duration `{token.text}` has no unit", token.span, help_)

    def _bad_unit(self, token: Token) -> NoReturn:
        unit = token.text.lstrip("0123456789._")
        begin = token.end - len(unit)
        self.fail(codes.BAD_DURATION, f"`{unit}` is not a unit of time", Span(begin, token.end), _UNITS_HELP)

    def durations(self) -> list[Duration]:
        """Read durations with commas between, in brackets or not."""
        opening = self.take_mark("(")
        found = [self.duration(comma=opening is not None)]
        while self.at_mark(",") and (
            opening is not None or self.peek().kind in (Kind.DURATION, Kind.SUFFIXED, Kind.NUMBER)
        ):
            self.advance()
            found.append(self.duration(comma=opening is not None))
        if opening is not None:
            self.close(opening)
        return found

    def at_window_call(self) -> bool:
        """Tell whether a window function of 2018 comes next: `TUMBLE(`."""
        return self.at_word(*WINDOWS) and self.peek().text == "("

    def window(self) -> Window:
        """Read a window, from its kind on."""
        start = self.position
        token = self.token
        if token.kind is not Kind.WORD or token.upper not in WINDOWS:
            if token.kind is Kind.WORD:
                near = meant(token.text, (*WINDOWS, "TUMBLING", "HOPPING"))
                near = {"TUMBLING": "TUMBLE", "HOPPING": "HOP"}.get(near or token.upper, near)
                help_ = (
                    f"did you mean `{near}`?"
                    if near
                    else "the windows are TUMBLE, HOP, CUMULATE, SESSION and SLIDE"
                )
                self.fail(codes.UNKNOWN_WINDOW, f"`{token.text}` is not a window", token.span, help_)
            self.unexpected("a window: TUMBLE, HOP, CUMULATE, SESSION or SLIDE")
        self.advance()
        lengths = self.durations()
        least, most, shape = _SHAPES[token.upper]
        if not least <= len(lengths) <= most:
            self.fail(codes.BAD_DURATION, f"`{token.upper}` takes {shape}", self.span_from(start))
        second = lengths[1] if len(lengths) > 1 else None
        node = Window(kind=token.upper, size=lengths[0])
        if second is not None:
            node.set("retention" if token.upper == "SESSION" else "advance", second)
        if self.at_word("OFFSET") and self._duration_follows():
            if token.upper not in _ALIGNED:
                message = f"`{token.upper}` windows follow their rows, so they have no OFFSET"
                self.fail(codes.BAD_DURATION, message, self.token.span, "leave it out")
            self.advance()
            node.set("offset", self._shift())
        return self.mark(node, start)

    def _duration_follows(self) -> bool:
        """Tell a window's OFFSET from the clause of that name, which has a number of rows behind it."""
        place = 2 if self.peek().text == "-" else 1
        token, unit = self.peek(place), self.peek(place + 1)
        return token.kind is Kind.DURATION or (
            token.kind is Kind.NUMBER and (unit.text in UNITS or unit.upper.removesuffix("S") in _LONG_UNITS)
        )

    def _shift(self) -> Duration:
        start = self.position
        back = self.take_mark("-") is not None
        found = self.duration()
        if back:
            found.set("this", -found.args["this"])
        return self.mark(found, start)

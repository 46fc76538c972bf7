"""Date patterns: from Java's `DateTimeFormatter`, which the language uses, to DuckDB's `strftime` and `strptime`.

A pattern is translated once, when the plan is made. Instants are UTC, so letters for the zone print as constants. Texts are
those of Java's locale `en`, whose weeks begin on Sunday and whose first week of a year holds January 1.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_YEAR: Final = "(CASE WHEN year({t}) > 0 THEN year({t}) ELSE 1 - year({t}) END)"
_MICROS: Final = "(microsecond({t}) % 1000000)"
_MILLI_OF_DAY: Final = "(hour({t}) * 3600000 + minute({t}) * 60000 + microsecond({t}) // 1000)"
_NANO_OF_DAY: Final = "((hour({t}) * 3600000000 + minute({t}) * 60000000 + microsecond({t})) * 1000)"
_WEEK_YEAR: Final = "year(CAST({t} AS DATE) + CAST(6 - dayofweek({t}) AS INTEGER))"
_WEEK_BEGUN: Final = "((%s - 1 + dayofweek({t} - to_days(CAST(%s - 1 AS INTEGER)))) // 7 + 1)"
_WEEK: Final = (
    f"(CASE WHEN {_WEEK_YEAR} > year({{t}}) THEN 1 "
    f"ELSE {_WEEK_BEGUN % ('dayofyear({t})', 'dayofyear({t})')} END)"
)
_MONTH_WEEK: Final = _WEEK_BEGUN % ("day({t})", "day({t})")
_DAY: Final = "(dayofweek({t}) + 1)"
_QUARTER: Final = "quarter({t})"
_DAY_PERIOD: Final = (
    f"CASE WHEN {_NANO_OF_DAY} = 0 THEN 'midnight' WHEN hour({{t}}) < 6 THEN 'at night' "
    "WHEN hour({t}) = 12 AND minute({t}) = 0 AND microsecond({t}) = 0 THEN 'noon' "
    "WHEN hour({t}) < 12 THEN 'in the morning' WHEN hour({t}) < 18 THEN 'in the afternoon' "
    "WHEN hour({t}) < 21 THEN 'in the evening' ELSE 'at night' END"
)
_QUARTER_TEXT: Final = (
    "CASE quarter({t}) WHEN 1 THEN '1st quarter' WHEN 2 THEN '2nd quarter' WHEN 3 THEN '3rd quarter' "
    "ELSE '4th quarter' END"
)

_DATED: Final = {
    "yyyy": "%Y", "uuuu": "%Y", "yy": "%y", "uu": "%y",
    "M": "%-m", "MM": "%m", "MMM": "%b", "MMMM": "%B", "L": "%-m", "LL": "%m", "LLL": "%b", "LLLL": "%B",
    "d": "%-d", "dd": "%d", "D": "%-j", "DDD": "%j",
    "H": "%-H", "HH": "%H", "h": "%-I", "hh": "%I", "m": "%-M", "mm": "%M", "s": "%-S", "ss": "%S",
    "SSS": "%g", "SSSSSS": "%f", "a": "%p",
    "E": "%a", "EE": "%a", "EEE": "%a", "EEEE": "%A", "eee": "%a", "eeee": "%A", "ccc": "%a", "cccc": "%A",
}  # fmt: skip
"""Letters that `strftime` has a word for. Its years are Java's from 1 to 9999."""

_CONSTANT: Final = {
    "X": "Z", "XX": "Z", "XXX": "Z", "XXXX": "Z", "XXXXX": "Z",
    "x": "+00", "xx": "+0000", "xxx": "+00:00", "xxxx": "+0000", "xxxxx": "+00:00",
    "Z": "+0000", "ZZ": "+0000", "ZZZ": "+0000", "ZZZZ": "GMT", "ZZZZZ": "Z", "O": "GMT", "OOOO": "GMT",
    "z": "UTC", "zz": "UTC", "zzz": "UTC", "zzzz": "Coordinated Universal Time", "VV": "UTC",
    "v": "UTC", "vvvv": "Coordinated Universal Time",
}  # fmt: skip
"""Letters for the zone, which is always UTC."""

_TEXTS: Final = {
    **dict.fromkeys(("MMMMM", "LLLLL"), "left(monthname({t}), 1)"),
    **dict.fromkeys(("EEEEE", "eeeee", "ccccc"), "left(dayname({t}), 1)"),
    **dict.fromkeys(("QQQ", "qqq"), "printf('Q%d', quarter({t}))"),
    **dict.fromkeys(("QQQQ", "qqqq"), _QUARTER_TEXT),
    **dict.fromkeys(("QQQQQ", "qqqqq"), f"CAST({_QUARTER} AS VARCHAR)"),
    **dict.fromkeys(("G", "GG", "GGG"), "CASE WHEN year({t}) > 0 THEN 'AD' ELSE 'BC' END"),
    "GGGG": "CASE WHEN year({t}) > 0 THEN 'Anno Domini' ELSE 'Before Christ' END",
    "GGGGG": "CASE WHEN year({t}) > 0 THEN 'A' ELSE 'B' END",
    **dict.fromkeys(("B", "BBBB"), _DAY_PERIOD),
}
"""Letters that print words which `strftime` does not have, as SQL over the moment `{t}`."""

_NUMBERS: Final = {
    "y": (_YEAR, 1, 9), "u": ("year({t})", 1, 9), "Y": (_WEEK_YEAR, 1, 9),
    "D": ("dayofyear({t})", 1, 3), "Q": (_QUARTER, 1, 2), "q": (_QUARTER, 1, 2),
    "w": (_WEEK, 1, 2), "W": (_MONTH_WEEK, 1, 1), "e": (_DAY, 1, 2), "c": (_DAY, 1, 1),
    "K": ("(hour({t}) % 12)", 1, 2), "k": ("(CASE WHEN hour({t}) = 0 THEN 24 ELSE hour({t}) END)", 1, 2),
    # The week of the month, counted from its first day: as of Java 19, which mended what the letter stands for.
    "F": ("((day({t}) - 1) // 7 + 1)", 1, 1),
    "g": ("date_diff('day', DATE '1858-11-17', CAST({t} AS DATE))", 1, 19),
    "A": (_MILLI_OF_DAY, 1, 19), "n": (f"({_MICROS} * 1000)", 1, 19), "N": (_NANO_OF_DAY, 1, 19),
}  # fmt: skip
"""Letters that print numbers, as SQL, with the least and the greatest number of letters: so many digits at least."""

_READ: Final = {
    # `strptime` takes fewer digits too, and names in any case: what a text must look like is said beside it.
    "yyyy": ("%Y", "[0-9]{4}"), "uuuu": ("%Y", "[0-9]{4}"), "y": ("%Y", "[0-9]{1,4}"), "u": ("%Y", "[0-9]{1,4}"),
    "yy": ("%y", "[0-9]{2}"), "uu": ("%y", "[0-9]{2}"),
    **dict.fromkeys(("M", "L"), ("%m", "[0-9]{1,2}")), **dict.fromkeys(("MM", "LL"), ("%m", "[0-9]{2}")),
    **dict.fromkeys(("MMM", "LLL"), ("%b", "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)")),
    **dict.fromkeys(
        ("MMMM", "LLLL"),
        (
            "%B",
            "(?:January|February|March|April|May|June|July|August|September|October|November|December)",
        ),
    ),
    "d": ("%d", "[0-9]{1,2}"), "dd": ("%d", "[0-9]{2}"), "DDD": ("%j", "[0-9]{3}"),
    "H": ("%H", "[0-9]{1,2}"), "HH": ("%H", "[0-9]{2}"), "h": ("%I", "[0-9]{1,2}"), "hh": ("%I", "[0-9]{2}"),
    "m": ("%M", "[0-9]{1,2}"), "mm": ("%M", "[0-9]{2}"), "s": ("%S", "[0-9]{1,2}"), "ss": ("%S", "[0-9]{2}"),
    **{"S" * digits: ("%f" if digits <= 6 else "%n", f"[0-9]{{{digits}}}") for digits in range(1, 10)},
    "a": ("%p", "[AP]M"),
    **dict.fromkeys(("E", "EE", "EEE", "eee", "ccc"), ("%a", "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)")),
    **dict.fromkeys(
        ("EEEE", "eeee", "cccc"), ("%A", "(?:Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday)")
    ),
    **dict.fromkeys(("Z", "ZZ", "ZZZ", "xx"), ("%z", "[+-][0-9]{4}")),
    "x": ("%z", "[+-][0-9]{2}(?:[0-9]{2})?"), "xxx": ("%z", "[+-][0-9]{2}:[0-9]{2}"),
    # Years are those from 1 on.
    **dict.fromkeys(("G", "GG", "GGG"), ("AD", "AD")), "GGGG": ("Anno Domini", "Anno Domini"), "GGGGG": ("A", "A"),
    "k": ("%H", "(?:[1-9]|0[1-9]|1[0-9]|2[0-4])"), "kk": ("%H", "(?:0[1-9]|1[0-9]|2[0-4])"),
    "K": ("%I", "(?:[0-9]|0[0-9]|1[01])"), "KK": ("%I", "(?:0[0-9]|1[01])"),
}  # fmt: skip

_OFFSETS: Final = {
    "X": "[+-][0-9]{2}(?:[0-9]{2})?", "XX": "[+-][0-9]{4}", "XXX": "[+-][0-9]{2}:[0-9]{2}", "ZZZZZ": "[+-][0-9]{2}:[0-9]{2}",
}  # fmt: skip
"""Letters that read `Z` too."""

_NAMED_ZONES: Final = {
    "America/New_York": ("E[SD]?T", "Eastern(?: Standard| Daylight)? Time"),
    "America/Chicago": ("C[SD]?T", "Central(?: Standard| Daylight)? Time"),
    "America/Denver": ("M[SD]?T", "Mountain(?: Standard| Daylight)? Time"),
    "America/Los_Angeles": ("P[SD]?T", "Pacific(?: Standard| Daylight)? Time"),
    "Europe/Paris": ("CES?T", "Central European(?: Standard| Summer)? Time"),
    "Asia/Tokyo": ("JST", "Japan(?: Standard)? Time"),
    "UTC": ("UTC|GMT|UT", "(?:Coordinated Universal|Greenwich Mean) Time|UTC|GMT|UT"),
}
"""Zones that `z` and `zzzz` know by name, short and long; summer time is that of the zone, whichever of its names is written. For
other names Java picks a zone by tables of its own (BST is Bougainville's): they are refused."""

_ANY_ZONE: Final = ("Z", "%z", "UTC%z", "GMT%z", "UT%z", "%Z")
_ZONE_ID: Final = "Z|(?:UTC|GMT|UT)?[+-][0-9]{2}:[0-9]{2}|[A-Z][A-Za-z]+(?:/[A-Za-z0-9_+-]+)+"
_SHORT_NAME, _LONG_NAME = ("|".join(names) for names in zip(*_NAMED_ZONES.values(), strict=True))

_ZONES: Final = {
    "VV": (_ANY_ZONE, "(?:Z|(?:UTC|GMT|UT)?[+-][0-9]{2}:[0-9]{2}|[A-Za-z][A-Za-z0-9~/._+-]+)"),
    **dict.fromkeys(("z", "zz", "zzz"), (_ANY_ZONE, f"(?:{_ZONE_ID}|{_SHORT_NAME})")),
    "zzzz": (_ANY_ZONE, f"(?:{_ZONE_ID}|{_LONG_NAME})"),
    "O": (("GMT%z", "GMT"), "GMT(?:[+-](?:[0-9]|1[0-8])(?::[0-9]{2})?)?"),
    **dict.fromkeys(("OOOO", "ZZZZ"), (("GMT%z", "GMT"), "GMT(?:[+-][0-9]{2}:[0-9]{2})?")),
}
"""Letters that read zones in several forms."""

_SMOOTHED: Final = {
    "k": ("24", "[0-9]{1,2}", "00"), "kk": ("24", "[0-9]{2}", "00"),
    "K": ("00?", "[0-9]{1,2}", "12"), "KK": ("00", "[0-9]{2}", "12"),
    "O": ("", "GMT(?:[+-][0-9]{1,2}(?::[0-9]{2})?)?", ""),
}  # fmt: skip
"""What `strptime` reads in another spelling only: the spelling, any text in its place, and what `strptime` reads."""

_WHOLE_TIME: Final = "A"
_UNSEEN: Final = "#"
"""What stands in the place of digits that `strptime` does not read."""

_TIMES: Final = "HhkKmsSa"
_NAMES_OF_ZONES: Final = "Vz"

_READABLE: Final = "G y u M L d D E e c a A H k h K m s S Z X x O V z"

_MOST_ALTERNATIVES: Final = 32


class PatternError(Exception):
    """A pattern that cannot be translated: `message`, and the place in it as `start` and `end`."""

    def __init__(self, message: str, start: int, end: int) -> None:
        super().__init__(message)
        self.message = message
        self.start = start
        self.end = end


@dataclass(frozen=True, slots=True)
class _Token:
    """A run of one letter, a literal text, `[` or `]`."""

    kind: str
    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of what a pattern writes: a pattern of `strftime`, or SQL over the moment `{t}`."""

    text: str
    is_sql: bool = False


_NOTHING: Final = Piece("CASE WHEN {t} IS NOT NULL THEN '' END", is_sql=True)
"""What an empty pattern writes, as in Java."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How a pattern reads.

    Args:
        formats: alternatives of `strptime`, longest first.
        shape: a regular expression of all texts that the pattern takes.
        short_year: it has a year of two digits, which is one from 2000 to 2099.
        day_of_week: it has a day of the week, which must be that of the date.
        smoothed: a regular expression and what to put in place of its matches, one pair after the other, before it is read.
        milli_of_day: a regular expression of the whole text whose group is the milliseconds since midnight, which `strptime`
            does not read.
    """

    formats: tuple[str, ...]
    shape: str
    short_year: bool
    day_of_week: bool
    smoothed: tuple[tuple[str, str], ...] = ()
    milli_of_day: str | None = None


def to_write(pattern: str) -> tuple[Piece, ...]:
    """Translate a pattern for writing. Optional sections are written: a timestamp has all fields.

    Raises:
        PatternError: a letter or construct that is not supported.
    """
    pieces: list[Piece] = []
    depth = 0
    width = 0
    for token in _tokens(pattern):
        if token.kind in ("open", "close"):
            depth = _nest(depth, token)
            continue
        if token.text[0] == "p" and token.kind == "letters":
            width = len(token.text)
            continue
        piece = _written(token) if token.kind == "letters" else Piece(token.text.replace("%", "%%"))
        if width and token.kind == "letters":
            shown = piece.text if piece.is_sql else f"strftime({{t}}, '{piece.text}')"
            piece = Piece(f"lpad({shown}, {width}, ' ')", is_sql=True)
        elif width:
            message = "`p` pads the letters behind it, and there are none"
            raise PatternError(message, token.start - width, token.start)
        width = 0
        if pieces and not piece.is_sql and not pieces[-1].is_sql:
            pieces[-1] = Piece(pieces[-1].text + piece.text)
        else:
            pieces.append(piece)
    _closed(depth, pattern)
    if width:
        message = "`p` pads the letters behind it, and there are none"
        raise PatternError(message, len(pattern) - width, len(pattern))
    return tuple(pieces) or (_NOTHING,)


def to_read(pattern: str) -> Reading:
    """Translate a pattern for reading.

    An optional section `[…]` doubles the alternatives, and so does `X`, which stands for `Z` as well as for an offset.

    Raises:
        PatternError: a letter or construct that is not supported, or too many optional sections.
    """
    stack: list[list[str]] = [[""]]
    shape: list[str] = []
    loose: list[str] = []
    smooth: list[tuple[int, str]] = []
    short_year = day_of_week = False
    tokens = _tokens(pattern)
    if not tokens:
        message = "an empty date pattern reads nothing"
        raise PatternError(message, 0, 0)
    _check_whole_time(tokens)
    for token in tokens:
        if token.kind == "open":
            stack.append([""])
            forms, looks = None, "(?:"
        elif token.kind == "close":
            if len(stack) == 1:
                message = "`]` without `[`"
                raise PatternError(message, token.start, token.end)
            inner = stack.pop()
            forms, looks = (*inner, ""), ")?"
        elif token.kind == "letters":
            forms, looks = _read(token)
            short_year = short_year or "%y" in forms
            day_of_week = day_of_week or "%a" in forms or "%A" in forms
        else:
            forms, looks = (token.text.replace("%", "%%"),), re.escape(token.text)
        if forms is not None:
            stack[-1] = [head + tail for head in stack[-1] for tail in forms]
        if token.kind == "letters" and _is_smoothed(token.text):
            if len(stack) > 1:
                message = f"`{token.text}` cannot be read in an optional section"
                raise PatternError(message, token.start, token.end)
            smooth.append((len(loose), token.text))
        shape.append(looks)
        loose.append(
            _SMOOTHED[token.text][1] if token.kind == "letters" and token.text in _SMOOTHED else looks
        )
        if len(stack[-1]) > _MOST_ALTERNATIVES:
            message = "too many optional sections"
            raise PatternError(message, token.start, token.end)
    _closed(len(stack) - 1, pattern)
    milli_of_day = None
    for index, letters in smooth:
        if letters[0] == _WHOLE_TIME:
            milli_of_day = f"^{''.join(loose[:index])}({loose[index]}){''.join(loose[index + 1 :])}$"
            # It goes last, so that what is behind it is found as it was.
            smooth = [item for item in smooth if item[0] != index] + [(index, letters)]
    smoothed = tuple(pair for index, letters in smooth for pair in _smoothed(loose, index, letters))
    alternatives = tuple(dict.fromkeys(stack[0]))
    return Reading(alternatives, "".join(shape), short_year, day_of_week, smoothed, milli_of_day)


def _is_smoothed(letters: str) -> bool:
    return letters in _SMOOTHED or letters[0] in (_WHOLE_TIME, "z")


def _check_whole_time(tokens: list[_Token]) -> None:
    """Refuse milliseconds of the day beside what else tells the time, and where nobody can tell where they end."""
    for place, token in enumerate(tokens):
        if token.kind != "letters" or token.text[0] != _WHOLE_TIME:
            continue
        message = None
        others = [other for other in tokens if other.kind == "letters" and other is not token]
        if any(other.text[0] in _TIMES + _WHOLE_TIME for other in others):
            message = f"`{token.text}` reads the whole time of day; leave out the other letters of the time"
        elif any(other.text[0] in _NAMES_OF_ZONES for other in others):
            message = (
                f"`{token.text}` cannot be read beside the name of a zone; write an offset, such as `XXX`"
            )
        elif any(other in tokens[max(place - 1, 0) : place + 2] for other in others):
            message = f"`{token.text}` reads digits to the last; put something between it and its neighbour"
        if message is not None:
            raise PatternError(message, token.start, token.end)


def _smoothed(shapes: list[str], index: int, letters: str) -> list[tuple[str, str]]:
    """Give what to put in place of what where, in a text of these shapes, the letters at an index are."""
    before, behind = "".join(shapes[:index]), "".join(shapes[index + 1 :])
    if letters == "O":
        return [(f"^({before}GMT[+-])([0-9](?::[0-9]{{2}})?{behind})$", "\\10\\2")]
    if letters[0] == _WHOLE_TIME:
        return [(f"^({before}){shapes[index]}({behind})$", f"\\1{_UNSEEN}\\2")]
    if letters[0] == "z":
        return _with_zones(before, behind, is_long=len(letters) == 4)
    spelling, _, read = _SMOOTHED[letters]
    return [(f"^({before}){spelling}({behind})$", f"\\1{read}\\2")]


def _with_zones(before: str, behind: str, *, is_long: bool) -> list[tuple[str, str]]:
    """Put the identifiers of zones in place of their names."""
    return [
        (f"^({before})(?:{names[is_long]})({behind})$", f"\\1{zone}\\2")
        for zone, names in _NAMED_ZONES.items()
    ]


def _written(token: _Token) -> Piece:
    text, letter, count = token.text, token.text[0], len(token.text)
    if text in _DATED:
        return Piece(_DATED[text])
    if text in _CONSTANT:
        return Piece(_CONSTANT[text])
    if text in _TEXTS:
        return Piece(_TEXTS[text], is_sql=True)
    if letter == "S" and count <= 9:
        digits = f"left(printf('%06d', {_MICROS}), {count})" if count < 6 else f"printf('%06d', {_MICROS})"
        return Piece(digits + (f" || '{'0' * (count - 6)}'" if count > 6 else ""), is_sql=True)
    number = _NUMBERS.get(letter)
    if number is not None and text == "YY":
        return Piece(f"printf('%02d', {_WEEK_YEAR} % 100)", is_sql=True)
    if number is not None and number[1] <= count <= number[2]:
        return Piece(f"printf('%0{count}d', {number[0]})", is_sql=True)
    known = [*_DATED, *_CONSTANT, *_TEXTS, *(item for item in _NUMBERS if item == letter)]
    message = f"the letter `{letter}` is not supported in a date pattern"
    raise _unknown(token, [item for item in known if item[0] == letter], message)


def _read(token: _Token) -> tuple[tuple[str, ...], str]:
    """Give the alternatives of `strptime` for a run of letters, and what a text looks like there."""
    text = token.text
    if text in _READ:
        form, looks = _READ[text]
        return (form,), looks
    if text[0] == _WHOLE_TIME and len(text) <= 19:
        return (_UNSEEN,), f"[0-9]{{{len(text)},19}}"
    if text in _OFFSETS:
        return ("%z", "Z"), f"(?:Z|{_OFFSETS[text]})"
    if text in _ZONES:
        return _ZONES[text]
    known = [item for item in (*_READ, *_OFFSETS, *_ZONES) if item[0] == text[0]]
    message = f"the letter `{text[0]}` is not supported in a date pattern"
    if text[0] == "p" or any(item[0] == text[0] for item in (*_DATED, *_CONSTANT, *_TEXTS, *_NUMBERS)):
        message = f"the letter `{text[0]}` cannot be read, only written; those that are read: `{_READABLE}`"
    raise _unknown(token, known, message)


def _unknown(token: _Token, known: list[str], message: str) -> PatternError:
    if known:
        choice = " or ".join(f"`{text}`" for text in known)
        message = f"`{token.text}` is not supported in a date pattern; write {choice}"
    return PatternError(message, token.start, token.end)


def _nest(depth: int, token: _Token) -> int:
    depth += 1 if token.kind == "open" else -1
    if depth < 0:
        message = "`]` without `[`"
        raise PatternError(message, token.start, token.end)
    return depth


def _closed(depth: int, pattern: str) -> None:
    if depth:
        message = "`[` without `]`"
        raise PatternError(message, pattern.rindex("["), len(pattern))


def _tokens(pattern: str) -> list[_Token]:
    found: list[_Token] = []
    at = 0
    while at < len(pattern):
        char = pattern[at]
        end = at + 1
        if char == "'":
            text, end = _quoted(pattern, at)
            found.append(_Token("literal", text, at, end))
        elif char in "[]":
            found.append(_Token("open" if char == "[" else "close", char, at, end))
        elif char in "{}#":
            message = f"`{char}` is reserved in a date pattern; put it in single quotes"
            raise PatternError(message, at, end)
        elif char.isascii() and char.isalpha():
            while end < len(pattern) and pattern[end] == char:
                end += 1
            found.append(_Token("letters", pattern[at:end], at, end))
        else:
            found.append(_Token("literal", char, at, end))
        at = end
    return found


def _quoted(pattern: str, start: int) -> tuple[str, int]:
    """Read a quoted text from `start`; two quotes are one, inside and outside."""
    if pattern.startswith("''", start):
        return "'", start + 2
    out = []
    at = start + 1
    while at < len(pattern):
        if pattern[at] != "'":
            out.append(pattern[at])
            at += 1
        elif pattern.startswith("''", at):
            out.append("'")
            at += 2
        else:
            return "".join(out), at + 1
    message = "a quote in the date pattern is not closed"
    raise PatternError(message, start, len(pattern))

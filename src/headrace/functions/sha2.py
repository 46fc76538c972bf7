"""The digests of FIPS 180-4 that DuckDB does not have (SHA-224, SHA-384, SHA-512), as macros of its SQL.

A message is padded to whole blocks of 16 words; each block changes eight words of state in 64 or 80 rounds. Words are
UBIGINT; those of 64 bits are added as UHUGEINT, so that nothing overflows. It takes some 150 microseconds a text.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

_ROTATIONS: Final = {
    32: ((7, 18, 3), (17, 19, 10), (2, 13, 22), (6, 11, 25)),
    64: ((1, 8, 7), (19, 61, 6), (28, 34, 39), (14, 18, 41)),
}
"""Of the words of 32 and of 64 bits: of the two functions that make words of a block, then of the two that rounds use. The last
number of the former is a shift."""

_ROUNDS: Final = {32: 64, 64: 80}


def _primes(count: int) -> list[int]:
    found: list[int] = []
    number = 2
    while len(found) < count:
        if all(number % prime for prime in found):
            found.append(number)
        number += 1
    return found


def _cube_root(number: int) -> int:
    """Give the largest whole number whose cube is no larger."""
    root = 1 << (number.bit_length() // 3 + 1)
    while (less := (2 * root + number // root**2) // 3) < root:
        root = less
    return root


_PRIMES: Final = _primes(_ROUNDS[64])
_ONES: Final = (1 << 64) - 1
_ROUND_WORDS: Final = tuple(_cube_root(prime << 192) & _ONES for prime in _PRIMES)
"""The first 64 bits behind the point of the cube roots of primes."""

_STARTS: Final = tuple(math.isqrt(prime << 128) & _ONES for prime in _PRIMES[:16])
"""The same of square roots."""


@dataclass(frozen=True, slots=True)
class _Digest:
    """One of the family.

    Args:
        bits: of a word.
        start: the state before the first block.
        words: so many of the state are the digest.
    """

    bits: int
    start: tuple[int, ...]
    words: int

    def sql(self, value: str) -> str:
        """Give the text for the digest of bytes."""
        size, count, length = 2 * self.bits, 16, self.bits // 4
        zeros = f"CAST((2 * {size} - 1 - octet_length({value}) % {size} - {length}) % {size} AS BIGINT)"
        bits = f"printf('%0{2 * length}x', octet_length({value}) * 8)"
        padded = f"hex({value}) || '80' || repeat('00', {zeros}) || {bits}"
        blocks = f"length(m) // {2 * size}"
        digits = f"substr(m, CAST((n * {count} + i) * {length} + 1 AS BIGINT), {length})"
        word = f"CAST('0x' || {digits} AS UBIGINT)"
        message = (
            f"list_transform(range({blocks}), lambda n: list_transform(range({count}), lambda i: {word}))"
        )
        state = f"list_reduce({message}, lambda h, b: {self._changed()}, {_words(self.start)})"
        shown = f"list_transform({state}, lambda x: printf('%0{length}x', x))"
        digest = f"array_to_string(list_slice({shown}, 1, {self.words}), '')"
        # The padded text stands in a list, so that it is made once.
        return f"CASE WHEN {value} IS NOT NULL THEN list_extract(list_transform([{padded}], lambda m: {digest}), 1) END"

    def _changed(self) -> str:
        """Give the state `h` after the block `b`."""
        rounds = _ROUNDS[self.bits]
        first, second, third, fourth = _ROTATIONS[self.bits]
        more = self._sum(
            self._mixed("w[-2]", second, shifts=True),
            "w[-7]",
            self._mixed("w[-15]", first, shifts=True),
            "w[-16]",
        )
        rows = f"list_transform(range({rounds - 16}), lambda i: [0]::UBIGINT[])"
        schedule = f"list_reduce({rows}, lambda w, e: list_append(w, {more}), b)"
        constants = tuple(word >> (64 - self.bits) for word in _ROUND_WORDS[:rounds])
        added = f"list_transform({schedule}, lambda x, i: [{self._sum('x', f'{_words(constants)}[i]')}])"
        one = ("v[8]", self._mixed("v[5]", fourth), "xor(v[7], (v[5] & xor(v[6], v[7])))", "e[1]")
        two = (self._mixed("v[1]", third), "((v[1] & v[2]) | (v[3] & (v[1] | v[2])))")
        words = f"{self._sum(*one, *two)}, v[1], v[2], v[3], {self._sum('v[4]', *one)}, v[5], v[6], v[7]"
        state = f"list_reduce({added}, lambda v, e: [{words}], h)"
        return f"list_transform({state}, lambda x, i: {self._sum('x', 'h[i]')})"

    def _sum(self, *words: str) -> str:
        wide = (
            " + ".join(f"CAST({word} AS UHUGEINT)" for word in words)
            if self.bits == 64
            else " + ".join(words)
        )
        return f"CAST(({wide}) & {(1 << self.bits) - 1} AS UBIGINT)"

    def _mixed(self, word: str, places: tuple[int, int, int], *, shifts: bool = False) -> str:
        one, two, three = places
        last = f"({word} >> {three})" if shifts else self._turned(word, three)
        return f"xor(xor({self._turned(word, one)}, {self._turned(word, two)}), {last})"

    def _turned(self, word: str, places: int) -> str:
        """Give a word rotated to the right; what would fall out on the left is cut off before."""
        return f"(({word} >> {places}) | (({word} & {(1 << places) - 1}) << {self.bits - places}))"


def _words(values: tuple[int, ...]) -> str:
    return f"([{', '.join(map(str, values))}]::UBIGINT[])"


_DIGESTS: Final = {
    "SHA224": _Digest(32, tuple(start & (1 << 32) - 1 for start in _STARTS[8:]), 7),
    "SHA384": _Digest(64, _STARTS[8:], 6),
    "SHA512": _Digest(64, _STARTS[:8], 8),
}


def overloads(name: str) -> tuple[str, str]:
    """Give the macro of a digest, for text (as UTF-8) and for bytes."""
    digest = _DIGESTS[name]
    return f"(s VARCHAR) AS {digest.sql('encode(s)')}", f"(s BLOB) AS {digest.sql('s')}"

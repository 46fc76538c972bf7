"""The ways to run a case: all of them must give the same."""

from __future__ import annotations

import itertools
import zlib
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_DEFAULT: Final = 16_384


class Stop(StrEnum):
    """What happens in the middle of a run."""

    NONE = "not stopped"
    CLEAN = "restarted"
    """The first half of each input is processed and committed; then it comes up again for the rest."""
    CRASH = "crashed"
    """It ends at a commit, before or right after it, and comes up again: nothing more is committed or written."""


@dataclass(frozen=True, slots=True)
class Variant:
    """A way to run a case.

    Args:
        batch: records of one poll at most.
        partitions: of each input that does not say how many it has.
        stop: what happens in the middle.
        instances: processors that share the work.
    """

    batch: int = _DEFAULT
    partitions: int = 1
    stop: Stop = Stop.NONE
    instances: int = 1

    @property
    def name(self) -> str:
        """Give a name that says it all."""
        if self == PLAIN:
            return "plain"
        batch = "whole batches" if self.batch == _DEFAULT else f"batches of {self.batch}"
        return f"{batch}, {self.partitions} partitions, {self.stop}, {self.instances} instances"


PLAIN: Final = Variant()

STATELESS: Final = (
    PLAIN,
    Variant(7, 1, Stop.CLEAN),
    Variant(1, 4, Stop.CLEAN),
)

_PAIRS: Final = (
    Variant(1, 4, Stop.NONE, 2),
    Variant(7, 1, Stop.CLEAN, 1),
    Variant(_DEFAULT, 1, Stop.CRASH, 1),
    Variant(7, 4, Stop.CRASH, 2),
    Variant(_DEFAULT, 4, Stop.NONE, 1),
    Variant(1, 1, Stop.CLEAN, 2),
    Variant(1, 4, Stop.CRASH, 1),
    Variant(7, 1, Stop.NONE, 2),
    Variant(_DEFAULT, 4, Stop.CLEAN, 2),
)
"""Each two values of two of the four stand together in one of these."""

_TAKEN: Final = 2
"""Of any two neighbours one stops in the middle; of all cases, dozens run in each way."""

PRODUCT: Final = tuple(
    Variant(batch, partitions, stop, instances)
    for batch, partitions, stop, instances in itertools.product((1, 7, _DEFAULT), (1, 4), Stop, (1, 2))
)


def variants_of(name: str, *, stateful: bool) -> Sequence[Variant]:
    """Give the ways in which a case is run each time: two neighbours of nine with state, by its name, and the plain way."""
    if not stateful:
        return STATELESS
    first = zlib.crc32(name.encode()) % len(_PAIRS)
    turned = _PAIRS[first:] + _PAIRS[:first]
    return (PLAIN, *turned[:_TAKEN])

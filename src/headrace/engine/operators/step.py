"""What comes of one step of a graph: outputs to send, failures to settle, late records to count."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from headrace.engine.pipeline import Output
    from headrace.engine.policy import FailedRecord


@dataclass(frozen=True, slots=True)
class Arrived:
    """Records of one source that are processed in a step.

    Args:
        source: key of `Topology.sources`.
        records: of its topic.
        seq: int64, the place of each in the order of its task; over all inputs of the task.
    """

    source: str
    records: pa.RecordBatch
    seq: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Sending:
    """Records to send.

    Args:
        output: the records.
        records: the input records that its `rows` count; None for rows of an operator.
        letter: whether they are dead letters.
    """

    output: Output
    records: pa.RecordBatch | None
    letter: bool = False


@dataclass(slots=True)
class Step:
    """What is to be done after a step.

    Args:
        sendings: in this order.
        failed: what went to the error policies.
        stops: records whose policy is to end the run. The step counts as not done then: the state must be rolled back.
        late: records that came too late, by operator.
    """

    sendings: list[Sending] = field(default_factory=list)
    failed: list[FailedRecord] = field(default_factory=list)
    stops: list[FailedRecord] = field(default_factory=list)
    late: dict[str, int] = field(default_factory=dict)

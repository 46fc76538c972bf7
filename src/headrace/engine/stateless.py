"""The session of a program without state: each batch stands for itself."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from headrace.engine.delivery import Kind
from headrace.engine.policy import record_failed
from headrace.engine.session import Session, size_of
from headrace.formats.errors import RegistryUnavailableError
from headrace.log.errors import AbortableError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from headrace.engine.session import Surroundings, ThreadState
    from headrace.engine.transform import Transformer


class StatelessSession(Session):
    """Runs a transformer over what is read."""

    def __init__(
        self, around: Surroundings, number: int, transformer: Transformer, state: ThreadState
    ) -> None:
        super().__init__(around, number, transformer.policies, transformer.refusals, state)
        self._transformer = transformer

    def _process(self, batches: Sequence[pa.RecordBatch]) -> None:
        owned = [self._positions.saw(batch) for batch in batches]
        positions = self._consumer.positions()
        for index, batch in enumerate(batches):
            begun = time.monotonic()
            try:
                done = self._transformer.process(batch)
            except RegistryUnavailableError:
                self._drop(batches[index:])
                self._await_registry()
                return
            self._registry_answers()
            try:
                for output in done.outputs:
                    self._send(done.records, output)
                if done.letters is not None:
                    self._send(done.records, done.letters, Kind.LETTER)
            except AbortableError as error:
                self._repeat(error)
                return
            self._positions.advance(owned[index], positions)
            self._since_commit += batch.num_rows
            self._failed += done.failed
            self._metrics.consumed(
                owned[index][0].topic,
                done.records.num_rows,
                size_of(done.records),
                time.monotonic() - begun,
            )
            if done.stop is not None:
                self._positions.stop_at(done.cut or {})
                if self._commit():
                    self._around.reports.add([done.stop])
                    raise record_failed(done.stop)
                return

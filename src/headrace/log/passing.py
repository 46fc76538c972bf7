"""A log that passes everything on to another one: what behaves otherwise in one point overrides that one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

    import pyarrow as pa

    from headrace.log.interface import (
        Admin,
        Consumer,
        ConsumerOptions,
        DeliveryFailure,
        Log,
        Offsets,
        Producer,
        ProducerOptions,
        TopicPartition,
    )


class PassingLog:
    """A log over another one, which stays open."""

    def __init__(self, log: Log) -> None:
        self._log = log

    @property
    def name(self) -> str:
        """See `Log`."""
        return self._log.name

    def consumer(self, options: ConsumerOptions) -> Consumer:
        """See `Log`."""
        return self._log.consumer(options)

    def producer(self, options: ProducerOptions) -> Producer:
        """See `Log`."""
        return self._log.producer(options)

    def admin(self) -> Admin:
        """See `Log`."""
        return self._log.admin()

    def close(self) -> None:
        """Leave the log open: it is somebody else's."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class PassingProducer:
    """A producer over another one."""

    def __init__(self, producer: Producer) -> None:
        self._inner = producer

    def send(self, topic: str, records: pa.RecordBatch) -> int:
        """See `Producer`."""
        return self._inner.send(topic, records)

    def flush(self, timeout: float) -> list[DeliveryFailure]:
        """See `Producer`."""
        return self._inner.flush(timeout)

    def positions(self) -> dict[TopicPartition, int]:
        """See `Producer`."""
        return self._inner.positions()

    def begin(self) -> None:
        """See `Producer`."""
        self._inner.begin()

    def commit(self, offsets: Offsets, consumer: Consumer) -> None:
        """See `Producer`."""
        self._inner.commit(offsets, consumer)

    def abort(self) -> None:
        """See `Producer`."""
        self._inner.abort()

    def close(self) -> None:
        """See `Producer`."""
        self._inner.close()

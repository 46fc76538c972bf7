"""Where topics live: Apache Kafka, or one SQLite file."""

from headrace.log.open import open_log

__all__ = ["open_log"]

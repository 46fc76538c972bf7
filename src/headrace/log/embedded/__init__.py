"""The embedded log: one SQLite file, several processes, atomic commit of outputs and offsets."""

from headrace.log.embedded.log import EmbeddedLog

__all__ = ["EmbeddedLog"]

"""Runs a topology on a log."""

from headrace.engine.clock import Clock
from headrace.engine.options import ProcessorOptions
from headrace.engine.processor import Processor

__all__ = ["Clock", "Processor", "ProcessorOptions"]

"""What a running processor tells about itself: counters, events, log lines, metrics and health over HTTP."""

from headrace.telemetry.metrics import Histogram, Metrics

__all__ = ["Histogram", "Metrics"]

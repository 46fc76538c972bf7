"""The same programs in several engines on one Kafka, one after the other: `python -m benchmarks.peers`."""

"""What state costs: aggregates, windows and joins on a real Kafka, under exactly-once with changelogs."""

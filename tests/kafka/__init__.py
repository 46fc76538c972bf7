"""Kafka, as only the real one behaves."""

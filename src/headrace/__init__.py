"""SQL stream processing on Apache Kafka, from Python."""

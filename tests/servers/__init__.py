"""Real servers for tests and benchmarks: Apache Kafka and a schema registry, processes on 127.0.0.1."""

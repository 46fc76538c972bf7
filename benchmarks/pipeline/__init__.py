"""The whole way of a record on a real Kafka: `make bench`."""

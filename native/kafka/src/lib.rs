//! Kafka to Arrow and back, on the librdkafka of the confluent-kafka wheel. Knows no Python.

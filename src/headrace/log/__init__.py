"""Where topics live: Apache Kafka, or one SQLite file."""

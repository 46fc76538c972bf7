"""Apache Kafka as a log: the native client for records, confluent-kafka for topics and groups."""

from headrace.log.kafka.consumer import KafkaConsumer
from headrace.log.kafka.log import KafkaLog
from headrace.log.kafka.producer import KafkaProducer

__all__ = ["KafkaConsumer", "KafkaLog", "KafkaProducer"]

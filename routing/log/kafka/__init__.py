"""The Kafka engine of the log: topics, idempotent publishing, a consumer group whose partitions move without a stop."""

from routing.log.kafka.address import KafkaAddress

__all__ = ["KafkaAddress"]

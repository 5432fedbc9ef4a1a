"""The Kafka engine of the log: topics, idempotent publishing, a consumer group whose partitions move without a stop.

`KafkaLog` is in routing.log.kafka.log: who only reads an address loads no Kafka library.
"""

from routing.log.kafka.address import KafkaAddress

__all__ = ["KafkaAddress"]

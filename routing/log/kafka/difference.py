"""One way in which a topic is not as it must be, in a sentence, and the command of Kafka's own tools that mends it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from routing.log.kafka.address import KafkaAddress


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing about a topic that is not as it must be. It is mended as `advice` says, by `command`, or by both."""

    topic: str
    what: str
    wanted: str
    found: str
    fatal: bool
    why: str
    advice: str = ""
    command: str = ""

    def __str__(self) -> str:
        return _sentence([self])


def sentences(different: Iterable[Difference]) -> list[str]:
    """Each difference said once, with all topics that it is true of and one command for all of them."""
    alike: dict[tuple[str, ...], list[Difference]] = {}
    for one in different:
        alike.setdefault((one.what, one.wanted, one.found, one.why, one.advice), []).append(one)
    return [_sentence(group) for group in alike.values()]


def _sentence(alike: Sequence[Difference]) -> str:
    first, topics = alike[0], [one.topic for one in alike]
    must = "must be" if first.fatal else "should be"
    command = first.command
    if command and len(topics) > 1:
        command = f"for topic in {' '.join(topics)}; do {command.replace(first.topic, '$topic')}; done"
    mend = ": ".join(part for part in (first.advice, command) if part)
    return f"{', '.join(topics)}: {first.what} is {first.found} and {must} {first.wanted}: {first.why}. Mend it: {mend}"


@dataclass(frozen=True, slots=True)
class Tools:
    """How Kafka's own tools reach this cluster; `secure` asks for a file with the client's TLS and SASL settings."""

    bootstrap: str
    secure: bool = False

    @classmethod
    def of(cls, address: KafkaAddress) -> Tools:
        return cls(",".join(address.servers), secure=address.tls or address.sasl)

    def config(self, topic: str, name: str, value: str) -> str:
        """The command that sets one setting of a topic."""
        return (
            f"kafka-configs.sh {self._to} --entity-type topics --entity-name {topic}"
            f" --alter --add-config {name}={value}"
        )

    def delete(self, topic: str) -> str:
        """The command that deletes a topic."""
        return f"kafka-topics.sh {self._to} --delete --topic {topic}"

    @property
    def _to(self) -> str:
        return f"--bootstrap-server {self.bootstrap}{' --command-config client.properties' if self.secure else ''}"

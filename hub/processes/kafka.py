"""The log on Kafka as a hub has it: on topics that were judged at the start, under a name of its own.

Loaded by who uses it only, because of the library behind it.
"""

from __future__ import annotations

import structlog

from hub.settings import Settings
from hub.skew import Skew
from routing.log.kafka.address import KafkaAddress
from routing.log.kafka.difference import Tools
from routing.log.kafka.log import KafkaLog
from routing.log.kafka.topics import administering, check
from routing.log.port import LogUnusable
from routing.topics import PUBLIC, needs

log = structlog.get_logger(__name__)


class HubLog(KafkaLog):
    """`named`: the consumer is known to its group by a name that comes back when it is started again."""

    def __init__(self, settings: Settings, *, settle: float, named: bool) -> None:
        """Raises ValueError for an address that is none."""
        self._address_given = address = KafkaAddress.parse(settings.log.get_secret_value())
        self._needs = needs(
            body_limit=settings.max_body_bytes,
            answer_limit=settings.max_answer_bytes,
            single_node=address.single_node,
        )
        super().__init__(address, PUBLIC, settle=settle, session=settings.session_seconds, static=named, stay=named)
        self.skew = Skew()
        self.publisher.appended = self.skew.note

    async def start(self) -> None:
        """Raises also LogUnusable for topics that no hub may start on; what else is wrong with them is logged."""
        address = self._address_given
        async with administering(address) as admin:
            judged = await check(admin, self._needs, Tools.of(address), prefix=address.prefix)
        if judged.fatal:
            raise LogUnusable("\n".join(judged.fatal))
        for sentence in judged.warnings:
            log.warning("topic_not_as_it_should_be", reason=sentence)
        await super().start()

"""aiokafka's client, made to live through connections that end while somebody is about to write to them.

On asyncio's own event loop, writing to a connection that was just reset says nothing. On uvloop, which the hub runs
on, it is a RuntimeError, which aiokafka does not expect: its task that asks for news of the cluster would end, nobody
would notice, and whoever waits for such news (who leads a partition, who keeps a group) would wait for ever.
"""

from __future__ import annotations

from typing import Any

from aiokafka.client import AIOKafkaClient
from aiokafka.conn import CloseReason
from aiokafka.errors import KafkaConnectionError


def usable(connection: Any) -> bool:
    """Whether something may be written to a connection of aiokafka's, in this round of the event loop."""
    return bool(connection.connected() and not connection._writer.transport.is_closing())  # noqa: SLF001


class Client(AIOKafkaClient):  # type: ignore[misc]
    """Gives only connections that can be written to, until the event loop goes round: who is given one writes at once.

    What it overrides are inner parts of aiokafka: tests/routing/log/kafka/test_resets.py says whether they still are
    what they were.
    """

    async def bootstrap(self) -> None:
        """Raises KafkaConnectionError."""
        try:
            await super().bootstrap()
        except RuntimeError as error:
            raise KafkaConnectionError(f"the connection was reset: {error}") from error

    async def _get_conn(self, node_id: Any, **how: Any) -> Any:
        """A connection to a broker, None where there is none now."""
        try:
            connection = await super()._get_conn(node_id, **how)
        except (RuntimeError, ValueError):
            # A new one, reset before the broker was asked what it can do; or one that names itself impossibly.
            connection = None
        if connection is not None and not usable(connection):
            connection.close(reason=CloseReason.CONNECTION_BROKEN)
            connection = None
        if connection is None:
            self.force_metadata_update()
        return connection

"""The Kafka and the MongoDB of a run: started at the first need, on the cores of everything else, gone at its end."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

from tests.bench.report import say
from tests.engines.fetch import NotHere, java, kafka_jars, mongod
from tests.engines.kafka import Kafka
from tests.engines.keeper import Kept
from tests.engines.mongo import Mongo

__all__ = ["Engines", "NotHere", "why_not"]


def why_not() -> str | None:
    """Why the engines cannot be had on this machine, and how to have them; None where they can. Fetches them."""
    try:
        java()
        kafka_jars(say)
        mongod(say)
    except NotHere as error:
        return str(error)
    return None


class Engines:
    """Both servers, in a folder of the run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._kafka = Kafka(folder / "kafka", roomy=True)
        self._mongo = Mongo(folder / "mongo")
        self._kept: Kept | None = None

    async def start(self) -> None:
        """Both serve when this returns; a second call is idle. Raises NotHere and EngineFailed."""
        if self._kept is not None:
            return
        say("starting Kafka and MongoDB")
        self._folder.mkdir(parents=True, exist_ok=True)
        self._kept = Kept(self._folder)
        for engine in (self._kafka, self._mongo):
            await asyncio.to_thread(engine.start)

    async def close(self) -> None:
        """End them, if they were started."""
        kept, self._kept = self._kept, None
        if kept is None:
            return
        for engine in (self._kafka, self._mongo):
            with suppress(OSError):
                await asyncio.to_thread(engine.stop)
        await asyncio.to_thread(kept.end)

    @property
    def bootstrap(self) -> str:
        """host:port of the broker."""
        return self._kafka.address

    def log(self, name: str) -> str:
        """HUB_LOG of a hub whose topics are its own."""
        return f"kafka://{self._kafka.address}?prefix={name}.&single_node=true"

    def store(self, name: str) -> str:
        """HUB_STORE of a hub whose database is its own."""
        return self._mongo.uri(name)

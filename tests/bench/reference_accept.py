"""The reference of accepting: a bare aiohttp server that does what any honest taker of a push must, and no more.

It finds the caller by the SHA-256 of its Authorization header, judges the body strictly as a Location, appends it
durably and says 1000. Durably is one of two: in a file (SQLite, WAL, synchronous=FULL; one thread writes, and what
waits is committed together), or on Kafka (aiokafka's idempotent producer, acks=all, as many partitions as the hub has).

`python -m tests.bench.reference_accept PORT FOLDER SHA256_OF_AUTHORIZATION`
`python -m tests.bench.reference_accept PORT kafka://HOST:PORT SHA256_OF_AUTHORIZATION`
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import sys
import threading
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Protocol

import orjson
import uvloop
from aiohttp import web
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from pydantic import ValidationError

from connectors.v2_2_1.models import Location
from routing.topics import PARTITIONS

FILE = "accepted.sqlite3"
TOPIC = "reference.accepted"
KAFKA = "kafka://"

Waiting = tuple[str, bytes, asyncio.Future[int]]


class Journal(Protocol):
    """What takes an accepted body durably."""

    async def start(self) -> None: ...

    async def append(self, key: str, body: bytes) -> object:
        """Durable when it returns."""

    async def close(self) -> None: ...


def journal_at(where: str) -> Journal:
    """The journal of a folder, or of a broker."""
    return KafkaJournal(where.removeprefix(KAFKA)) if where.startswith(KAFKA) else FileJournal(Path(where) / FILE)


class KafkaJournal:
    """A topic of its own, with the client's defaults but for what makes it durable."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._producer: AIOKafkaProducer

    async def start(self) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap)
        await admin.start()
        if TOPIC not in await admin.list_topics():
            await admin.create_topics([NewTopic(TOPIC, num_partitions=PARTITIONS, replication_factor=1)])
        await admin.close()
        self._producer = AIOKafkaProducer(bootstrap_servers=self._bootstrap, acks="all", enable_idempotence=True)
        await self._producer.start()

    async def append(self, key: str, body: bytes) -> object:
        return await self._producer.send_and_wait(TOPIC, body, key=key.encode())

    async def close(self) -> None:
        await self._producer.stop()


class FileJournal:
    """An append-only table with one writer thread and group commit."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._queue: queue.SimpleQueue[Waiting | None] = queue.SimpleQueue()

    async def start(self) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="journal")
        self._thread.start()

    async def append(self, key: str, body: bytes) -> object:
        future: asyncio.Future[int] = self._loop.create_future()
        self._queue.put((key, body, future))
        return await future

    async def close(self) -> None:
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        connection = sqlite3.connect(self._file, isolation_level=None)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("CREATE TABLE IF NOT EXISTS accepted (id INTEGER PRIMARY KEY, key TEXT, body BLOB)")
        while (first := self._queue.get()) is not None:
            batch = [first]
            while not self._queue.empty():
                following = self._queue.get()
                if following is None:
                    self._queue.put(None)
                    break
                batch.append(following)
            connection.execute("BEGIN")
            connection.executemany(
                "INSERT INTO accepted (key, body) VALUES (?, ?)", [(key, body) for key, body, _ in batch]
            )
            connection.execute("COMMIT")
            self._loop.call_soon_threadsafe(_done, [future for _, _, future in batch])
        connection.close()


def _done(futures: list[asyncio.Future[int]]) -> None:
    for future in futures:
        if not future.done():
            future.set_result(1)


class Accepting:
    """The server. `known` maps the SHA-256 of an Authorization header to who it is."""

    def __init__(self, journal: Journal, known: dict[bytes, str]) -> None:
        self._journal = journal
        self._known = known

    async def lifetime(self, _: web.Application) -> AsyncIterator[None]:
        """The journal is open while the server runs."""
        await self._journal.start()
        yield
        await self._journal.close()

    async def accept(self, request: web.Request) -> web.Response:
        digest = sha256(request.headers.get("Authorization", "").encode()).digest()
        if digest not in self._known:
            return _answer(2001, "the credential is not known", status=401)
        body = await request.read()
        try:
            Location.model_validate_json(body)
        except ValidationError as error:
            return _answer(2001, str(error.errors(include_url=False)[0]["msg"]))
        await self._journal.append(request.path, body)
        return _answer(1000, "Success")


def _answer(code: int, message: str, *, status: int = 200) -> web.Response:
    timestamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    body = orjson.dumps({"status_code": code, "status_message": message, "timestamp": timestamp})
    return web.Response(status=status, body=body, content_type="application/json")


def main(port: str, where: str, digest: str) -> None:
    """Serve until SIGTERM."""
    accepting = Accepting(journal_at(where), {bytes.fromhex(digest): "cpo"})
    app = web.Application()
    app.cleanup_ctx.append(accepting.lifetime)
    app.router.add_route("PUT", "/{path:.*}", accepting.accept)
    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    web.run_app(app, host="127.0.0.1", port=int(port), access_log=None, print=None, loop=loop)


if __name__ == "__main__":
    main(*sys.argv[1:])

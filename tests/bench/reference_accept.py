"""The reference of accepting: a bare aiohttp server that does what any honest taker of a push must, and no more.

It finds the caller by the SHA-256 of its Authorization header, judges the body strictly as a Location, appends it
durably (SQLite, WAL, synchronous=FULL; one thread writes, and what waits is committed together) and says 1000.

`python -m tests.bench.reference_accept PORT FOLDER SHA256_OF_AUTHORIZATION`
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

import orjson
import uvloop
from aiohttp import web
from pydantic import ValidationError

from connectors.v2_2_1.models import Location

FILE = "accepted.sqlite3"

Waiting = tuple[str, bytes, asyncio.Future[int]]


class Journal:
    """An append-only table with one writer thread and group commit."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._file = file
        self._queue: queue.SimpleQueue[Waiting | None] = queue.SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="journal")
        self._thread.start()

    def append(self, key: str, body: bytes) -> asyncio.Future[int]:
        """The future of the row's number; done once it is durable."""
        future: asyncio.Future[int] = self._loop.create_future()
        self._queue.put((key, body, future))
        return future

    def close(self) -> None:
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

    def __init__(self, file: Path, known: dict[bytes, str]) -> None:
        self._file = file
        self._known = known
        self._journal: Journal

    async def lifetime(self, _: web.Application) -> AsyncIterator[None]:
        """The journal is open while the server runs."""
        self._journal = Journal(self._file)
        yield
        self._journal.close()

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


def main(port: str, folder: str, digest: str) -> None:
    """Serve until SIGTERM."""
    accepting = Accepting(Path(folder) / FILE, {bytes.fromhex(digest): "cpo"})
    app = web.Application()
    app.cleanup_ctx.append(accepting.lifetime)
    app.router.add_route("PUT", "/{path:.*}", accepting.accept)
    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    web.run_app(app, host="127.0.0.1", port=int(port), access_log=None, print=None, loop=loop)


if __name__ == "__main__":
    main(*sys.argv[1:])

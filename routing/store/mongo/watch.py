"""Following the directory: a change stream from before the first load on, or a look each second without replica set."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from bson import Timestamp
from pymongo.errors import OperationFailure, PyMongoError

from routing.store.mongo import platforms
from routing.store.mongo.connection import ChangeStream, Database

AWAIT_MS: Final = 1000
LOOK_SECONDS: Final = 1.0
_AGAIN_SECONDS: Final = 0.25


class Watch:
    """Calls `changed` in the event loop after every change of the directory; perhaps once too often, never too seldom.

    `since` is the server's operation time from before anything was loaded: the stream begins there, whenever it is
    opened. None: there is no replica set, and so no stream.
    """

    def __init__(self, db: Database, since: Timestamp | None, changed: Callable[[], None]) -> None:
        self._db = db
        self._since = since
        self._changed = changed
        self._token: Any = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        following = self._look() if self._since is None else self._follow()
        self._task = asyncio.create_task(following, name="mongo-watch")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _look(self) -> None:
        seen = 0
        while True:
            with suppress(PyMongoError):
                if (revision := await platforms.revision(self._db)) != seen:
                    seen = revision
                    self._changed()
            await asyncio.sleep(LOOK_SECONDS)

    async def _follow(self) -> None:
        lost = False
        while True:
            stream = self._open()
            try:
                while stream.alive:  # type: ignore[truthy-function] # a property, whatever the stubs say
                    change = await stream.try_next()
                    self._token = stream.resume_token
                    if change is not None or lost:
                        # What a lost stream did not tell, the one that goes on from there does; one begun anew cannot.
                        lost = False
                        self._changed()
            except OperationFailure:
                # It cannot be gone on with, because what it was at is no longer known there, or it may not be at all.
                self._token, self._since = None, None
            except PyMongoError:
                pass
            finally:
                with suppress(PyMongoError):
                    await stream.close()
            lost = True
            await asyncio.sleep(_AGAIN_SECONDS)

    def _open(self) -> ChangeStream:
        begin = {"resume_after": self._token} if self._token else {"start_at_operation_time": self._since}
        stream: ChangeStream = self._db["platforms"].watch(
            [{"$project": {"_id": 1}}], max_await_time_ms=AWAIT_MS, **begin
        )
        return stream

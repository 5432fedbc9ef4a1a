"""The connection to MongoDB: bounded in time, its errors in the store's words, its trouble known before anybody asks.

No sentence made here holds anything of the URI but the addresses of servers.
"""

from __future__ import annotations

import asyncio
import logging
import re
import warnings
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, Concatenate, Final, ParamSpec, TypeVar
from urllib.parse import parse_qsl

import pymongo
from bson import Timestamp
from motor.motor_asyncio import AsyncIOMotorChangeStream, AsyncIOMotorClient, AsyncIOMotorDatabase
from pymongo.errors import (
    ConfigurationError,
    DuplicateKeyError,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
)
from pymongo.read_concern import ReadConcern
from pymongo.read_preferences import ReadPreference
from pymongo.write_concern import WriteConcern

from routing.store.port import StoreAway, Unusable

P = ParamSpec("P")
T = TypeVar("T")
Document = dict[str, Any]
Database = AsyncIOMotorDatabase[Document]
ChangeStream = AsyncIOMotorChangeStream[Document]

DATABASE: Final = "ocpi_hub"
"""Where the URI names none."""

DURABLE: Final = WriteConcern("majority", j=True)

_GRACE: Final = 1.0  # what an operation may wait for a thread of motor's beside its own time
_PROBE_SECONDS: Final = 1.0
_AGAIN_SECONDS: Final = 0.25
_UNREACHABLE: Final = "MongoDB cannot be reached: no server that may write answers"
_REFUSED: Final = frozenset((13, 18, 8000))  # not authorised, authentication failed, Atlas' word for both
_NO_URI: Final = (
    "HUB_STORE is no MongoDB URI that can be used: write mongodb://user:password@host:port/database,"
    " each of : / ? # [ ] @ % in user and password percent-encoded"
)
_TALK: Final = re.compile(r" \(configured timeouts: .*?\)")


class Connection:
    """One client. `timeout` bounds each operation, in seconds, where the URI has no `timeoutMS` of its own.

    Once trouble is older than that, operations fail at once.
    """

    def __init__(self, uri: str, *, timeout: float) -> None:
        self._uri = uri
        self._said = {name.lower(): value for name, value in parse_qsl(uri.partition("?")[2], keep_blank_values=True)}
        ms = self._said.get("timeoutms", "")
        self.timeout = int(ms) / 1000 if ms.isdecimal() and int(ms) else timeout
        self._client: AsyncIOMotorClient[Document] | None = None
        self._db: Database | None = None
        self._failed: str | None = None
        self._since: float | None = None
        self._answered = float("-inf")
        self._wake = asyncio.Event()
        self._probing: asyncio.Task[None] | None = None

    async def open(self) -> Timestamp | None:
        """Connect; the server's operation time, or None where there is no replica set and so no change stream.

        Raises Unusable for a URI or a user that will not do, StoreAway when nobody can be reached.
        """
        # At DEBUG it would write down every command with what is in it.
        library = logging.getLogger("pymongo")
        library.setLevel(max(library.level, logging.INFO))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # they repeat options of the URI, secret or not
                self._client = AsyncIOMotorClient(self._uri, io_loop=asyncio.get_running_loop(), **self._options())
            self._db = self._client.get_default_database(
                DATABASE,
                write_concern=DURABLE,
                read_concern=ReadConcern("majority"),
                read_preference=ReadPreference.PRIMARY,
            )
        except OSError as error:
            await self.close()
            raise Unusable(
                f"a file that HUB_STORE names cannot be used: {error.strerror or 'it is damaged'}"
            ) from error
        except (PyMongoError, ValueError, TypeError):
            await self.close()
            raise Unusable(_NO_URI) from None  # the library's own words may repeat parts of it
        try:
            async with asyncio.timeout(self.timeout + _GRACE):
                reply = await self._db.command("ping")
        except (PyMongoError, TimeoutError) as error:
            await self.close()
            raise _at_start(error) from error
        except BaseException:
            await self.close()
            raise
        self._answered = asyncio.get_running_loop().time()
        self._probing = asyncio.create_task(self._probe_often(), name="mongo-probe")
        return reply.get("operationTime")

    async def close(self) -> None:
        probing, client, self._probing, self._client, self._db = self._probing, self._client, None, None, None
        if probing is not None:
            probing.cancel()
            await asyncio.gather(probing, return_exceptions=True)
        if client is not None:
            # It says good-bye to the servers, which may not answer.
            with suppress(TimeoutError, PyMongoError):
                async with asyncio.timeout(self.timeout):
                    await asyncio.to_thread(_close, client, self.timeout / 2)

    @property
    def db(self) -> Database:
        """Raises StoreAway when not open."""
        if self._db is None:
            raise StoreAway("the store is not open")
        return self._db

    def trouble(self) -> str | None:
        return self._judge()

    async def run(self, work: Callable[Concatenate[Database, P], Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `work` gives for the database, which it asks: that it was answered is taken for granted from then on.
        Raises StoreAway for whatever MongoDB or the way to it did not do."""
        loop, db = asyncio.get_running_loop(), self.db
        trouble = self._judge()
        if trouble is not None and self._since is not None and loop.time() - self._since > self.timeout:
            raise StoreAway(trouble)
        try:
            async with asyncio.timeout(self.timeout + _GRACE):
                try:
                    done = await work(db, *args, **kwargs)
                except DuplicateKeyError:  # an upsert that another was quicker than: it finds that one now
                    done = await work(db, *args, **kwargs)
        except (PyMongoError, TimeoutError) as error:
            self._failed = told(error)
            self._judge()
            self._wake.set()
            raise StoreAway(self._failed) from error
        self._answered = loop.time()
        return done

    async def run_long(
        self, seconds: float, work: Callable[Concatenate[Database, P], Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """The same for what may take long, as building an index; that it fails is no trouble yet."""
        db = self.db
        try:
            async with asyncio.timeout(seconds + _GRACE):
                with pymongo.timeout(seconds):
                    return await work(db, *args, **kwargs)
        except (PyMongoError, TimeoutError) as error:
            raise StoreAway(told(error)) from error

    # --- trouble -----------------------------------------------------------------------------------------------------

    def _judge(self) -> str | None:
        """The trouble, if there is any, and since when."""
        now = self._failed
        if self._client is not None:
            topology: Any = self._client.topology_description  # a property, whatever the stubs say
            if not topology.has_writable_server():
                now = _UNREACHABLE
        if now is None:
            self._since = None
        elif self._since is None:
            self._since = asyncio.get_running_loop().time()
        return now

    async def _probe_often(self) -> None:
        """A server that is stopped keeps its connections and says nothing: only a question finds that out, the store's
        own or, where there was none for a while, one for this."""
        loop = asyncio.get_running_loop()
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(self._answered + _PROBE_SECONDS):
                    await self._wake.wait()
            self._wake.clear()
            if self._judge() is None and loop.time() < self._answered + _PROBE_SECONDS:
                continue
            while (failed := await self._probe()) is not None:
                self._failed = failed
                self._judge()
                await asyncio.sleep(_AGAIN_SECONDS)
            self._failed, self._answered = None, loop.time()
            self._judge()

    async def _probe(self) -> str | None:
        """Why it cannot be used, if so. While there is trouble it is asked to write, not only to answer."""
        bound, db = self.timeout / 2, self.db
        asking: Coroutine[Any, Any, object]
        if self.trouble() is None:
            asking = db.command("ping")
        else:
            asking = db["schema"].update_one({"_id": "probe"}, {"$inc": {"count": 1}}, upsert=True)
        try:
            with pymongo.timeout(bound):
                async with asyncio.timeout(bound + _GRACE):
                    await asking
        except (PyMongoError, TimeoutError) as error:
            return told(error)
        return None

    def _options(self) -> dict[str, Any]:
        """What the URI does not say itself."""
        ms = round(self.timeout * 1000)
        wanted = {
            "timeoutMS": ms,
            "serverSelectionTimeoutMS": ms,
            "connectTimeoutMS": ms,
            "heartbeatFrequencyMS": 2000,
            "appName": "ocpi-hub",
        }
        return {name: value for name, value in wanted.items() if name.lower() not in self._said}


def told(error: BaseException) -> str:
    """A sentence on what the library raised: its first words, without the documents that it may quote."""
    if isinstance(error, TimeoutError):
        return "MongoDB did not answer in time"
    if isinstance(error, OperationFailure):
        said = (error.details or {}).get("errmsg") or f"error {error.code}"
        return f"MongoDB refused: {str(said)[:200]}"
    words = _TALK.sub("", str(error).partition(", Timeout:")[0])[:200] or type(error).__name__
    if isinstance(error, ServerSelectionTimeoutError):
        return f"MongoDB cannot be reached: {words}"
    return f"MongoDB did not answer: {words}"


def _at_start(error: Exception) -> Exception:
    if isinstance(error, OperationFailure) and error.code in _REFUSED:
        return Unusable(
            f"{told(error)}. Say a user in HUB_STORE that may read and write the hub's database, and its password"
        )
    if isinstance(error, ConfigurationError) and "wire version" in str(error):
        return Unusable("this MongoDB is older than the hub's library can speak with: take a newer one")
    return StoreAway(told(error))


def _close(client: AsyncIOMotorClient[Document], seconds: float) -> None:
    with pymongo.timeout(seconds):
        client.close()

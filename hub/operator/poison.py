"""The operator's look at records that no worker could handle: which they are, and one whole."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable

from aiohttp import web

from hub.operator import requests
from hub.operator.answers import answer, failure
from hub.operator.views import Json, when
from routing.log.port import TopicPartition
from routing.store.port import SetAside, Store

PAGE, LARGEST_PAGE = 100, 1000
_LARGEST = 2**53


class Poison:
    """The handlers. Raises what `hub.operator.app` turns into sentences."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def routes(self) -> Iterable[web.RouteDef]:
        """Every path of it."""
        return (
            web.get("/api/poison", self._list),
            web.get("/api/poison/{topic}/{partition}/{offset}", self._show),
        )

    async def _list(self, request: web.Request) -> web.Response:
        limit = requests.number(request.query.get("limit"), PAGE, least=1, most=LARGEST_PAGE, name="limit")
        records = await self._store.load_set_aside(limit=limit)
        return answer({"records": [row(record) for record in records], "limit": limit})

    async def _show(self, request: web.Request) -> web.Response:
        topic, given = request.match_info["topic"], request.match_info
        partition = requests.number(given["partition"], 0, least=0, most=_LARGEST, name="the partition")
        offset = requests.number(given["offset"], 0, least=0, most=_LARGEST, name="the offset")
        record = await self._store.read_set_aside(TopicPartition(topic, partition), offset)
        if record is None:
            return failure(
                404, f"no record of {topic}/{partition} at {offset} was set aside; poison list tells which were"
            )
        return answer(shown(record))


def row(record: SetAside) -> Json:
    """Where it stood and why it was set aside."""
    return {
        "topic": record.tp.topic,
        "partition": record.tp.partition,
        "epoch": record.position.epoch,
        "offset": record.position.offset,
        "appended": when(record.append_time),
        "set_aside": when(record.at),
        "reason": record.reason,
        "key": _text(record.key),
        "bytes": len(record.value),
    }


def shown(record: SetAside) -> Json:
    """All of it: what is UTF-8 as text, what is not as Base64 under another name."""
    whole = row(record)
    whole["headers"] = [[name, _text(value)] for name, value in record.headers]
    try:
        whole["value"] = record.value.decode()
    except UnicodeDecodeError:
        whole["value_base64"] = b64encode(record.value).decode()
    return whole


def _text(value: bytes) -> str:
    return value.decode("utf-8", "backslashreplace")

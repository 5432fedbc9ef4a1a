"""The operator's look at records that no worker could handle: which they are, and one whole."""

from __future__ import annotations

from base64 import b64encode

from aiohttp import web

from hub.operator import requests, shapes
from hub.operator.answers import answer, failure
from hub.operator.operations import Asked, Operation, Operations
from hub.operator.pages import PageQuery, page
from hub.operator.requests import Nothing
from hub.operator.views import Json, when
from routing.log.port import TopicPartition
from routing.store.port import SetAside, Store

_LARGEST = 2**53


class Poison:
    """The handlers. Raises what `hub.operator.app` turns into sentences."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def operations(self) -> Operations:
        """All of this part."""
        one = "/api/poison/{topic}/{partition}/{offset}"
        return (
            Operation("GET", "/api/poison", self._list, Nothing, PageQuery, shapes.PoisonPage),
            Operation("GET", one, self._show, Nothing, Nothing, shapes.PoisonShown, also=(400, 404)),
        )

    async def _list(self, asked: Asked[Nothing, PageQuery]) -> web.Response:
        """Records of the log that could not be handled, the newest first; the filter looks at topic and reason."""
        query = asked.query
        total = await self._store.count_set_aside(wanted=query.filter)
        records = await self._store.load_set_aside(limit=query.limit, offset=query.offset, wanted=query.filter)
        return page(asked.request, "records", [row(record) for record in records], total, query)

    async def _show(self, asked: Asked[Nothing, Nothing]) -> web.Response:
        """One record whole: key, headers and value as they stood on the log."""
        topic = asked.named("topic")
        partition = requests.number(asked.named("partition"), least=0, most=_LARGEST, name="the partition")
        offset = requests.number(asked.named("offset"), least=0, most=_LARGEST, name="the offset")
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

"""The operator's dead letters: which there are, one whole, having them sent again, dropping them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, Final, Literal

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field
from uuid_utils import uuid7

from connectors.errors import EngineAway
from connectors.values import Module
from hub.operator import shapes
from hub.operator.answers import answer, failure
from hub.operator.asked_for import moment_of, party_of
from hub.operator.operations import Asked, Operation, Operations
from hub.operator.pages import LARGEST, PageQuery, page
from hub.operator.requests import Letters, Nothing
from hub.operator.views import Json, when
from routing import again, custody, event
from routing.clock import Clock
from routing.deadletters import Attempted, DeadLetter, Reason, Wanted
from routing.letters import id_of_cdr
from routing.log.port import Log, LogError
from routing.store.port import CdrKey, Store

PUBLISH_MS: Final = 3000
"""So long the log has to take what is sent again."""


class LetterQuery(BaseModel):
    """The query of the list; what is left out does not matter."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    party: Annotated[str, Field(description="Sender, owner or recipient, as COUNTRY-PARTY")] = ""
    module: Annotated[str, Field(max_length=36, description="OCPI's module identifier")] = ""
    reason: Annotated[
        Literal["", "result", "resync", "custody", "unknown"], Field(description="Why the hub gave up")
    ] = ""
    since: Annotated[str, Field(description="Given up from this moment on, ISO 8601")] = ""
    until: Annotated[str, Field(description="Given up before this moment, ISO 8601")] = ""
    open: Annotated[bool, Field(description="Without those that were sent again")] = False
    offset: Annotated[int, Field(ge=0, le=2**31, description="How many rows to pass over")] = 0
    limit: Annotated[int, Field(ge=1, le=LARGEST, description="How many rows at most")] = 100


@dataclass(frozen=True, slots=True)
class Sending:
    """What sending again takes: the log, the clock, and the directory's revision as it is now."""

    log: Log
    clock: Clock
    revision: Callable[[], int]


class DeadLettersApi:
    """The handlers. Raises what `hub.operator.app` turns into sentences."""

    def __init__(self, store: Store, sending: Sending) -> None:
        self._store = store
        self._letters = store.letters
        self._sending = sending

    def operations(self) -> Operations:
        """All of this part."""
        path = "/api/deadletters"
        return (
            Operation("GET", path, self._list, Nothing, LetterQuery, shapes.LetterPage),
            Operation("GET", path + "/{letter}", self._show, Nothing, Nothing, shapes.LetterShown, also=(404,)),
            Operation("POST", path + "/redrive", self._redrive, Letters, Nothing, shapes.LettersDone),
            Operation("POST", path + "/drop", self._drop, Letters, Nothing, shapes.LettersDone),
        )

    async def _list(self, asked: Asked[Nothing, LetterQuery]) -> web.Response:
        """What the hub gave up on, the newest first."""
        query = asked.query
        which = wanted(query)
        total = await self._letters.count(which)
        found = await self._letters.find(which, limit=query.limit, offset=query.offset)
        at = PageQuery(offset=query.offset, limit=query.limit)
        return page(asked.request, "letters", [row(letter) for letter in found], total, at)

    async def _show(self, asked: Asked[Nothing, Nothing]) -> web.Response:
        """One dead letter whole: the event, each attempt with what came, and why the hub gave up."""
        id = asked.named("letter")
        letter = await self._letters.read(id)
        if letter is None:
            return failure(404, f"there is no dead letter {id[:100]}; deadletter list tells which there are")
        return answer(shown(letter))

    async def _redrive(self, asked: Asked[Letters, Nothing]) -> web.Response:
        """Have these sent again, each once; who is named again is sent nothing more. EngineAway ends it in between."""
        done = [await self._again(id, asked.body.once_more) for id in asked.body.letters]
        return answer({"letters": done})

    async def _again(self, id: str, once_more: bool) -> Json:
        letter = await self._letters.read(id)
        if letter is None:
            return _done(id, "gone", "there is none of this id any more")
        if letter.redriven is not None and not once_more:
            return _done(id, "already", f"it was sent again at {when(letter.redriven)}, and how that ends is awaited")
        if letter.again is not None:
            return _done(id, "refused", letter.again)
        now = self._sending.clock.utc()
        made = again.event_of(letter, id=str(uuid7()), now=now, within=PUBLISH_MS, revision=self._sending.revision())
        try:
            published = await self._sending.log.publish(
                made.topic, made.key, event.encode(made), b"", within=PUBLISH_MS / 1000
            )
        except LogError as error:
            raise EngineAway(f"the hub's log does not take what is to be sent again: {error}; repeat it") from error
        if published.append_time > made.expires:
            raise EngineAway("the hub's log took what is to be sent again too late; repeat it")
        await self._letters.redriven(letter.id, letter.version, now)
        return _done(id, "redriven", "")

    async def _drop(self, asked: Asked[Letters, Nothing]) -> web.Response:
        """Drop these for good: nobody is sent anything of them."""
        done = []
        for id in asked.body.letters:
            await self._end_custody(id)
            gone = await self._letters.drop(id)
            done.append(_done(id, "dropped", "") if gone else _done(id, "gone", "there is none of this id any more"))
        return answer({"letters": done})

    async def _end_custody(self, id: str) -> None:
        """A CDR whose letter is dropped waits for nobody's decision any more."""
        letter = await self._letters.read(id)
        if letter is None or letter.module != Module.CDRS or letter.owner is None:
            return
        record = await self._store.read_cdr(CdrKey(letter.owner, letter.object_id.upper(), letter.recipient))
        if record is not None and record.awaited and record.custody is not None and id_of_cdr(record) == id:
            if not record.custody.live and record.custody.turn == letter.version:
                await self._store.step_cdr(replace(record, custody=custody.dropped(record.custody)))


def wanted(query: LetterQuery) -> Wanted:
    """What the query asks for. Raises BadRequest."""
    party = party_of(query.party)
    reason = Reason(query.reason) if query.reason else None
    since, until = moment_of("since", query.since), moment_of("until", query.until)
    return Wanted(party, query.module.strip().lower(), reason, since, until, query.open)


def _done(id: str, how: str, why: str) -> Json:
    return {"id": id, "done": how, "why": why}


def row(letter: DeadLetter) -> Json:
    """What a list tells of it."""
    return {
        "id": letter.id,
        "at": when(letter.at),
        "reason": letter.reason.value,
        "detail": letter.detail,
        "module": letter.module,
        "method": letter.method,
        "object": letter.object_id,
        "owner": f"{letter.owner}" if letter.owner else None,
        "from": f"{letter.sender}",
        "to": f"{letter.recipient}",
        "correlation_id": letter.correlation_id,
        "attempts": len(letter.attempts),
        "redriven": when(letter.redriven) if letter.redriven is not None else None,
    }


def shown(letter: DeadLetter) -> Json:
    """All of it."""
    return {
        **row(letter),
        "path": list(letter.path),
        "platform": letter.platform,
        "request_id": letter.request_id,
        "exchange": letter.stood or None,
        "tried": [_attempt(one) for one in letter.attempts],
        "again": letter.again,
        "bytes": letter.size,
        "body": letter.body.decode("utf-8", "backslashreplace"),
    }


def _attempt(one: Attempted) -> Json:
    return {
        "at": when(one.at),
        "http_status": one.http_status,
        "status_code": one.status_code,
        "reason": one.words,
        "ms": one.ms,
        "answer": one.answer,
    }

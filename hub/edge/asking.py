"""Asking every eMSP for a token that nobody has told the hub of (OCPI 2.2.1, 12.2.2.2); a setting, off by default."""

from __future__ import annotations

import asyncio
from typing import Final

import orjson

from connectors.catalogue import Row
from connectors.errors import OcpiError, UnknownToken
from connectors.values import PartyId
from hub.edge.relay import Relay
from hub.edge.values import Call, Response
from routing.clock import Clock
from routing.directory import Directory
from routing.opening import issuers

_ALLOWED: Final = "ALLOWED"


class Asking:
    """The first eMSP that allows it answers; else the first that knows the token; else nobody does."""

    def __init__(self, relay: Relay, clock: Clock) -> None:
        self._relay = relay
        self._clock = clock

    async def everyone(self, call: Call, row: Row, directory: Directory) -> Response:
        """Raises UnknownToken (404 and 2004), whose sentence says how many could not be asked."""
        if call.sender is None:
            raise AssertionError("who calls is known before anybody is asked")
        began, before = self._clock.monotonic(), call.waited
        known: tuple[PartyId, Response] | None = None
        failed = 0
        asking = {
            asyncio.create_task(self._relay.relay(call, row, directory, party), name=f"asking {party}"): party
            for party in issuers(directory, call.sender.id)
        }
        try:
            left = set(asking)
            while left:
                done, left = await asyncio.wait(left, return_when=asyncio.FIRST_COMPLETED)
                for task in sorted(done, key=lambda task: asking[task]):
                    response = _result(task)
                    if response is None:
                        failed += 1
                    elif (said := _said(response)) is not None and (known is None or said == _ALLOWED):
                        known = (asking[task], response)
                        if said == _ALLOWED:
                            return self._answer(call, known)
            if known is not None:
                return self._answer(call, known)
        finally:
            for task in asking:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)
            call.waited = before + self._clock.monotonic() - began
        call.answered_by = directory.hub
        away = f"; {failed} of them could not be asked" if failed else ""
        raise UnknownToken(
            f"none of the {len(asking)} eMSPs that can be reached through this hub knows the token{away}"
        )

    @staticmethod
    def _answer(call: Call, known: tuple[PartyId, Response]) -> Response:
        call.answered_by, response = known
        return response


def _result(task: asyncio.Task[Response]) -> Response | None:
    """None where the hub could not get an answer."""
    try:
        return task.result()
    except OcpiError:
        return None


def _said(response: Response) -> str | None:
    """The `allowed` of an AuthorizationInfo, None where the answer is none."""
    if response.http_status >= 300 or not 1000 <= response.status_code < 2000:
        return None
    try:
        allowed = orjson.loads(response.body)["data"]["allowed"]
    except (ValueError, TypeError, KeyError):
        return None
    return allowed.upper() if isinstance(allowed, str) else None

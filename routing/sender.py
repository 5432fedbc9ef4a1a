"""Sends a push over HTTP: the recipient's RECEIVER endpoint, its credential, OCPI's headers, one attempt."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from uuid_utils import uuid7

from connectors import headers
from connectors.authorization import told_in
from connectors.client.client import Answer, Client
from connectors.values import InterfaceRole
from routing.breaker import Breakers
from routing.directory import Platform
from routing.guard import Guard, Permit, Signs
from routing.outbound import Answered, NoEnvelope, accept, headers_of, target
from routing.worker.ports import Push


class HttpSender:
    """`authorize` gives the Authorization header value that the hub presents to a platform. `signs` is told of each
    platform that answers, or does not; `breakers` say which gets nothing for a moment."""

    def __init__(
        self, client: Client, authorize: Callable[[Platform], str], signs: Signs, breakers: Breakers | None = None
    ) -> None:
        self._client = client
        self._authorize = authorize
        self._guard = Guard(signs, breakers or Breakers(time.monotonic))

    async def push(self, push: Push, *, within: float, permit: Callable[[], bool]) -> Answered:
        """Raises NotConnected, OutcomeUnknown, or HubError when what came back is no answer."""
        to = push.to
        url = target(to.platform, push.module, InterfaceRole.RECEIVER, push.path, push.query)
        sent = headers.write(to.party.id, push.sender, str(uuid7()), push.correlation_id)
        sent["Authorization"] = self._authorize(to.platform)
        sent.update(headers_of(to.platform))
        if push.body:
            sent["Content-Type"] = "application/json"

        async def send(may_send: Permit) -> Answer:
            return await self._client.send(push.method, url, sent, push.body or None, within=within, permit=may_send)

        answer = await self._guard.send(to, permit, send)
        try:
            answered = accept(answer, to)
        except NoEnvelope as error:
            if told_in(sent["Authorization"], error.came):
                error.came = b""
            raise
        # of one that took it nothing is kept, and nearly all do
        if not 1000 <= answered.status_code < 2000 and told_in(sent["Authorization"], answer.body):
            return replace(answered, echoes=True)
        return answered

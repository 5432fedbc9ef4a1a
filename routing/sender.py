"""Sends a push over HTTP: the recipient's RECEIVER endpoint, its credential, OCPI's headers, one attempt."""

from __future__ import annotations

from collections.abc import Callable

from uuid_utils import uuid7

from connectors import headers
from connectors.client.client import Client
from connectors.values import InterfaceRole
from routing.directory import Platform
from routing.outbound import Answered, accept, headers_of, target
from routing.worker.ports import Push


class HttpSender:
    """`authorize` gives the Authorization header value that the hub presents to a platform."""

    def __init__(self, client: Client, authorize: Callable[[Platform], str]) -> None:
        self._client = client
        self._authorize = authorize

    async def push(self, push: Push, *, within: float, permit: Callable[[], bool]) -> Answered:
        """Raises NotConnected, OutcomeUnknown, or HubError when what came back is no answer."""
        to = push.to
        url = target(to.platform, push.module, InterfaceRole.RECEIVER, push.path, push.query)
        sent = headers.write(to.party.id, push.sender, str(uuid7()), push.correlation_id)
        sent["Authorization"] = self._authorize(to.platform)
        sent.update(headers_of(to.platform))
        if push.body:
            sent["Content-Type"] = "application/json"
        answer = await self._client.send(push.method, url, sent, push.body or None, within=within, permit=permit)
        return accept(answer, to)

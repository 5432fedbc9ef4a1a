"""A hub side with its operator port, for tests."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from hub.operator.app import OPERATIONS, operator_app
from hub.operator.openapi import failures
from hub.operator.operations import Operations
from hub.operator.readiness import readiness
from hub.operator.shapes import Failure
from routing.clock import SystemClock
from routing.log.memory import MemoryLog
from routing.topics import EVENT_TOPICS
from tests.hub.onboarding.hubside import HubSide, hub_side

KEY = "operator-key-for-tests"


@dataclass
class Operating:
    """The operator port at `base`; `troubles` are what readiness is told."""

    hub: HubSide
    base: str
    app: web.Application
    troubles: list[str] = field(default_factory=list)
    log: MemoryLog = field(default_factory=lambda: MemoryLog(EVENT_TOPICS, clock=SystemClock().utc))

    async def call(
        self, method: str, path: str, body: Any = None, *, key: str | None = KEY, **query: str
    ) -> tuple[int, Any]:
        """HTTP status and JSON, which are as the document of the API has them."""
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        async with (
            ClientSession() as session,
            session.request(method, self.base + path, json=body, headers=headers, params=query) as response,
        ):
            content = await response.json()
        conforms(self.app[OPERATIONS], method, path, response.status, content)
        return response.status, content


def conforms(operations: Operations, method: str, path: str, status: int, content: Any) -> None:
    """Raises where this is no answer that the document has of the operation; of what is none anything is good."""
    for operation in operations:
        shape = re.sub(r"{\w+}", "[^/]+", operation.path)
        if operation.method == method and re.fullmatch(shape, path.partition("?")[0]):
            break
    else:
        return
    if status not in (operation.status, 401):
        assert status in failures(operation), (operation.id, status)
    model: Any = operation.told if status == operation.status or operation.open else Failure
    model.model_validate_json(json.dumps(content), strict=True)


@asynccontextmanager
async def operating() -> AsyncIterator[Operating]:
    async with hub_side() as hub:
        made = Operating(hub, "", web.Application())
        made.app = operator_app(
            hub.desk,
            hub.store,
            made.log,
            SecretStr(KEY),
            ready=lambda: readiness((lambda: None, lambda: made.troubles[0] if made.troubles else None)),
            metrics=lambda: b"ocpi_hub_calls_total 1\n",
        )
        server = TestServer(made.app)
        await server.start_server()
        made.base = f"http://127.0.0.1:{server.port}"
        try:
            yield made
        finally:
            await server.close()

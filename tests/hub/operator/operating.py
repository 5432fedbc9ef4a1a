"""A hub side with its operator port, for tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import ClientSession
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from hub.operator.app import operator_app
from hub.operator.readiness import readiness
from tests.hub.onboarding.hubside import HubSide, hub_side

KEY = "operator-key-for-tests"


@dataclass
class Operating:
    """The operator port at `base`; `troubles` are what readiness is told."""

    hub: HubSide
    base: str
    troubles: list[str] = field(default_factory=list)

    async def call(
        self, method: str, path: str, body: Any = None, *, key: str | None = KEY, **query: str
    ) -> tuple[int, Any]:
        """HTTP status and JSON."""
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        async with (
            ClientSession() as session,
            session.request(method, self.base + path, json=body, headers=headers, params=query) as response,
        ):
            return response.status, await response.json()


@asynccontextmanager
async def operating() -> AsyncIterator[Operating]:
    async with hub_side() as hub:
        made = Operating(hub, "")
        app = operator_app(
            hub.desk,
            hub.store,
            SecretStr(KEY),
            ready=lambda: readiness((lambda: None, lambda: made.troubles[0] if made.troubles else None)),
            metrics=lambda: b"ocpi_hub_calls_total 1\n",
        )
        server = TestServer(app)
        await server.start_server()
        made.base = f"http://127.0.0.1:{server.port}"
        try:
            yield made
        finally:
            await server.close()

"""The hub's side of the handshake for tests: registry, onboarding and client, behind the smallest edge there can be."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_network

from aiohttp import web
from aiohttp.test_utils import TestServer

from connectors.answers import ABSENT, envelope
from connectors.authorization import candidates, digest, new_credential
from connectors.client import Client
from connectors.errors import OcpiError, Unauthorized
from connectors.values import PartyId, Role
from hub.keys import Keys
from hub.onboarding.credentials import Onboarding
from hub.onboarding.desk import Desk, Identity
from hub.onboarding.handshake import Handshake
from hub.onboarding.invitations import invite
from hub.registry import Registry
from routing.store.memory import MemoryStore

HUB = PartyId("NL", "HUB")
TNM = PartyId("NL", "TNM")
EMS = PartyId("DE", "EMS")
LOOPBACK = (ip_network("127.0.0.0/8"),)


def made_keys() -> Keys:
    return Keys({"test": b"k" * 32})


class Clock:
    """UTC milliseconds and monotonic seconds that only a test moves."""

    def __init__(self) -> None:
        self.ms = 1_700_000_000_000

    def __call__(self) -> int:
        return self.ms

    def monotonic(self) -> float:
        return self.ms / 1000


@dataclass
class HubSide:
    """A hub that knows the credentials module only."""

    store: MemoryStore
    registry: Registry
    onboarding: Onboarding
    desk: Desk
    clock: Clock
    server: TestServer

    @property
    def versions_url(self) -> str:
        return self.desk.identity.versions_url

    async def invite(self, party: PartyId = TNM, role: Role = Role.CPO) -> str:
        return await invite(self.desk, [(party, role)])


def _time() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


def edge(registry: Registry, parts: dict[str, Onboarding], base: list[str]) -> web.Application:
    """Versions, version details and credentials; errors as the edge writes them."""

    async def answer(request: web.Request) -> web.Response:
        try:
            http_status, data = await handle(request)
        except OcpiError as wrong:
            body = envelope(wrong.status_code, wrong.message, timestamp=_time())
            return web.Response(status=wrong.http_status, body=body, content_type="application/json")
        body = envelope(1000, data=ABSENT if data is None else data, timestamp=_time())
        return web.Response(status=http_status, body=body, content_type="application/json")

    async def handle(request: web.Request) -> tuple[int, object]:
        for candidate in candidates(request.headers.get("Authorization")):
            caller = registry.find(digest(candidate.credential))
            if caller is not None:
                break
        else:
            raise Unauthorized("unknown credential")
        parts["onboarding"].first_use(*caller)
        if request.path == "/ocpi/versions":
            return 200, [{"version": "2.2.1", "url": f"{base[0]}/ocpi/2.2.1"}]
        if request.path == "/ocpi/2.2.1":
            url = f"{base[0]}/ocpi/2.2.1/credentials"
            return 200, {
                "version": "2.2.1",
                "endpoints": [{"identifier": "credentials", "role": "SENDER", "url": url}],
            }
        return await parts["onboarding"].handle_credentials(
            request.method, caller, await request.read(), candidate.form, presented=candidate.credential
        )

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    return app


@asynccontextmanager
async def hub_side(store: MemoryStore | None = None) -> AsyncIterator[HubSide]:
    """A running hub side on 127.0.0.1."""
    store, clock, keys = store or MemoryStore(), Clock(), made_keys()
    await store.start()
    registry = Registry(store, keys, hub=HUB, now=clock, monotonic=clock.monotonic)
    await registry.start()
    client = Client(LOOPBACK)
    await client.start()
    parts: dict[str, Onboarding] = {}
    base: list[str] = []
    server = TestServer(edge(registry, parts, base))
    await server.start_server()
    base.append(f"http://127.0.0.1:{server.port}")
    identity = Identity(HUB, "Test hub", f"{base[0]}/ocpi/versions", 30 * 86_400_000, 3_600_000)
    desk = Desk(registry, keys, Handshake(client, within=2.0, allow_networks=LOOPBACK, own=base[0]), identity)
    onboarding = parts["onboarding"] = Onboarding(desk)
    try:
        yield HubSide(store, registry, onboarding, desk, clock, server)
    finally:
        await server.close()
        await onboarding.close()
        await client.close()
        await registry.stop()


__all__ = ["EMS", "HUB", "LOOPBACK", "TNM", "Clock", "HubSide", "edge", "hub_side", "new_credential"]

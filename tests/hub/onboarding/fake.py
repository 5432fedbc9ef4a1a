"""A platform that answers the hub's call-backs as a test wants, and remembers them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from connectors.authorization import Form, candidates, present
from connectors.values import PartyId, Role


class Fake:
    """`answers` maps a path to (HTTP status, body) and replaces what would be answered; `only` is the form it takes."""

    def __init__(self, *, only: Form | None = None) -> None:
        self.credential = "B" * 20
        self.only = only
        self.answers: dict[str, tuple[int, Any]] = {}
        self.seen: list[tuple[str, str, str]] = []
        self.posted: list[dict[str, Any]] = []
        self.base = ""

    @property
    def versions_url(self) -> str:
        return f"{self.base}/versions"

    def document(self, *roles: tuple[PartyId, Role]) -> dict[str, Any]:
        return {
            "token": self.credential,
            "url": self.versions_url,
            "roles": [
                {
                    "role": role,
                    "country_code": party.country_code,
                    "party_id": party.party_id,
                    "business_details": {"name": "Fake"},
                }
                for party, role in roles
            ],
        }

    def endpoint(self, identifier: str, role: str = "RECEIVER", **over: Any) -> dict[str, Any]:
        return {"identifier": identifier, "role": role, "url": f"{self.base}/2.2.1/{identifier}"} | over

    async def handle(self, request: web.Request) -> web.Response:
        header = request.headers.get("Authorization", "")
        self.seen.append((request.method, request.path, header))
        if request.path in self.answers:
            status, body = self.answers[request.path]
            text = body if isinstance(body, str) else json.dumps(body)
            return web.Response(status=status, text=text, content_type="application/json")
        wanted = (self.credential, self.only)
        if not any(
            candidate.credential == wanted[0] and wanted[1] in (None, candidate.form)
            for candidate in candidates(header)
        ):
            return web.json_response(
                {"status_code": 2001, "status_message": "no such token", "timestamp": ""}, status=401
            )
        data: Any = None
        if request.path == "/versions":
            data = [{"version": "2.2.1", "url": f"{self.base}/2.2.1"}, {"version": "2.1.1", "url": "nonsense"}]
        elif request.path == "/2.2.1":
            data = {
                "version": "2.2.1",
                "endpoints": [
                    self.endpoint("credentials"),
                    self.endpoint("locations", "SENDER"),
                    self.endpoint("nltnm-extra", "SENDER"),
                ],
            }
        elif request.method == "POST":
            self.posted.append(await request.json())
            data = await self.on_post(self.posted[-1])
        return web.json_response({"status_code": 1000, "data": data, "timestamp": ""})

    async def on_post(self, document: dict[str, Any]) -> dict[str, Any]:
        del document
        return {}


FakeT = TypeVar("FakeT", bound=Fake)


@asynccontextmanager
async def running(fake: FakeT) -> AsyncIterator[FakeT]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", fake.handle)
    server = TestServer(app)
    await server.start_server()
    fake.base = f"http://127.0.0.1:{server.port}"
    try:
        yield fake
    finally:
        await server.close()


async def call(
    method: str, url: str, credential: str, document: Any = None, form: Form = Form.BASE64
) -> tuple[int, dict[str, Any]]:
    """One OCPI call: HTTP status and envelope."""
    body = document if isinstance(document, bytes) else None if document is None else json.dumps(document).encode()
    async with (
        ClientSession() as session,
        session.request(method, url, data=body, headers={"Authorization": present(credential, form)}) as response,
    ):
        return response.status, await response.json()

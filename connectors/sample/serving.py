"""The serving side of a sample platform: from an HTTP request to the endpoint that answers it."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, unquote

import orjson
from aiohttp import web

from connectors.catalogue import Catalogue, Row
from connectors.errors import InvalidParameters, MethodNotAllowed, NotJson, OcpiError, Unauthorized, UnknownUrl
from connectors.fault import Fault
from connectors.sample import wire
from connectors.sample.copies import Copies
from connectors.sample.cpo import Cpo
from connectors.sample.emsp import Emsp
from connectors.sample.facts import facts
from connectors.sample.faults import MOVED, play
from connectors.sample.inbound import Endpoints, Handler, Inbound
from connectors.sample.record import Call, Received
from connectors.sample.wire import Reply, object_of
from connectors.values import InterfaceRole, Role

if TYPE_CHECKING:
    from connectors.sample.platform import SamplePlatform

_COPIES: Final = {
    Role.CPO: ("tokens",),
    Role.EMSP: ("locations", "tariffs", "sessions", "cdrs"),
    Role.NSP: ("locations", "tariffs"),
    Role.OTHER: ("locations", "tariffs"),
    Role.SCSP: ("sessions",),
}
_INTERFACES: Final = {str(role).lower(): role for role in InterfaceRole}
_UNANSWERED: Final = (Fault.HANG, Fault.RESET, Fault.TRUNCATE)


class Serving:
    """Records each request, lets the faults strike, and serves what is left by the roles of the platform's parties."""

    def __init__(
        self,
        platform: SamplePlatform,
        without: frozenset[tuple[str, InterfaceRole]],
        more: Iterable[tuple[Row, Handler]],
    ) -> None:
        self._platform = platform
        served = [(row, handler) for row, handler in _endpoints(platform) if (row.module, row.interface) not in without]
        served += more
        self._handlers = {row.id: handler for row, handler in served}
        self._catalogue = Catalogue(wire.VERSION, (row for row, _ in served))

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one HTTP request."""
        platform = self._platform
        received = self._read(request, await request.content.read())
        if platform.control and received.path == "/control/fault":
            return await self._control(received)
        platform.recorder.add(received)
        reply: Reply | None = None
        try:
            moved = received.path.startswith(MOVED)
            rule = None if moved else platform.faults.take(received)
            response = await play(rule, request) if rule else None
            if response is None:
                reply = await self._reply(received)
                response = self._response(received, reply)
            if rule is None or rule.fault not in _UNANSWERED:
                received.http_status = response.status
            return response
        finally:
            received.ended_at = time.monotonic()
            if platform.on_call is not None:
                platform.on_call(_call(received, reply))

    def _read(self, request: web.BaseRequest, body: bytes) -> Received:
        self._platform.recorder.count += 1
        path, _, query = request.raw_path.partition("?")
        segments = [unquote(segment) for segment in path.removeprefix(MOVED).split("/") if segment]
        try:
            content = orjson.loads(body) if body else None
        except orjson.JSONDecodeError:
            content = None
        received = Received(
            seq=self._platform.recorder.count,
            at=time.monotonic(),
            method=request.method,
            path=request.raw_path,
            headers=request.headers,
            body=body,
            json=content,
            query=dict(parse_qsl(query, keep_blank_values=True)),
        )
        if segments[:2] == ["ocpi", wire.VERSION] and len(segments) > 3:
            received.interface = _INTERFACES.get(segments[2])
            received.module = segments[3] if received.interface else None
            received.segments = tuple(segments[4:])
        elif segments and segments[0] == "ocpi":
            received.module = "credentials" if segments[2:] == ["credentials"] else "versions"
            received.segments = tuple(segments[1:])
        return received

    async def _reply(self, received: Received) -> Reply:
        try:
            accepted = self._platform.connection.accepts(received.headers.get("Authorization", ""))
            if accepted is None:
                raise Unauthorized("the Authorization header is missing or its credential is not known here")
            if received.interface is None:
                return await self._configuration(received, *accepted)
            return self._functional(received, *accepted)
        except OcpiError as error:
            headers = {"Allow": ", ".join(error.allowed)} if isinstance(error, MethodNotAllowed) else {}
            return Reply(code=error.status_code, message=error.message, http_status=error.http_status, headers=headers)

    async def _configuration(self, received: Received, credential: str, full: bool) -> Reply:
        if received.module == "credentials":
            body = received.json if received.body else None
            return await self._platform.connection.serve(received.method, credential, full, body)
        pages: dict[tuple[str, ...], Any] = {("versions",): self._versions, (wire.VERSION,): self._details}
        page = pages.get(received.segments)
        if page is None:
            raise UnknownUrl(f"nothing is served under {received.path}")
        if received.method != "GET":
            raise MethodNotAllowed(f"{received.method} is not a method of this URL", allowed=("GET",))
        return Reply(page())

    def _versions(self) -> list[dict[str, str]]:
        return [{"version": wire.VERSION, "url": f"{self._platform.origin}/ocpi/{wire.VERSION}"}]

    def _details(self) -> dict[str, Any]:
        platform, slash = self._platform, "/" if self._platform.trailing_slash else ""
        credentials = f"{platform.origin}/ocpi/{wire.VERSION}/credentials{slash}"
        endpoints = [{"identifier": "credentials", "role": "SENDER", "url": credentials}]
        for module, interface in self._catalogue.endpoints():
            if interface is not None:
                url = platform.endpoint_url(module, interface) + slash
                endpoints.append({"identifier": module, "role": interface.value, "url": url})
        return {"version": wire.VERSION, "endpoints": endpoints}

    def _functional(self, received: Received, credential: str, full: bool) -> Reply:
        if not full:
            raise Unauthorized("a credential of an invitation works on versions and credentials only")
        self._platform.connection.used(credential)
        if received.to and received.to not in {party.id for party in self._platform.parties}:
            raise InvalidParameters(f"OCPI-to-party-id: {received.to} is no party of this platform")
        match = self._catalogue.match(received.module or "", received.interface, received.method, received.segments)
        if received.body and received.json is None:
            raise NotJson("the body is not JSON")
        return self._handlers[match.row.id](Inbound(received, match.row, match.params))

    def _response(self, received: Received, reply: Reply) -> web.Response:
        headers = dict(reply.headers)
        for name in (wire.REQUEST_ID, wire.CORRELATION_ID):
            if name in received.headers:
                headers[name] = received.headers[name]
        if received.interface is not None and received.sender is not None:
            headers[wire.TO_COUNTRY], headers[wire.TO_PARTY] = received.sender
            own = received.to or self._platform.parties[0].id
            headers[wire.FROM_COUNTRY], headers[wire.FROM_PARTY] = own
        return web.Response(
            status=reply.http_status, body=reply.body(), content_type="application/json", headers=headers
        )

    async def _control(self, received: Received) -> web.Response:
        wanted = object_of(received.json)
        try:
            fault = Fault(wanted["fault"]) if wanted.get("fault") else None
            details = {name: wanted[name] for name in ("module", "method", "times", "delay") if name in wanted}
            if fault is Fault.OFFLINE:
                self._platform.away(float(wanted.get("seconds", 10)))
            else:
                await self._platform.switch(fault, **details)
        except (TypeError, ValueError):
            sentence = f"fault must be null or one of {', '.join(Fault)}"
            return web.json_response({"error": sentence}, status=400)
        return web.json_response({"fault": fault})


def _endpoints(platform: SamplePlatform) -> Endpoints:
    roles = {party.role for party in platform.parties}
    modules = dict.fromkeys(module for role in roles for module in _COPIES.get(role, ()))

    def cdr_url(reference: str) -> str:
        return f"{platform.endpoint_url('cdrs', InterfaceRole.RECEIVER)}/{reference}"

    endpoints = Copies(platform.objects, cdr_url).endpoints(*modules)
    if Role.CPO in roles:
        endpoints += Cpo(platform).endpoints()
    if Role.EMSP in roles:
        endpoints += Emsp(platform).endpoints()
    if platform.clients is not None:
        endpoints += platform.clients.endpoints()
    return endpoints


def _call(received: Received, reply: Reply | None) -> Call:
    ended = received.ended_at or received.at
    return Call(
        direction="in",
        sender=str(received.sender or ""),
        to=str(received.to or ""),
        module=received.module or "",
        interface=str(received.interface or ""),
        method=received.method,
        path=received.path,
        http_status=received.http_status,
        ocpi_status=reply.code if reply else None,
        ms=round((ended - received.at) * 1000, 2),
        facts=facts(
            received.module or "", received.method, received.path, received.json, reply.data if reply else None
        ),
    )

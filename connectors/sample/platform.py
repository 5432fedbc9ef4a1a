"""`SamplePlatform`: one OCPI 2.2.1 platform of the sample parties, its server and its calls."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Coroutine, Iterable
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from connectors.catalogue import Row
from connectors.fault import Fault
from connectors.sample import wire
from connectors.sample.calls import Calls, SampleParty
from connectors.sample.client import NoAnswer, SampleClient
from connectors.sample.clientinfo import ClientInfos
from connectors.sample.faults import Faults, Rule
from connectors.sample.inbound import Handler, Inbound
from connectors.sample.objects import Object, Objects
from connectors.sample.record import Call, Received, Recorder
from connectors.sample.serving import Serving
from connectors.values import InterfaceRole, PartyId

_SEEN_S = 0.005  # in which the other ends of closed connections see that they are


class PortTaken(Exception):
    """The port to listen on is in use; the sentence says which and what to do."""


class SamplePlatform(Calls):
    """A platform on `host` with versions, credentials and every OCPI 2.2.1 row of its parties' roles.

    `name` is the host in its URLs, by which others reach it. `port` 0 takes a free one. `raw` sends credentials without
    Base64. `page_limit` is the most objects of a page, `keep` how many received requests are kept (None: all),
    `result_delay` the seconds between a command's answer and its asynchronous result, `trailing_slash` whether endpoint
    URLs are advertised with one, `without` the (module, interface) pairs that are not offered. `control` serves `POST
    /control/fault`. `told` offers hubclientinfo as RECEIVER: `clients` keeps what the hub tells. `more` are endpoints
    beside those of the roles. `on_call` hears of each call made or served, `on_command(command, body, sender)` of each
    accepted command.
    """

    def __init__(
        self,
        parties: Iterable[SampleParty],
        *,
        host: str = "127.0.0.1",
        name: str = "127.0.0.1",
        port: int = 0,
        raw: bool = False,
        page_limit: int = 50,
        keep: int | None = None,
        result_delay: float = 0.02,
        trailing_slash: bool = False,
        without: Collection[tuple[str, InterfaceRole]] = (),
        control: bool = False,
        told: bool = False,
        more: Iterable[tuple[Row, Handler]] = (),
        on_call: Callable[[Call], None] | None = None,
    ) -> None:
        super().__init__(parties, name=name, port=port, raw=raw, on_call=on_call)
        self.host = host
        self.page_limit = page_limit
        self.result_delay = result_delay
        self.asynchronous_result = "ACCEPTED"
        self.trailing_slash = trailing_slash
        self.control = control
        self.on_command: Callable[[str, Object, PartyId | None], None] | None = None
        self.objects = Objects()
        self.faults = Faults()
        self.recorder = Recorder(keep)
        self.clients = ClientInfos() if told else None
        self._serving = Serving(self, frozenset(without), more)
        self._server: web.Server | None = None
        self._listener: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    # --- life --------------------------------------------------------------------------------------------------------

    async def start(self) -> Self:
        """Begin to listen. Raises PortTaken."""
        self._client = SampleClient()
        self._server = web.Server(self._serving.handle, handler_cancellation=True, access_log=None)
        try:
            await self.online()
        except BaseException:
            await self._client.close()
            raise
        return self

    async def stop(self) -> None:
        """End everything at once: what hangs is cut off, results that are due are not sent."""
        self.faults.clear()
        for task in self._tasks:
            task.cancel()
        await self.offline()
        if self._server is not None:
            await self._server.shutdown(0.2)
        if self._client is not None:
            await self._client.close()

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def offline(self) -> None:
        """Stop listening and cut every connection: who calls is refused."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        while self._server is not None and self._server.connections:
            for connection in self._server.connections:
                connection.force_close()
            await asyncio.sleep(_SEEN_S)

    async def online(self) -> None:
        """Listen, on the same port as before. Raises PortTaken."""
        if self._listener is not None or self._server is None:
            return
        loop = asyncio.get_running_loop()
        try:
            self._listener = await loop.create_server(self._server, self.host, self.port, reuse_address=True)
        except OSError as error:
            sentence = f"port {self.port} is taken or may not be listened on: end what uses it, or take another port"
            raise PortTaken(sentence) from error
        self.port = self._listener.sockets[0].getsockname()[1]

    async def switch(self, fault: Fault | str | None, **details: Any) -> Rule | None:
        """Have this fault alone in force, none with None; `details` are the fields of Rule."""
        self.faults.clear()
        if fault is not None and Fault(fault) is Fault.OFFLINE:
            await self.offline()
            return None
        await self.online()
        return None if fault is None else self.faults.set(Rule(Fault(fault), **details))

    # --- what comes in -----------------------------------------------------------------------------------------------

    @property
    def received(self) -> deque[Received]:
        """Every request that came in and is kept, the oldest first."""
        return self.recorder.received

    def owners(self, call: Inbound) -> tuple[PartyId, ...]:
        """The own parties that a call is for: the one in its OCPI-to headers, else all."""
        own = tuple(dict.fromkeys(party.id for party in self.parties))
        to = call.received.to
        return (to,) if to in own else own

    async def wait_for(
        self, predicate: Callable[[Received], bool], timeout: float = 5.0, *, after: int = 0
    ) -> Received:
        """The first received request that fits, kept or to come, with `seq` above `after`. Raises TimeoutError."""
        return await self.recorder.wait_for(predicate, timeout, after=after)

    def post_later(self, call: Inbound, url: str, result: object) -> None:
        """POST an asynchronous result to its response_url once the call has been answered."""
        self._spawn(self._post_result(call, url, result))

    def away(self, seconds: float) -> None:
        """Be offline for this long, beginning once what is being answered now is sent."""

        async def leave() -> None:
            await asyncio.sleep(0.01)
            await self.offline()
            await asyncio.sleep(seconds)
            await self.online()

        self._spawn(leave())

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def commanded(self, call: Inbound, command: str, body: Object) -> None:
        """Tell `on_command` of an accepted command."""
        if self.on_command is not None:
            self.on_command(command, body, call.received.sender)

    async def _post_result(self, call: Inbound, url: str, result: object) -> None:
        await asyncio.sleep(self.result_delay)
        received = call.received
        correlation = received.headers.get(wire.CORRELATION_ID)
        try:
            await self.call_url(
                "POST",
                url,
                to=received.sender,
                sender=self.owners(call)[0],
                body=result,
                headers={wire.CORRELATION_ID: correlation} if correlation else None,
                name=(call.row.module, "SENDER"),
            )
        except NoAnswer:
            return  # a result is sent once; on_call has heard that it was not answered

"""The client: sends one request to a party and says exactly how it ended."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from time import perf_counter
from typing import Final

from aiohttp import ClientResponse, ClientSession, ClientTimeout, DummyCookieJar, hdrs
from aiohttp.abc import AbstractResolver
from multidict import CIMultiDictProxy
from yarl import URL

from connectors.client import failures
from connectors.client.attempt import Attempt, Reply, Request, payload
from connectors.client.body import decoded, read
from connectors.client.dialing import Connector, Resolver
from connectors.client.guard import Guard
from connectors.client.holding import Holding
from connectors.client.origins import origin_of
from connectors.errors import HubError, InvalidParameters, NotConnected, OutcomeUnknown

METHODS: Final = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_READ_BUFFER: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """What a party answered. `body` without content encoding, `ms` the milliseconds from sending to the last byte."""

    http_status: int
    headers: CIMultiDictProxy[str]
    body: bytes
    ms: float


class Client:
    """Speaks HTTP/1.1 to parties, over connections that it keeps.

    `allow_networks`: where http and private addresses are fine (promise 12). `connect_timeout` in seconds covers DNS,
    TCP and TLS. `body_limit` in bytes, of an answer. `resolver` is asked for names instead of the system (the caller
    closes it), `dns_ttl` seconds an answer of it is kept, `tls` replaces the default context (other authorities).
    `held` bounds the answers that are read at one time.
    """

    def __init__(
        self,
        allow_networks: Sequence[IPv4Network | IPv6Network] = (),
        *,
        connect_timeout: float = 3.0,
        body_limit: int = 16 * 1024 * 1024,
        resolver: AbstractResolver | None = None,
        user_agent: str = "ocpi-hub",
        dns_ttl: int = 10,
        held: Holding | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._guard = Guard(allow_networks)
        self._timeout = ClientTimeout(total=None, connect=connect_timeout)
        self._limit = body_limit
        self._resolver = resolver
        self._user_agent = user_agent
        self._dns_ttl = dns_ttl
        self._tls = tls
        self._held = held or Holding(16 * body_limit, 4 * body_limit)
        self._own_resolver: Resolver | None = None
        self._https: ClientSession | None = None
        self._http: ClientSession | None = None

    async def start(self) -> None:
        """Make the pools, on the running loop."""
        resolver = self._resolver
        if resolver is None:
            resolver = self._own_resolver = Resolver()
        self._https = self._session("https", resolver)
        self._http = self._session("http", resolver)

    async def close(self) -> None:
        """End every connection. Requests in flight end with an error."""
        for session in (self._https, self._http):
            if session is not None:
                await session.close()
        if self._own_resolver is not None:
            await self._own_resolver.close()

    async def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        *,
        within: float,
        permit: Callable[[], bool] | None = None,
    ) -> Answer:
        """One request and its whole answer, `within` seconds from now on the loop's clock.

        `url` goes out as it is given. `headers` are the end-to-end ones: Host, Content-Length, Transfer-Encoding,
        Connection, Expect and Accept-Encoding are this client's own. `permit` is asked when the connection is at
        hand, before the first byte; if it says no, nothing is written. A 307 or 308 to the same origin is followed
        once. Raises NotConnected (nothing was sent; `refused` if the TCP connection was), OutcomeUnknown (begun,
        and no whole answer), HubError (the answer is of no use: a redirect, too long, an unknown encoding) and
        InvalidParameters (a method or header that cannot be sent).
        """
        if method not in METHODS:
            raise InvalidParameters(f"method {method[:20]!a} is none of OCPI's: {', '.join(sorted(METHODS))}")
        try:
            origin = origin_of(url)
        except InvalidParameters as error:
            raise NotConnected(f"{error.message}; nothing was sent") from None
        started = perf_counter()
        deadline = asyncio.get_running_loop().time() + within
        attempt = Attempt(origin, body, deadline, permit)
        seen = False
        try:
            async with asyncio.timeout_at(deadline):
                response, content = await self._exchange(attempt, method, url, headers)
                if response.status in _REDIRECTS:
                    seen = True
                    target = _same_origin(origin, url, response)
                    attempt = Attempt(origin, body, deadline, permit)
                    response, content = await self._again(attempt, method, target, headers)
        except TimeoutError as error:
            raise failures.late(origin, begun=seen or attempt.begun) from error
        kept, plain = decoded(response.headers, content, self._limit)
        return Answer(response.status, kept, plain, (perf_counter() - started) * 1000)

    async def _exchange(
        self, attempt: Attempt, method: str, url: str, headers: Mapping[str, str]
    ) -> tuple[ClientResponse, bytes]:
        session = self._https if attempt.origin.startswith("https:") else self._http
        if session is None:
            raise NotConnected("the hub's client is not started; nothing was sent")
        response: ClientResponse | None = None
        try:
            response = await session.request(
                method,
                URL(url, encoded=True),
                headers=headers,
                data=payload(attempt.body),
                allow_redirects=False,
                middlewares=(attempt.carry,),
            )
            content = await read(response, self._limit, self._held, attempt.origin)
            if response.connection is not None:
                response.close()  # not released with its last byte: it changed protocols, or did not read the request
            return response, content
        except BaseException as error:
            if response is not None:
                response.close()
            if isinstance(error, failures.FOREIGN):
                raise attempt.failure(error) from error
            raise

    async def _again(
        self, attempt: Attempt, method: str, url: str, headers: Mapping[str, str]
    ) -> tuple[ClientResponse, bytes]:
        try:
            response, content = await self._exchange(attempt, method, url, headers)
        except NotConnected as error:
            # The party has seen the request once, whatever it made of it: 4003 would not be true any more.
            raise OutcomeUnknown(f"{attempt.origin} redirected the request, and then: {error.message}") from error
        if response.status in _REDIRECTS:
            raise HubError(f"{attempt.origin} redirected the request twice; correct the endpoint's URL")
        return response, content

    def _session(self, scheme: str, resolver: AbstractResolver) -> ClientSession:
        return ClientSession(
            connector=Connector(
                self._guard, scheme, resolver, dns_ttl=self._dns_ttl, tls=self._tls, body_limit=self._limit
            ),
            request_class=Request,
            response_class=Reply,
            cookie_jar=DummyCookieJar(),
            headers={hdrs.USER_AGENT: self._user_agent},
            timeout=self._timeout,
            auto_decompress=False,
            read_bufsize=_READ_BUFFER,
        )


def _same_origin(origin: str, url: str, response: ClientResponse) -> str:
    if response.status not in (307, 308):
        raise HubError(f"{origin} answered with a redirect ({response.status}), which does not keep the request")
    try:
        target = str(URL(url, encoded=True).join(URL(response.headers.get(hdrs.LOCATION, ""), encoded=True)))
        same = bool(response.headers.get(hdrs.LOCATION)) and origin_of(target) == origin
    except (ValueError, InvalidParameters):
        same = False
    if not same:
        raise HubError(f"{origin} redirected ({response.status}) to another origin or to no URL; correct the endpoint")
    return target

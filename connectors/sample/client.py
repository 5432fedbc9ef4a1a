"""The calling side of a sample platform: one HTTP request, and its answer as it came."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson
from yarl import URL

from connectors.sample import wire


class NoAnswer(Exception):
    """A call ended without an HTTP answer. `refused`: the connection was refused, so nothing was sent."""

    def __init__(self, message: str, *, refused: bool = False) -> None:
        super().__init__(message)
        self.refused = refused


class _Disconnected(Exception):
    """Stands for aiohttp's disconnect errors, which its session would answer by sending the request again."""


@dataclass(frozen=True, slots=True)
class SampleAnswer:
    """An HTTP answer: `envelope` is the decoded body where it is a JSON object, else empty; `ms` is milliseconds.

    `headers` compare without case; `next_url` is that of the Link header with rel="next" (OCPI 2.2.1, 4.1.4.1).
    """

    http_status: int
    envelope: dict[str, Any]
    headers: Mapping[str, str]
    body: bytes
    ms: float
    next_url: str | None = None

    @property
    def status_code(self) -> int | None:
        """The OCPI status_code, None where the body has none."""
        code = self.envelope.get("status_code")
        return code if isinstance(code, int) else None

    @property
    def message(self) -> str:
        """The status_message, or the start of a body that is no envelope."""
        return str(self.envelope.get("status_message") or "") or (
            "" if self.envelope else self.body[:200].decode("utf-8", "replace")
        )

    @property
    def data(self) -> Any:
        """The envelope's data, None where there is none."""
        return self.envelope.get("data")


class SampleClient:
    """One ClientSession; a request is one request on the wire, never repeated and never redirected."""

    def __init__(self) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            middlewares=(_once,),
        )

    async def request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, timeout: float
    ) -> SampleAnswer:
        """Send and read whole; `timeout` is in seconds and counts for everything. Raises NoAnswer."""
        began = time.perf_counter()
        try:
            async with self._session.request(
                method,
                URL(url, encoded=True),
                headers=headers,
                data=body,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=timeout),
            ) as response:
                content = await response.read()
        except aiohttp.ClientConnectorError as error:
            raise NoAnswer(f"no connection to {url}: {error}", refused=True) from error
        except TimeoutError as error:
            raise NoAnswer(f"no answer from {url} within {timeout:g} s") from error
        except (_Disconnected, aiohttp.ClientError, ValueError) as error:
            raise NoAnswer(f"{method} {url} failed: {error or type(error).__name__}") from error
        elapsed = (time.perf_counter() - began) * 1000
        following = next_url(response.headers.getall("Link", []))
        return SampleAnswer(response.status, decoded(content), response.headers, content, elapsed, following)

    async def close(self) -> None:
        """Close every connection."""
        await self._session.close()


async def _once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _Disconnected(str(error) or type(error).__name__) from error


def decoded(content: bytes) -> dict[str, Any]:
    """A body as a JSON object, empty where it is none."""
    try:
        return wire.object_of(orjson.loads(content))
    except orjson.JSONDecodeError:
        return {}


def next_url(links: Iterable[str]) -> str | None:
    """The URL of the Link header with rel="next", None on the last page."""
    for link in links:
        url, _, rest = link.partition(">")
        if 'rel="next"' in rest.replace(" ", ""):
            return url.strip().removeprefix("<")
    return None

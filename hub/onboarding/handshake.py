"""The calls of the credentials handshake that the hub makes, and the sentences for what goes wrong (OCPI 2.2.1, 7.1).

Every failure names the step and the URL. The credential presented is blanked in whatever a platform answered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Any, Protocol, TypeVar
from urllib.parse import unquote, urlsplit
from uuid import uuid4

import orjson

from connectors import headers
from connectors.answers import Status, read_status
from connectors.authorization import Form, present
from connectors.client import Answer, Guard, origin_of
from connectors.errors import InvalidParameters, OcpiError, UnusableApi
from connectors.v2_2_1.urls import ROOT
from hub.onboarding import body as credentials_body
from hub.onboarding import offers
from hub.onboarding.offers import Offer
from routing.directory import Endpoint

POST_FACTOR = 4
"""POST credentials may take so many times the deadline of a call-back: the other side calls back twice meanwhile."""

_TOLD = 200

T = TypeVar("T")


class Sender(Protocol):
    """What the handshake needs of `connectors.client.Client`."""

    async def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        *,
        within: float,
        permit: Callable[[], bool] | None = None,
    ) -> Answer: ...


@dataclass(frozen=True, slots=True)
class Found:
    """What a platform offers in the version that is spoken with it, and how it wants its Authorization header."""

    version: str
    endpoints: tuple[Endpoint, ...]
    origins: tuple[str, ...]
    form: Form


class Handshake:
    """Calls platforms that are not known yet, or anew. `within` is seconds, for each call.

    `allow_networks` are those of the client, which judges every address that it connects to; here the endpoints
    that are only noted for later are judged by what is written in them. `own` is the public URL of this hub, which
    nobody else may give for theirs: a call would go round until its deadline.
    """

    def __init__(
        self, client: Sender, *, within: float, allow_networks: Sequence[IPv4Network | IPv6Network] = (), own: str = ""
    ) -> None:
        self._own = _place(f"{own}/{ROOT}") if own else ()
        self._client = client
        self._within = within
        self._guard = Guard(allow_networks)
        self._plain_http = bool(allow_networks)

    async def explore(
        self, versions_url: str, credential: str, forms: Sequence[Form], choose: Callable[[Sequence[Offer]], Offer]
    ) -> Found:
        """GET versions, and the version details of the one that `choose` takes.

        `forms` are the ways of writing the credential, tried in order until one is not answered with HTTP 401.
        Raises UnusableApi (3001), UnsupportedVersion (3002) and NoMatchingEndpoints (3003).
        """
        step = "GET versions"
        self._judge(step, versions_url)
        for form in forms:
            answer = await self._call(step, "GET", versions_url, credential, form)
            if answer.http_status != 401:
                break
        offer = _named(step, versions_url, lambda: choose(offers.versions_in(_data(answer, credential))))
        step = "GET version details"
        self._judge(step, offer.url)
        answer = await self._call(step, "GET", offer.url, credential, form)
        endpoints = _named(step, offer.url, lambda: offers.endpoints_in(_data(answer, credential), offer.version))
        for endpoint in endpoints:
            self._judge(f"{step} at {offer.url}: endpoint {endpoint.identifier} {endpoint.role}", endpoint.url)
        origins = offers.origins_of([versions_url, *(endpoint.url for endpoint in endpoints)])
        return Found(offer.version, endpoints, origins, form)

    async def post(
        self, url: str, credential: str, form: Form, credentials: Mapping[str, Any]
    ) -> credentials_body.Wanted:
        """POST credentials, and the Credentials object of the answer. Raises UnusableApi (3001)."""
        step = "POST credentials"
        answer = await self._call(
            step, "POST", url, credential, form, orjson.dumps(credentials), within=self._within * POST_FACTOR
        )

        def read() -> credentials_body.Wanted:
            return credentials_body.judge(orjson.dumps(_data(answer, credential)), "$.data")

        return _named(step, url, read)

    async def delete(self, url: str, credential: str, form: Form) -> None:
        """DELETE credentials. Raises UnusableApi (3001)."""
        step = "DELETE credentials"
        answer = await self._call(step, "DELETE", url, credential, form)
        _named(step, url, lambda: _data(answer, credential))

    async def _call(
        self,
        step: str,
        method: str,
        url: str,
        credential: str,
        form: Form,
        body: bytes | None = None,
        *,
        within: float | None = None,
    ) -> Answer:
        sent = headers.write(None, None, str(uuid4()), str(uuid4()))
        sent["Authorization"] = present(credential, form)
        if body is not None:
            sent["Content-Type"] = "application/json"
        try:
            return await self._client.send(method, url, sent, body, within=within or self._within)
        except OcpiError as wrong:
            raise UnusableApi(f"{step} at {url}: {wrong.message}") from wrong

    def _judge(self, step: str, url: str) -> None:
        """Refuse a URL that could never be connected to, by what is written in it (promise 12). Raises UnusableApi."""
        try:
            offers.origins_of([url])
        except InvalidParameters as wrong:
            raise UnusableApi(f"{step}: {wrong.message}") from None
        if self._own and _place(url)[: len(self._own)] == self._own:
            raise UnusableApi(f"{step}: {url} is the hub's own; give the URL of your platform")
        parts = urlsplit(url)
        try:
            refusal = self._guard.refusal(str(ip_address(parts.hostname or "")), parts.scheme)
        except ValueError:
            refusal = None if self._plain_http or parts.scheme == "https" else "http; https belongs there"
        if refusal is not None:
            raise UnusableApi(f"{step}: {url} cannot be used: it is {refusal}")


def _place(url: str) -> tuple[str, ...]:
    """Origin and path segments of a URL as the hub reads its own: without case, decoded, empty segments left out."""
    return (origin_of(url), *(unquote(part).lower() for part in urlsplit(url).path.split("/") if part))


def _named(step: str, url: str, read: Callable[[], T]) -> T:
    """What `read` gives; its errors name step and URL, and one of the Credentials object is the API's (3001)."""
    try:
        return read()
    except InvalidParameters as wrong:
        raise UnusableApi(f"{step} at {url}: {wrong.message}") from None
    except OcpiError as wrong:
        raise type(wrong)(f"{step} at {url}: {wrong.message}") from None


def _data(answer: Answer, credential: str) -> object:
    """The data of an answer that says success. Raises UnusableApi with what came instead."""
    status = read_status(answer.body)
    if answer.http_status == 401:
        said = _said(status, credential)
        raise UnusableApi(f"HTTP 401: the token that was given for calling it is not accepted there{said}")
    if status is None:
        raise UnusableApi(f"HTTP {answer.http_status}, and the body is no OCPI envelope with a status_code")
    if not 200 <= answer.http_status < 300 or not status.success:
        raise UnusableApi(f"HTTP {answer.http_status}, status_code {status.status_code}" + _said(status, credential))
    try:
        envelope = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        raise UnusableApi("the body is not JSON that can be read") from None
    return envelope.get("data")


def _said(status: Status | None, credential: str) -> str:
    if status is None or not status.status_message:
        return ""
    message = status.status_message
    for form in Form:
        message = message.replace(present(credential, form).removeprefix("Token "), "...")
    return f" ({message[:_TOLD]})"

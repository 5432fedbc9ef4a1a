"""The credentials handshake of the stand-in's platforms: the plain way through it (OCPI 2.2.1, 6 and 7)."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from typing import Any
from uuid import uuid4

import aiohttp
import orjson

from connectors import headers
from connectors.v2_2_1.catalogue import CATALOGUE, VERSION
from tests.bench.bodies import WHEN


class Refused(Exception):
    """The hub did not register a platform; the sentence says at which step and with what answer."""


def versions(origin: str) -> bytes:
    """The answer to GET versions."""
    return _envelope([{"version": VERSION, "url": f"{origin}/ocpi/{VERSION}"}])


def details(origin: str) -> bytes:
    """The answer to GET version details: every module, in both roles."""
    base = f"{origin}/ocpi/{VERSION}"
    listed = [{"identifier": "credentials", "role": "SENDER", "url": f"{base}/credentials"}]
    for module, interface in CATALOGUE.endpoints():
        if interface is not None:
            listed.append(
                {"identifier": module, "role": str(interface), "url": f"{base}/{interface.lower()}/{module}"},
            )
    return _envelope({"version": VERSION, "endpoints": listed})


def credentials(token: str, origin: str, parties: Iterable[tuple[str, str, str]]) -> dict[str, Any]:
    """The Credentials object of a platform."""
    return {
        "token": token,
        "url": f"{origin}/ocpi/versions",
        "roles": [
            {
                "role": role,
                "business_details": {"name": f"Bench {country}-{party}"},
                "party_id": party,
                "country_code": country,
            }
            for country, party, role in parties
        ],
    }


async def register(versions_url: str, token: str, offered: dict[str, Any]) -> str:
    """Register at `versions_url` with the invitation `token`; the credential for every further call. Raises Refused."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        listed = await _call(session, "GET", versions_url, token)
        url = next(entry["url"] for entry in listed if entry["version"] == VERSION)
        endpoints = (await _call(session, "GET", url, token))["endpoints"]
        at = next(entry["url"] for entry in endpoints if entry["identifier"] == "credentials")
        given: str = (await _call(session, "POST", at, token, offered))["token"]
        await _call(session, "GET", at, given)
        return given


async def _call(session: aiohttp.ClientSession, method: str, url: str, token: str, body: object = None) -> Any:
    sent = {
        "Authorization": f"Token {b64encode(token.encode()).decode()}",
        headers.REQUEST_ID: str(uuid4()),
        headers.CORRELATION_ID: str(uuid4()),
    }
    data = None
    if body is not None:
        data, sent["Content-Type"] = orjson.dumps(body), "application/json"
    async with session.request(method, url, headers=sent, data=data) as answer:
        text = await answer.read()
    try:
        envelope = orjson.loads(text)
        if envelope["status_code"] == 1000:
            return envelope.get("data")
    except (ValueError, KeyError, TypeError):
        pass
    raise Refused(f"{method} {url}: HTTP {answer.status}: {text[:500].decode(errors='replace')}")


def _envelope(data: object) -> bytes:
    return orjson.dumps({"data": data, "status_code": 1000, "timestamp": WHEN})

"""Requests as bytes: right ones of every kind that the hub serves, to be spoilt."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import orjson

from connectors.values import PartyId
from tests.connectors.v2_2_1 import objects
from tests.hub.bad_input.stage import CPO, CREDENTIALS, EMSP, HUB, Stage

Header = tuple[bytes, bytes]

LENGTH: Final = b"Content-Length"


@dataclass(frozen=True, slots=True)
class Spoken:
    """One request. Its Content-Length is written unless `headers` have one, or a Transfer-Encoding."""

    name: str
    method: bytes
    target: bytes
    headers: tuple[Header, ...]
    body: bytes = b""
    version: bytes = b"HTTP/1.1"

    def written(self) -> bytes:
        """As it goes over the wire."""
        headers = self.headers
        names = {name.lower() for name, _ in headers}
        if not names & {b"content-length", b"transfer-encoding"} and (self.body or self.method != b"GET"):
            headers = (*headers, (LENGTH, b"%d" % len(self.body)))
        lines = [
            b" ".join((self.method, self.target, self.version)),
            *(name + b": " + value for name, value in headers),
        ]
        return b"\r\n".join(lines) + b"\r\n\r\n" + self.body

    def having(self, name: bytes, value: bytes) -> Spoken:
        """With this header, instead of the one of its name."""
        return replace(self, headers=(*self.without(name).headers, (name, value)))

    def without(self, name: bytes) -> Spoken:
        kept = tuple(header for header in self.headers if header[0].lower() != name.lower())
        return replace(self, headers=kept)

    def by(self, method: bytes) -> Spoken:
        return replace(self, method=method)

    def at(self, target: bytes) -> Spoken:
        return replace(self, target=target)

    def saying(self, body: bytes) -> Spoken:
        return replace(self, body=body)


def spoken(name: str, method: str, target: str, who: str, body: object = None, to: PartyId | None = None) -> Spoken:
    """A right request of a platform of the stage."""
    headers: list[Header] = [(b"Host", b"hub.example"), (b"Authorization", b"Token " + CREDENTIALS[who].encode())]
    if to is not None:
        headers += [(b"OCPI-to-country-code", to.country_code.encode()), (b"OCPI-to-party-id", to.party_id.encode())]
    if who in SPEAKS:
        by = SPEAKS[who]
        headers += [(b"OCPI-from-country-code", by.country_code.encode())]
        headers += [(b"OCPI-from-party-id", by.party_id.encode())]
    headers += [(b"X-Request-ID", b"r-1"), (b"X-Correlation-ID", b"c-1"), (b"Content-Type", b"application/json")]
    content = b"" if body is None else objects.body(body)
    return Spoken(name, method.encode(), target.encode(), tuple(headers), content)


SPEAKS: Final = {"cpo": CPO, "emsp": EMSP}
_SENDER, _RECEIVER = "/ocpi/2.2.1/sender", "/ocpi/2.2.1/receiver"


def right_calls() -> Iterator[Spoken]:
    """One of every kind that needs nothing before it."""
    url = "https://emsp.example/results/1"
    credentials, preferences = "/ocpi/2.2.1/credentials", {"profile_type": "REGULAR", "departure_time": objects.NOW}
    references, updated = {"location_id": "LOC1", "evse_uids": ["E1"]}, {"last_updated": objects.NOW}
    reserve = {"reservation_id": "R1", "expiry_date": objects.NOW} | objects.start_session(response_url=url)
    yield spoken("versions", "GET", "/ocpi/versions", "cpo")
    yield spoken("details", "GET", "/ocpi/2.2.1", "invited")
    yield spoken("credentials", "GET", credentials, "cpo")
    yield spoken("clients", "GET", "/ocpi/2.2.1/hubclientinfo?offset=0&limit=5", "cpo")
    yield spoken("register", "POST", credentials, "invited", objects.credentials())
    yield spoken("renew", "PUT", credentials, "cpo", objects.credentials())
    yield spoken("location", "PUT", f"{_RECEIVER}/locations/NL/ABC/LOC1", "cpo", objects.location())
    yield spoken("location to one", "PUT", f"{_RECEIVER}/locations/NL/ABC/LOC1", "cpo", objects.location(), EMSP)
    yield spoken("evse", "PUT", f"{_RECEIVER}/locations/NL/ABC/LOC1/E1", "cpo", objects.evse(), HUB)
    status = {"status": "CHARGING"} | updated
    yield spoken("evse status", "PATCH", f"{_RECEIVER}/locations/NL/ABC/LOC1/E1", "cpo", status)
    yield spoken("connector", "PATCH", f"{_RECEIVER}/locations/NL/ABC/LOC1/E1/1", "cpo", objects.connector())
    yield spoken("tariff", "PUT", f"{_RECEIVER}/tariffs/NL/ABC/T1", "cpo", objects.tariff())
    yield spoken("no tariff", "DELETE", f"{_RECEIVER}/tariffs/NL/ABC/T1", "cpo")
    yield spoken("token", "PUT", f"{_RECEIVER}/tokens/DE/XYZ/012345678?type=RFID", "emsp", objects.token())
    yield spoken("token valid", "PATCH", f"{_RECEIVER}/tokens/DE/XYZ/012345678", "emsp", {"valid": False} | updated)
    yield spoken("session", "PUT", f"{_RECEIVER}/sessions/NL/ABC/S1", "cpo", objects.session())
    more = {"charging_periods": [objects.charging_period()]} | updated
    yield spoken("session on", "PATCH", f"{_RECEIVER}/sessions/NL/ABC/S1", "cpo", more, EMSP)
    yield spoken("cdr", "POST", f"{_RECEIVER}/cdrs", "cpo", objects.cdr())
    yield spoken("preferences", "PUT", f"{_SENDER}/sessions/S1/charging_preferences", "emsp", preferences, CPO)
    yield spoken("authorize", "POST", f"{_SENDER}/tokens/0123/authorize?type=RFID", "cpo", references, EMSP)
    listed = f"{_SENDER}/locations?offset=0&limit=10&date_from=2026-01-01T00:00:00Z"
    yield spoken("list", "GET", listed, "emsp", None, CPO)
    yield spoken("one", "GET", f"{_SENDER}/locations/LOC1/E1/1", "emsp", None, CPO)
    yield spoken("stored one", "GET", f"{_RECEIVER}/tokens/DE/XYZ/0123?type=RFID", "emsp", None, CPO)
    yield spoken(
        "start", "POST", f"{_RECEIVER}/commands/START_SESSION", "emsp", objects.start_session(response_url=url), CPO
    )
    yield spoken("reserve", "POST", f"{_RECEIVER}/commands/RESERVE_NOW", "emsp", reserve, CPO)
    profile = objects.set_charging_profile(response_url=url)
    yield spoken("profile", "PUT", f"{_RECEIVER}/chargingprofiles/S1", "emsp", profile, CPO)
    asked = f"{_RECEIVER}/chargingprofiles/S1?duration=900&response_url=https%3A%2F%2Femsp.example%2Fa"
    yield spoken("active profile", "GET", asked, "emsp", None, CPO)


async def made_urls(at: Stage) -> dict[str, str]:
    """A URL of each kind that the hub makes, as its recipient got it: command, profile, page, cdr; without the host."""
    calls = {call.name: call for call in right_calls()}
    made = {}
    for kind, name in (("command", "start"), ("profile", "profile")):
        await at.ask(calls[name].written())
        made[kind] = orjson.loads(at.recipients.bodies[-1])["response_url"]
    heard = await at.ask(calls["list"].written())
    assert heard is not None
    made["page"] = heard.headers["link"].partition("<")[2].partition(">")[0]
    heard = await at.ask(calls["cdr"].written())
    assert heard is not None
    made["cdr"] = heard.headers["location"]
    return {kind: url.removeprefix(at.settings.public_url) for kind, url in made.items()}


def right_callbacks(made: dict[str, str]) -> Iterator[Spoken]:
    """The calls of URLs that the hub made."""
    yield spoken("result", "POST", made["command"], "cpo", {"result": "ACCEPTED"}, EMSP)
    yield spoken("profile result", "POST", made["profile"], "cpo", {"result": "ACCEPTED"})
    yield spoken("next page", "GET", made["page"], "emsp", None, CPO)
    yield spoken("cdr again", "GET", made["cdr"], "cpo")

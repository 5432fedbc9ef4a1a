"""P10, a clear no: whatever is wrong with a call, the answer is an envelope, and the hub goes on."""

from __future__ import annotations

import random
from base64 import b64encode
from typing import Any

import orjson
import pytest

from connectors.sample import SamplePlatform
from tests.scenarios import bodies
from tests.scenarios.hub import RunningHub
from tests.scenarios.parties import HUB, SENDER, Parties, check, party_of
from tests.scenarios.raw import RawAnswer, exchange, request

LOCATION = "/ocpi/2.2.1/sender/locations/LOC0001"


def authorization(platform: SamplePlatform) -> dict[str, str | bytes]:
    assert platform.peer is not None
    return {"Authorization": "Token " + b64encode(platform.peer.credential.encode()).decode()}


def is_clear(answer: RawAnswer, *, most: int = 499) -> RawAnswer:
    """An envelope with a sentence, and not the hub's own failure."""
    assert answer.headers["content-type"] == "application/json", answer
    envelope = answer.envelope
    assert envelope.get("status_message") or envelope["status_code"] == 1000, answer
    assert answer.http_status <= most, answer
    return answer


NOT_HTTP = {
    "nonsense": b"nonsense\r\n\r\n",
    "a method of signs": b"G\x01T / HTTP/1.1\r\nHost: x\r\n\r\n",
    "no version": b"GET /ocpi/versions\r\n\r\n",
    "another version": b"GET /ocpi/versions HTTP/9.9\r\nHost: x\r\n\r\n",
    "a header without a colon": b"GET /ocpi/versions HTTP/1.1\r\nHost: x\r\nbroken\r\n\r\n",
    "a header's name with a blank": b"GET /ocpi/versions HTTP/1.1\r\nHost: x\r\nX Y: z\r\n\r\n",
    "a length of letters": b"PUT /ocpi/versions HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n",
    "a negative length": b"PUT /ocpi/versions HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
    "two lengths": b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "length and chunks":
        b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a header of 64 KiB": b"GET /ocpi/versions HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 65_536 + b"\r\n\r\n",
    "a request line of 64 KiB": b"GET /" + b"y" * 65_536 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 40 + b"\r\n\r\n",
}  # fmt: skip


@pytest.mark.parametrize("name", NOT_HTTP)
async def test_p10_what_is_not_http_gets_an_envelope_too(hub: RunningHub, name: str) -> None:
    answer = is_clear(await exchange(hub, NOT_HTTP[name]))
    assert answer.http_status in (400, 401), answer


_SENDER, _RECEIVER = b"/ocpi/2.2.1/sender/", b"/ocpi/2.2.1/receiver/"

TARGETS = (
    b"*", b"?", b"//", b"http://[/ocpi", b"http://other.example/ocpi/versions",
    *(_SENDER + rest for rest in (
        b"locations/%", b"locations/%zz", b"locations/%ff%fe", b"locations/%00", b"locations/..%2f..%2fetc", b"../..",
        b"locations/" + b"x" * 6000, b"locations/\xc3\xa9", b"locations/%F0%9F%98%80", b"locations/\xff#x",
        b"locations?page=", b"locations?page=%ff", b"locations?page=a&page=b", b"locations?page=" + b"A" * 43,
        b"locations?page=\xff",
    )),
    *(_RECEIVER + rest for rest in (
        b"cdrs/" + b"A" * 43, b"cdrs/%C3%A9" + b"A" * 42, b"cdrs/" + b"B" * 200, b"locations/N/T/L",
        b"locations/%00%00/TNM/L", b"tokens/NL/TNM/T?type=RFID&type=OTHER",
    )),
)  # fmt: skip


@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "PATCH", "DELETE", "BREW"])
async def test_p10_odd_targets(parties: Parties, method: str) -> None:
    cpo, emsp = await parties.pair()
    to = party_of(cpo)
    routing = {"OCPI-to-country-code": to.country_code, "OCPI-to-party-id": to.party_id}
    for target in TARGETS:
        for headers in (authorization(emsp), authorization(emsp) | routing, {}):
            asked = request(parties.hub, target, method=method, headers=headers, body=b"{}")
            is_clear(await exchange(parties.hub, asked), most=404 if method == "GET" else 405)


HEADERS: tuple[dict[str, str | bytes], ...] = (
    {"OCPI-to-country-code": b"\xff\xfe", "OCPI-to-party-id": b"\x80"},
    {"OCPI-to-country-code": "NL" * 2000, "OCPI-to-party-id": "TNM"},
    {"OCPI-from-country-code": "\u00e9\u00e9", "OCPI-from-party-id": "TNM"},
    {"X-Request-ID": b"\xff"}, {"X-Correlation-ID": b"a\tb"}, {"X-Request-ID": b"\x1b[31m"},
    {"Content-Encoding": "gzip"}, {"Content-Encoding": "nonsense"}, {"Content-Type": b"\xff/\xff"},
    {"Expect": "100-continue"}, {"Expect": "nonsense"}, {"Connection": "Upgrade", "Upgrade": "websocket"},
    {"Transfer-Encoding": "nonsense"}, {"Host": ""}, {"Range": "bytes=0-1"}, {"Accept": "text/html"},
    {"If-None-Match": "*"}, {"Cookie": "a=b"}, {"Content-Length": "2", "Accept-Encoding": "zstd"},
)  # fmt: skip


@pytest.mark.parametrize("number", range(len(HEADERS)))
async def test_p10_odd_headers(parties: Parties, number: int) -> None:
    cpo, emsp = await parties.pair()
    to = party_of(cpo)
    routing = {"OCPI-to-country-code": to.country_code, "OCPI-to-party-id": to.party_id}
    for method, target in (("GET", LOCATION), ("POST", "/ocpi/2.2.1/sender/tokens/T/authorize"),
                           ("PUT", f"/ocpi/2.2.1/receiver/tokens/{'/'.join(party_of(emsp))}/T")):  # fmt: skip
        headers = authorization(emsp) | routing | HEADERS[number]
        body = b"" if method == "GET" else b"{}"
        answer = await exchange(parties.hub, request(parties.hub, target, method=method, headers=headers, body=body))
        is_clear(answer, most=417)


async def test_p10_bodies_that_are_nearly_right(hasty: Parties) -> None:
    """Each value of a good body replaced by each of many wrong ones, at a seeded few places."""
    cpo, emsp = await hasty.pair()
    chance = random.Random(3)
    wrong: tuple[Any, ...] = (None, True, 0, -1, 1e308, "", "x" * 5000, "\u0000", "\ud7ff", [], [[]], {}, {"a": []})
    cases = {
        "locations": (bodies.location(party_of(cpo), "L1"), f"receiver/locations/{'/'.join(party_of(cpo))}/L1", "PUT"),
        "sessions": (bodies.session(cpo, emsp, "S1"), f"receiver/sessions/{'/'.join(party_of(cpo))}/S1", "PUT"),
        "cdrs": (bodies.cdr(cpo, emsp, "C1"), "receiver/cdrs", "POST"),
    }
    for body, path, method in cases.values():
        for _ in range(40):
            spoilt = orjson.loads(orjson.dumps(body))
            at: Any = spoilt
            while True:
                key = chance.choice(list(at) if isinstance(at, dict) else range(len(at)))
                if isinstance(at[key], dict | list) and at[key] and chance.random() < 0.7:
                    at = at[key]
                    continue
                at[key] = chance.choice(wrong)
                break
            asked = request(
                hasty.hub, f"/ocpi/2.2.1/{path}", method=method, headers=authorization(cpo), body=orjson.dumps(spoilt)
            )
            answer = await exchange(hasty.hub, asked)
            assert answer.envelope["status_code"], answer
            assert answer.http_status < 500, answer
    for huge in (
        b'{"id":' + b"9" * 50_000 + b"}",
        b'{"id":1e999999}',
        b'{"a":"\\ud800"}',
        b'{"a":"' + b"\\u0000" * 5000 + b'"}',
    ):
        for body, path, method in cases.values():
            merged = orjson.dumps(body)[:-1] + b"," + huge[1:]
            for content in (huge, merged):
                asked = request(
                    hasty.hub, f"/ocpi/2.2.1/{path}", method=method, headers=authorization(cpo), body=content
                )
                answer = await exchange(hasty.hub, asked)
                assert answer.envelope["status_code"] and answer.http_status < 500, answer


async def test_p10_after_all_of_it_the_hub_serves_and_logged_no_defect(parties: Parties, hasty: Parties) -> None:
    for at in (parties, hasty):
        cpo, emsp = await at.pair()
        check(await emsp.call("GET", "locations", SENDER, "LOC0001", to=party_of(cpo)), 200, 1000)
        answer = await emsp.call("GET", "locations", SENDER, "LOC0001", to=HUB)
        check(answer, 200, 2001)
        for defect in ("call_broke", "request_not_answered", "worker_trouble"):
            assert not at.hub.events(defect), at.hub.events(defect)[:1]
        assert "Traceback" not in at.hub.output()

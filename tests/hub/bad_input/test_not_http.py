"""What is no HTTP, or could be read in two ways: 400 with an envelope, nothing of it done, and the connection ends."""

from __future__ import annotations

import asyncio
from typing import Final

import pytest

from tests.hub.bad_input import nasties
from tests.hub.bad_input.spoken import spoken
from tests.hub.bad_input.stage import CREDENTIALS, Stage, stage

RIGHT: Final = spoken("tariff", "DELETE", "/ocpi/2.2.1/receiver/tariffs/NL/ABC/T1", "cpo")
HEAD: Final = b"PUT /ocpi/2.2.1/receiver/tariffs/NL/ABC/T1 HTTP/1.1\r\nHost: h\r\nAuthorization: Token " + b"c" * 40
LONG: Final = b"y" * 8192

NOT_HTTP: Final = {
    "nonsense": b"nonsense\r\n\r\n",
    "nothing but a line": b"\r\nx\r\n\r\n",
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 40,
    "http/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "ssh": b"SSH-2.0-OpenSSH_9.6\r\n",
    "another version": b"GET / HTTP/9.9\r\nHost: h\r\n\r\n",
    "lines without a carriage return": b"GET / HTTP/1.1\nHost: h\n\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "a header without a colon": b"GET / HTTP/1.1\r\nHost: h\r\nbroken\r\n\r\n",
    "a name with a blank": b"GET / HTTP/1.1\r\nHost: h\r\nX Y: z\r\n\r\n",
    "a blank before the colon": b"GET / HTTP/1.1\r\nHost: h\r\nX : z\r\n\r\n",
    "a folded header": b"GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n",
    "too many headers": b"GET / HTTP/1.1\r\nHost: h\r\n" + b"X: y\r\n" * 200 + b"\r\n",
    "a header line of 8 kb": b"GET / HTTP/1.1\r\nHost: h\r\nX: " + LONG + b"\r\n\r\n",
    "a header name of 8 kb": b"GET / HTTP/1.1\r\nHost: h\r\nX" + LONG + b": y\r\n\r\n",
    "a request line of 8 kb": b"GET /" + LONG + b" HTTP/1.1\r\nHost: h\r\n\r\n",
    "a header without an end": b"GET / HTTP/1.1\r\nHost: h\r\nX: " + LONG * 100,
    "length and chunks": HEAD + b"\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and length": HEAD + b"\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n",
    "two lengths": HEAD + b"\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "the same length twice": HEAD + b"\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
    "a list of lengths": HEAD + b"\r\nContent-Length: 2, 2\r\n\r\n{}",
    "a negative length": HEAD + b"\r\nContent-Length: -2\r\n\r\n{}",
    "a signed length": HEAD + b"\r\nContent-Length: +2\r\n\r\n{}",
    "a length in hex": HEAD + b"\r\nContent-Length: 0x2\r\n\r\n{}",
    "a length over all bounds": HEAD + b"\r\nContent-Length: 18446744073709551617\r\n\r\n{}",
    "chunks that are not last": HEAD + b"\r\nTransfer-Encoding: chunked, identity\r\n\r\n{}",
    "an unknown transfer coding": HEAD + b"\r\nTransfer-Encoding: nonsense\r\n\r\n{}",
    "chunked twice": HEAD + b"\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a vertical tab before chunked": HEAD + b"\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
} | {
    f"{sign!r} in a header": HEAD + b"\r\nX: a" + sign + b"\r\n\r\n" for sign in nasties.CONTROLS
} | {
    f"{sign:#04x} in the url": b"GET /a%cb HTTP/1.1\r\nHost: h\r\n\r\n" % sign for sign in (*range(9), 11, 14, 27, 31)
}  # fmt: skip


async def refused(at: Stage, said: bytes, *, after: bytes = b"") -> None:
    line = at.connect()
    if after:
        line.say(after)
        first = await line.hear()
        assert first is not None and first.http_status == 200
        await asyncio.sleep(1)  # a broadcast is answered before it is delivered
    done = len(at.recipients.bodies)
    line.say(said)
    heard = await line.hear()
    assert heard is not None
    assert heard.answer == (400, 2001)
    assert heard.headers["connection"] == "close"
    assert len(heard.message) > 40
    assert not any(secret in heard.message for secret in CREDENTIALS.values())
    assert await line.hear() is None
    assert at.loop.now < at.settings.header_seconds
    assert len(at.recipients.bodies) == done


@pytest.mark.parametrize("name", NOT_HTTP)
def test_p10_what_is_not_http_is_400_with_an_envelope_and_the_connection_ends(name: str) -> None:
    with stage() as at:
        at.run(refused(at, NOT_HTTP[name]))
        at.run(refused(at, NOT_HTTP[name], after=RIGHT.written()))
        assert at.said() == []


def test_what_comes_before_it_is_answered_before_it() -> None:
    async def story(at: Stage) -> None:
        line = at.connect()
        line.say(RIGHT.written() * 3)
        line.say(b"nonsense\r\n\r\n" + RIGHT.written())
        heard = [await line.hear() for _ in range(4)]
        assert [one.answer for one in heard if one is not None] == [(200, 1000)] * 3 + [(400, 2001)]
        assert await line.hear() is None

    with stage() as at:
        at.run(story(at))
        assert at.said() == []


def test_what_comes_in_one_piece_with_it_is_refused_with_it_and_not_done() -> None:
    """The library gives up what it has read of a piece that it cannot read to its end."""
    with stage() as at:
        at.run(refused(at, RIGHT.written() * 3 + b"nonsense\r\n\r\n"))
        assert at.said() == []

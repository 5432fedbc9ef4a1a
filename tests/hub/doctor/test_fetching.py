"""What keeps a URL from answering is said in a sentence, with what to do."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from hub.doctor.fetching import Fetched, NotFetched, fetch

Answering = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def answering(answer: bytes | None) -> AsyncIterator[int]:
    """A port that answers so, or never."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        if answer is not None:
            writer.write(answer)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def told(url: str) -> tuple[str, str]:
    with pytest.raises(NotFetched) as caught:
        await asyncio.to_thread(fetch, url, within=0.5)
    return str(caught.value), caught.value.do


async def test_an_answer_is_its_status_and_body() -> None:
    async with answering(b"HTTP/1.1 401 No\r\nContent-Length: 2\r\n\r\n{}") as port:
        assert await asyncio.to_thread(fetch, f"http://127.0.0.1:{port}/x") == Fetched(401, b"{}")


@pytest.mark.parametrize(
    ("answer", "scheme", "said"),
    [
        (b"220 mail\r\n", "http", "does not answer as it should"),
        (b"", "http", "does not answer as it should"),
        (None, "http", "does not answer within 0.5 s"),
        (b"HTTP/1.1 400 No\r\n\r\n", "https", "speaks no TLS that can be used"),
    ],
)
async def test_what_is_no_answer_is_told(answer: bytes | None, scheme: str, said: str) -> None:
    async with answering(answer) as port:
        sentence, do = await told(f"{scheme}://127.0.0.1:{port}/")
    assert said in sentence
    assert f"127.0.0.1:{port}" in sentence
    assert do


async def test_nobody_there_and_no_such_name() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert "refuses connections" in (await told(f"http://127.0.0.1:{port}/"))[0]
    assert "the name nobody.invalid is not known" in (await told("http://nobody.invalid/"))[0]


async def test_a_certificate_that_cannot_be_verified_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        error = ssl.SSLCertVerificationError(1, "certificate verify failed")
        error.verify_message = "certificate has expired"
        raise error

    monkeypatch.setattr("http.client.HTTPSConnection.request", fail)
    sentence, do = await told("https://hub.example/")
    assert sentence == "the certificate of hub.example:443 is not good: certificate has expired"
    assert "renew it" in do

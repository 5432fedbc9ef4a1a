"""An answer without end costs little memory. Measured in a process of its own, where nothing else was at its peak."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tests.connectors.client.peers import Listen, Peer

GIGABYTE = 1 << 30

CALLER = """
import asyncio, resource, sys
from ipaddress import ip_network
from connectors.client.client import Client
from connectors.errors import HubError

async def main(url):
    client = Client([ip_network("127.0.0.1/32")])
    await client.start()
    await client.send("GET", url + "/small", {}, None, within=10)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for path in ("/chunked", "/plain"):
        try:
            await client.send("GET", url + path, {}, None, within=10)
        except HubError as error:
            assert "limit of 16777216 bytes" in error.message, error
        else:
            raise AssertionError
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
    await client.close()

asyncio.run(main(sys.argv[1]))
"""


async def test_a_gigabyte_grows_memory_by_at_most_32_mib(listen: Listen) -> None:
    async def pouring(peer: Peer, writer: asyncio.StreamWriter) -> None:
        block = b"x" * 65536
        if b"/small" in peer.requests[-1]:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
            return
        chunked = b"/chunked" in peer.requests[-1]
        writer.write(b"HTTP/1.1 200 OK\r\n" + (b"Transfer-Encoding: chunked\r\n\r\n" if chunked else b"\r\n"))
        for _ in range(GIGABYTE // len(block)):
            writer.write(b"10000\r\n" + block + b"\r\n" if chunked else block)
            await writer.drain()

    peer = await listen(pouring)
    caller = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", CALLER, peer.url),
        cwd=Path(__file__).parents[3],
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(caller.communicate(), 60)
    assert caller.returncode == 0, err.decode()
    assert int(out) <= 32 << 20

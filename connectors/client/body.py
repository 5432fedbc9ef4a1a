"""The body of an answer, read and decoded within a limit, whatever the peer sends."""

from __future__ import annotations

import zlib
from typing import Final

from aiohttp import ClientResponse, hdrs
from multidict import CIMultiDict, CIMultiDictProxy

from connectors.client.holding import Holding
from connectors.errors import HubError

_ANY_ZLIB: Final = 32 + zlib.MAX_WBITS
_RAW_DEFLATE: Final = -zlib.MAX_WBITS
_GZIP: Final = ("gzip", "x-gzip")


async def read(response: ClientResponse, limit: int, holding: Holding, origin: str) -> bytes:
    """The whole body as it came. Raises HubError over `limit` bytes or what `holding` allows, and what aiohttp does."""
    content = response.content
    if not content.is_eof() and (response.content_length or 0) > limit:
        raise _over(limit)
    first = await content.readany()
    if len(first) > limit:
        raise _over(limit)
    if content.at_eof():
        return first
    held = 0
    body = bytearray(first)
    try:
        while chunk := await content.readany():
            body += chunk
            if len(body) > limit:
                raise _over(limit)
            holding.hold(origin, len(body) - held)
            held = len(body)
        return bytes(body)
    finally:
        holding.release(origin, held)


def decoded(headers: CIMultiDictProxy[str], body: bytes, limit: int) -> tuple[CIMultiDictProxy[str], bytes]:
    """Headers and body without their content encoding; raises HubError for an unknown or broken one, or over `limit`.

    The hub asks for none (Accept-Encoding: identity), but some servers compress whatever they are asked.
    """
    coding = headers.get(hdrs.CONTENT_ENCODING, "").strip().lower()
    if coding in ("", "identity") or not body:
        return headers, body
    if coding not in (*_GZIP, "deflate"):
        raise HubError(f"the answer has Content-Encoding {coding[:40]!a}; send it as identity or gzip")
    # "deflate" means zlib's format, yet some servers send it bare; the low four bits of the first byte tell.
    inflate = zlib.decompressobj(_RAW_DEFLATE if coding == "deflate" and body[0] & 0x0F != 8 else _ANY_ZLIB)
    try:
        plain = inflate.decompress(body, limit + 1)
    except zlib.error:
        raise HubError(f"the answer's body is not the {coding} that its Content-Encoding promises") from None
    if len(plain) > limit:
        raise _over(limit)
    if not inflate.eof or inflate.unused_data:
        raise HubError(f"the answer's body is not one whole {coding} stream")
    kept = CIMultiDict(headers)
    kept.popall(hdrs.CONTENT_ENCODING)
    kept.popall(hdrs.CONTENT_LENGTH, None)
    return CIMultiDictProxy(kept), plain


def _over(limit: int) -> HubError:
    return HubError(f"the answer's body is over the limit of {limit} bytes")

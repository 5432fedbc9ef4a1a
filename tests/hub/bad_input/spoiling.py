"""Right requests spoilt at one place each, with every nasty value: the corpus, the same at every run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import orjson

from tests.hub.bad_input import nasties
from tests.hub.bad_input.spoken import Spoken

_HOLE = b'"{hole}"'


def methods(call: Spoken) -> Iterator[Spoken]:
    for method in nasties.METHODS:
        yield replace(call, method=method)
    for version in nasties.VERSIONS:
        yield replace(call, version=version)


def headers(call: Spoken, *, every: bool) -> Iterator[Spoken]:
    """Each header gone, twice, and with nasty values: with a third of them, in turns, of its own headers only.

    `every` is with all of them, and of many headers that the call does not have.
    """
    own = tuple(dict.fromkeys(name for name, _ in call.headers))
    for name in own:
        yield call.without(name)
        yield replace(call, headers=(*call.headers, (name, b"more")))
        yield replace(call, headers=tuple((n.upper() if n == name else n, v) for n, v in call.headers))
    values = (*nasties.TEXTS, *nasties.WORDS, *nasties.CONTROLS)
    for at, name in enumerate(nasties.HEADER_NAMES if every else own):
        for value in values if every else values[(at + len(call.target)) % 3 :: 3]:
            yield call.having(name, value)
    if not every:
        return
    for name in (*nasties.TEXTS, *nasties.CONTROLS):
        yield call.having(name, b"value")
    yield replace(call, headers=call.headers * 20)
    yield replace(call, headers=(*call.headers, *((b"X-%d" % at, b"y" * 200) for at in range(150))))
    for size in (8_150, 8_300, 70_000):
        yield call.having(b"X-Long", b"y" * size)
        yield call.having(b"X" * size, b"y")


def targets(call: Spoken) -> Iterator[Spoken]:
    """Every target of the corpus, each segment and each value of the query replaced, and more of both."""
    for target in nasties.TARGETS:
        yield replace(call, target=target)
    path, _, query = call.target.partition(b"?")
    segments = path.split(b"/")
    for at in range(1, len(segments)):
        for turn, text in enumerate((*nasties.TEXTS, *nasties.CONTROLS)):
            written = text if (turn + at + len(call.name)) % 2 else encoded(text)
            spoilt = b"/".join((*segments[:at], written, *segments[at + 1 :]))
            yield replace(call, target=spoilt + (b"?" + query if query else b""))
        yield replace(call, target=b"/".join((*segments[:at], *segments[at + 1 :])))
        yield replace(call, target=b"/".join((*segments[:at], b"more", *segments[at:])))
    for more in nasties.QUERIES:
        yield replace(call, target=path + b"?" + more)
        yield replace(call, target=call.target + (b"&" if query else b"?") + more)
    pairs = query.split(b"&") if query else []
    for at, pair in enumerate(pairs):
        name = pair.partition(b"=")[0]
        for text in nasties.TEXTS:
            spoilt = b"&".join((*pairs[:at], name + b"=" + encoded(text), *pairs[at + 1 :]))
            yield replace(call, target=path + b"?" + spoilt)


def fields(call: Spoken, *, every: int = 4) -> Iterator[Spoken]:
    """Each value of the body gone, and replaced by nasty ones: by one of so many at each place, in turns."""
    if not call.body:
        return
    for at, way in enumerate(ways(orjson.loads(call.body))):
        holed = replaced(call.body, way, _HOLE[1:-1].decode())
        for value in nasties.VALUES[at % every :: every]:
            yield replace(call, body=holed.replace(_HOLE, value))
        yield replace(call, body=_removed(call.body, way))


def bodies(call: Spoken) -> Iterator[Spoken]:
    """The body as a whole spoilt, cut off at every so many bytes, and each of some bytes another."""
    for _, body, more in nasties.whole(call.body or b"{}"):
        spoilt = replace(call, body=body)
        for name in {name for name, _ in more}:
            spoilt = spoilt.without(name)
        yield replace(spoilt, headers=(*spoilt.headers, *more))
    step = max(1, len(call.body) // 40)
    for at in range(0, len(call.body), step):
        yield replace(call, body=call.body[:at])
        for sign in (b"\0", b'"', b"\\", b"{", b"\xff", b","):
            yield replace(call, body=call.body[:at] + sign + call.body[at + 1 :])


# --- how -------------------------------------------------------------------------------------------------------------


def encoded(text: bytes) -> bytes:
    """Percent-encoded, whatever it is."""
    return re.sub(rb"[^A-Za-z0-9._~-]", lambda hit: b"%%%02X" % hit[0][0], text)


Way = tuple[str | int, ...]


def ways(value: Any, way: Way = ()) -> Iterator[Way]:
    """Where every value of a JSON document stands."""
    yield way
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield from ways(item, (*way, key))


def replaced(body: bytes, way: Way, value: Any) -> bytes:
    """A JSON document with another value in one place."""
    if not way:
        return orjson.dumps(value)
    document = orjson.loads(body)
    _parent(document, way)[way[-1]] = value
    return orjson.dumps(document)


def _removed(body: bytes, way: Way) -> bytes:
    if not way:
        return b""
    document = orjson.loads(body)
    del _parent(document, way)[way[-1]]
    return orjson.dumps(document)


def _parent(document: Any, way: Way) -> Any:
    for key in way[:-1]:
        document = document[key]
    return document

"""What every answer must be, whatever was asked (promise 10), and what the hub must be after any number of them."""

from __future__ import annotations

import asyncio
import re
from typing import Final

from connectors.v2_2_1.catalogue import CATALOGUE
from connectors.values import Module
from tests.hub.bad_input.line import Heard
from tests.hub.bad_input.stage import CREDENTIALS, Stage

STATUSES: Final = frozenset((200, 400, 401, 404, 405, 408, 413, 429))
"""What a caller may be answered for what it did itself: no 5xx."""

_LABEL: Final = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_WORDS: Final = frozenset(row.id for row in CATALOGUE.rows) | frozenset(
    (*Module, *CREDENTIALS, "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "OTHER")
)
_PLAIN: Final = re.compile(r"[0-9.e+-]+|[1-5]xxx?|\+Inf|[A-Z_]{6,12}|[a-z_]{4,20}")
"""Statuses and bounds of buckets; states of connections and outcomes, other, unknown and the like."""


def judge(heard: Heard | None, *, head: bool = False, theirs: bool = False) -> None:
    """An envelope of the hub's with a sentence, or a recipient's own answer (`theirs`: of whatever form)."""
    assert heard is not None, "closed without an answer"
    if theirs and (b"theirs" in heard.body):
        return
    assert heard.http_status in STATUSES, heard
    if head:
        assert heard.body == b""
        return
    envelope = heard.envelope
    if "theirs" in envelope:
        return
    assert heard.headers["content-type"] == "application/json"
    assert 1000 <= envelope["status_code"] < 5000, heard
    assert envelope["status_code"] == 1000 or len(envelope["status_message"]) >= 10, heard
    assert heard.http_status == 200 or envelope["status_code"] >= 2000, heard
    told = str(envelope.get("status_message"))
    assert not any(secret in told for secret in (*CREDENTIALS.values(), "p" * 40)), heard
    assert "Traceback" not in told and "object at 0x" not in told, heard


async def nothing_grew(at: Stage, tasks: int) -> None:
    """Nothing is in flight or held, nobody waits, and no label of a metric is a caller's word.

    `tasks` is how many there were before.
    """
    await asyncio.sleep(200)
    for _ in range(60):  # what a recipient did not take is tried again now and then, and between is nothing
        if at.tasks() > tasks:
            await asyncio.sleep(1)
    assert at.traces() == []
    assert at.tasks() <= tasks, asyncio.all_tasks(at.loop)
    assert at.edge.limits.bytes == 0
    assert all((use.bytes, use.calls) == (0, 0) for use in at.edge.limits.uses)
    assert at.waiting() == 0
    for name, value in _LABEL.findall("\n".join(at.samples())):
        assert value in _WORDS or _PLAIN.fullmatch(value), (name, value)

"""Outcome records are published many at a time, in order, and again where the log did not take them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from routing.log.port import PublishRefused
from routing.worker.outcomes import Outcomes, Ready


class Log:
    """Takes batches when it is let; only what outcomes ask of a log."""

    def __init__(self) -> None:
        self.batches: list[list[bytes]] = []
        self.answers: list[asyncio.Future[None]] = []

    def publish_all(self, topic: str, records: Sequence[Ready], *, within: float) -> asyncio.Future[None]:
        self.batches.append([key for key, _, _ in records])
        self.answers.append(asyncio.get_running_loop().create_future())
        return self.answers[-1]


def made() -> tuple[Outcomes, Log, list[str]]:
    log, trouble = Log(), list[str]()
    of_a_log: Any = log
    return Outcomes(of_a_log, settled=lambda _: None, trouble=trouble.append), log, trouble


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_what_comes_while_a_batch_is_under_way_is_gathered_for_the_next() -> None:
    """Else each batch would have but the few that came during the one before, as long as events keep settling."""
    outcomes, log, _ = made()
    outcomes.tell((b"1", (), b""))
    flushing = asyncio.ensure_future(outcomes.flush())
    await turns()
    for key in (b"2", b"3"):
        outcomes.tell((key, (), b""))
    log.answers[0].set_result(None)
    async with asyncio.timeout(5):
        await flushing
    assert log.batches == [[b"1"]]
    flushing = asyncio.ensure_future(outcomes.flush())
    await turns()
    log.answers[1].set_result(None)
    await flushing
    assert log.batches == [[b"1"], [b"2", b"3"]]


async def test_what_the_log_did_not_take_goes_again_before_what_came_meanwhile() -> None:
    outcomes, log, trouble = made()
    outcomes.tell((b"1", (), b""))
    flushing = asyncio.ensure_future(outcomes.flush())
    await turns()
    outcomes.tell((b"2", (), b""))
    log.answers[0].set_exception(PublishRefused("no"))
    async with asyncio.timeout(5):
        while len(log.answers) == 1:
            await asyncio.sleep(0.01)
    log.answers[1].set_result(None)
    await flushing
    assert [keys[0] for keys in log.batches] == [b"1", b"1"]
    assert len(trouble) == 1
    flushing = asyncio.ensure_future(outcomes.flush())
    await turns()
    log.answers[2].set_result(None)
    await flushing
    assert log.batches[2] == [b"2"]

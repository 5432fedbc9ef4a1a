"""Fixtures: a sample CPO and a sample eMSP, registered with one another without a hub."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import NamedTuple

import pytest

from connectors.sample import Call, SamplePlatform, sample_cpo, sample_emsp


class Pair(NamedTuple):
    """A CPO and an eMSP that are each other's peer, and every call that either made or served."""

    cpo: SamplePlatform
    emsp: SamplePlatform
    calls: list[Call]


@pytest.fixture
async def strangers() -> AsyncIterator[Pair]:
    """Both running, not registered."""
    calls: list[Call] = []
    cpo = sample_cpo(result_delay=0.001, control=True, on_call=calls.append)
    emsp = sample_emsp(result_delay=0.001, on_call=calls.append)
    async with cpo, emsp:
        yield Pair(cpo, emsp, calls)


@pytest.fixture
async def pair(strangers: Pair) -> Pair:
    """Both registered: the eMSP at the CPO's versions URL."""
    await strangers.emsp.register(strangers.cpo.versions_url, strangers.cpo.invite())
    strangers.calls.clear()
    strangers.cpo.received.clear()
    strangers.emsp.received.clear()
    return strangers

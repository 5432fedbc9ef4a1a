"""The harness of fleets: whose a connection is, who a former owner is, what is judged of it and what is not."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys

from connectors.values import PartyId, Role
from routing.event import Event, Operation
from routing.log.port import Position, TopicPartition
from tests.chaos import kinds, plans
from tests.chaos.pauses import Pauses
from tests.chaos.peers import owner
from tests.judging import Facts, Stood, judge
from tests.witnesses import Begun, Recipient

EMSP = PartyId("DE", "SLO")
TP = TopicPartition("ocpi.tariffs", 3)
FORMER, OTHER = 101, 102


def stood(seq: int, *, late: bool = False, append_time: int = 0) -> Stood:
    event = Event(
        id=f"e{seq}", module="tariffs", owner=PartyId("NL", "TNM"), object_id="T1", operation=Operation.PUT,
        path=("NL", "TNM", "T1"), query="", audience=None, sender=PartyId("NL", "TNM"), sender_role=Role.CPO,
        platform="p", accepted=0, expires=2**60, request_id=str(seq), correlation_id=str(seq), revision=1,
        payload=body(seq),
    )  # fmt: skip
    return Stood(event, seq, TP, Position(1, seq), late, append_time)


def body(seq: int) -> bytes:
    return b'{"id":"T1","seq":%d}' % seq


def begun(seq: int, at: float, by: int = FORMER, *, excused: bool = False) -> Begun:
    path, seqs = ("NL", "TNM", "T1"), frozenset((seq,))
    return Begun(at, "tariffs", "PUT", path, "", body(seq), seqs, processed=True, by=by, excused=excused)


def facts(requests: list[Begun], events: list[Stood], told: dict[int, int], utc: dict[int, int]) -> Facts:
    recipient = Recipient(EMSP, begun=requests)
    for request in requests:
        recipient.process(request)
    return Facts(events, told, dict.fromkeys(told, 0.0), {}, {EMSP: recipient}, [], {EMSP: "p"}, 0, told_utc=utc)


async def test_whose_a_connection_is_is_known_when_it_comes() -> None:
    came: asyncio.Queue[int] = asyncio.Queue()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.put_nowait(writer.get_extra_info("peername")[1])
        await reader.read()
        writer.close()

    servers = [await asyncio.start_server(take, "127.0.0.1", 0) for _ in range(2)]
    one, other = [server.sockets[0].getsockname()[1] for server in servers]
    callers: list[subprocess.Popen[bytes]] = []

    async def call(to: int, near: int = 0) -> int:
        """A process that is connected to a server, from this port if it is given; the port it comes from."""
        code = (
            "import socket, time; s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); "
            f"s.bind(('127.0.0.1', {near})); s.connect(('127.0.0.1', {to})); time.sleep(600)"
        )
        callers.append(subprocess.Popen([sys.executable, "-c", code]))
        return await asyncio.wait_for(came.get(), 60)

    try:
        near = await call(one)
        assert await call(other, near) == near, "both come from one port"
        first, second = (caller.pid for caller in callers)
        assert owner(near, one, [os.getpid(), second, first]) == first
        assert owner(near, other, [os.getpid(), first, second]) == second
        assert owner(near, one, [os.getpid(), second]) is None
    finally:
        for caller in callers:
            caller.kill()
            caller.wait()
        for server in servers:
            server.close()


def test_a_former_owner_that_begins_something_is_found() -> None:
    now = [0.0]
    pauses = Pauses(lambda: now[0])
    pause = pauses.begin(FORMER, "worker-1")
    assert pauses.excuses(FORMER)
    assert not pauses.excuses(OTHER)
    now[0] = 10.0
    pauses.end(pause)
    now[0] = 10.05
    assert pauses.excuses(FORMER)
    now[0] = 10.2
    assert not pauses.excuses(FORMER)
    by_seq = {1: stood(1)}
    nothing: dict[str, list[tuple[float, frozenset[TopicPartition]]]] = {"worker-1": [(-5.0, frozenset({TP}))]}
    anew = {"worker-1": [(-5.0, frozenset({TP})), (10.15, frozenset({TP}))]}
    other = {"worker-1": [(10.15, frozenset({TP._replace(partition=1)}))]}
    late, early, excused = begun(1, 10.2), begun(1, 9.9), begun(1, 10.05, excused=True)
    whose = f"by worker-1, a former owner of {TP.topic}/{TP.partition}"
    assert pauses.broken([late], by_seq, nothing) == [
        f"P2: PUT ('tariffs', 'T1', '') was begun 200 ms after SIGCONT {whose} (at 10.200)"
    ]
    assert len(pauses.broken([late], by_seq, other)) == 1
    assert pauses.broken([late], by_seq, anew) == []
    assert pauses.broken([early, excused, begun(1, 10.2, OTHER)], by_seq, nothing) == []


def test_what_is_excused_is_not_judged_for_order_and_everything_else_is() -> None:
    events, told = [stood(1), stood(2)], {1: 1000, 2: 1000}
    assert judge(facts([begun(2, 1.0, OTHER), begun(1, 2.0, excused=True)], events, told, {})) == []
    broken = judge(facts([begun(2, 1.0, OTHER), begun(1, 2.0)], events, told, {}))
    assert [sentence[:2] for sentence in broken] == ["P2", "DE"]


def test_what_was_appended_after_its_503_and_sent_is_found() -> None:
    events = [stood(1, append_time=5_000)]
    assert judge(facts([begun(1, 1.0)], events, {1: 503}, {1: 5_001})) == []
    broken = judge(facts([begun(1, 1.0)], events, {1: 503}, {1: 4_999}))
    assert broken == ["P1: seq 1 was appended after its 503 was told, and sent all the same"]
    assert judge(facts([], [stood(1, late=True)], {1: 503}, {})) == []
    assert len(judge(facts([begun(1, 1.0)], [stood(1, late=True)], {1: 503}, {}))) == 1


def test_what_is_asked_of_fleets_is_shared_out_so_that_none_meets_too_much() -> None:
    for each in (1, 3, 5, 6, 20, 23):
        counts = [plan.troubles for plan in plans.fleets(each)]
        assert all(sum(count[kind] for count in counts) == each for kind in kinds.KINDS)
        assert all(0 < count[kind] <= 3 for count in counts for kind in kinds.KINDS)

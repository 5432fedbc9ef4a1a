"""What must hold at the end of a run: P1, P2 and P5, from the log, what senders were told and recipients saw."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from connectors.values import PartyId
from routing.event import Event
from routing.log.port import Position, TopicPartition
from routing.store.port import Mark
from tests.sim.recipients import Recipient, apply


@dataclass(frozen=True, slots=True)
class Stood:
    """An event as it stands on the log. `landed_late`: appended after its expiry, so never accepted."""

    event: Event
    seq: int
    tp: TopicPartition
    position: Position
    landed_late: bool


@dataclass(slots=True)
class Facts:
    """All that a run leaves. `told` is what the sender of a seq read: an OCPI code, 503, or 0 for a cut connection."""

    stood: list[Stood]
    told: dict[int, int]
    answers: dict[int, tuple[bytes, str | None]]
    recipients: dict[PartyId, Recipient]
    marks: list[Mark]
    platform_of: dict[PartyId, str]
    unsettled: int
    broken: list[str] = field(default_factory=list)


def judge(facts: Facts) -> list[str]:
    """Sentences for everything that is broken; empty when all promises held."""
    broken = list(facts.broken)
    by_seq = {stood.seq: stood for stood in facts.stood}
    if facts.unsettled:
        broken.append(f"{facts.unsettled} events were never settled")
    broken += _never_accepted(facts, by_seq)
    for recipient in facts.recipients.values():
        broken += [f"P2: two requests in flight at {recipient.party}: {text}" for text in recipient.overlaps]
        broken += _order(facts, recipient, by_seq)
        broken += _kept(facts, recipient)
        broken += _same_state(facts, recipient)
    broken += _directed(facts, by_seq)
    broken += _cdrs(facts)
    return broken


def _never_accepted(facts: Facts, by_seq: dict[int, Stood]) -> list[str]:
    seen = {seq for recipient in facts.recipients.values() for begun in recipient.begun for seq in begun.seqs}
    broken = [f"P1: seq {seq} was appended after its expiry and sent all the same" for seq in seen
              if seq in by_seq and by_seq[seq].landed_late]  # fmt: skip
    lost = [seq for seq, code in facts.told.items() if 1000 <= code < 2000 and seq not in by_seq]
    return broken + [f"P1: seq {seq} was answered 1xxx and is not on the log" for seq in lost]


def _order(facts: Facts, recipient: Recipient, by_seq: dict[int, Stood]) -> list[str]:
    """P2: nothing older is begun after something newer, for one object."""
    del facts
    newest: dict[tuple[str, ...], Position] = {}
    broken = []
    for begun in recipient.begun:
        positions = [by_seq[seq].position for seq in begun.seqs if seq in by_seq]
        if not positions or begun.push.module == "cdrs":
            continue
        key = (begun.push.module, begun.push.path[2].upper(), begun.push.query)
        position = max(positions)
        if position < newest.get(key, position):
            broken.append(
                f"P2: {recipient.party} {key} got position {position.offset} begun at {begun.at:.3f} "
                f"after {newest[key].offset}"
            )
        newest[key] = max(position, newest.get(key, position))
    return broken


def _covered(facts: Facts, party: PartyId, stood: Stood) -> bool:
    platform = facts.platform_of[party]
    return any(
        mark.platform == platform and mark.tp == stood.tp and mark.position <= stood.position for mark in facts.marks
    )


def _key(event: Event) -> tuple[str, str]:
    return event.module, event.object_id.upper()


def _newest_seen(facts: Facts, recipient: Recipient) -> dict[tuple[str, str], Position]:
    by_seq = {stood.seq: stood for stood in facts.stood}
    newest: dict[tuple[str, str], Position] = {}
    for begun in recipient.begun:
        if not begun.processed:
            continue
        for seq in begun.seqs:
            if seq in by_seq:
                key = _key(by_seq[seq].event)
                newest[key] = max(by_seq[seq].position, newest.get(key, by_seq[seq].position))
        if begun.push.method == "DELETE":
            key = (begun.push.module, begun.push.path[2].upper())
            deletes = [s.position for s in facts.stood if _key(s.event) == key and s.event.operation == "DELETE"]
            newest[key] = max([*deletes, newest.get(key, Position(0, -1))])
    return newest


def _kept(facts: Facts, recipient: Recipient) -> list[str]:
    """P1: an accepted broadcast was seen, or something newer, or a mark covers it, or the recipient refused it."""
    newest = _newest_seen(facts, recipient)
    broken = []
    for stood in facts.stood:
        event = stood.event
        if event.audience is not None or stood.landed_late or _key(event) in recipient.refused:
            continue
        if newest.get(_key(event), Position(0, -1)) < stood.position and not _covered(facts, recipient.party, stood):
            broken.append(
                f"P1: {recipient.party} never saw {event.operation} {_key(event)} at {stood.position.offset} "
                f"(seq {stood.seq}), and no mark covers it"
            )
    return broken


def _same_state(facts: Facts, recipient: Recipient) -> list[str]:
    """What a recipient holds equals the sender's own last state, wherever everything got through."""
    ours: dict[tuple[str, str], dict[str, Any]] = {}
    unsure: set[tuple[str, str]] = set(recipient.refused)
    for stood in sorted(facts.stood, key=lambda stood: stood.position):
        event = stood.event
        if stood.landed_late or event.module == "cdrs" or event.audience not in (None, recipient.party):
            continue
        key = _key(event)
        if event.audience is not None and not 1000 <= facts.told.get(stood.seq, 0) < 2000:
            unsure.add(key)
        if event.audience is None and _covered(facts, recipient.party, stood):
            unsure.add(key)
        apply(ours, key, event.operation, event.path[3:], event.payload)
    return [
        f"{recipient.party} holds {recipient.objects.get(key)} for {key}, its owner {state}"
        for key, state in ours.items()
        if key not in unsure and recipient.objects.get(key) != state
    ]


def _directed(facts: Facts, by_seq: dict[int, Stood]) -> list[str]:
    """P1: 4003 was never seen, 1xxx was; directed pushes are begun at most once."""
    begun: Counter[int] = Counter()
    processed: set[int] = set()
    repaired: set[int] = set()
    for recipient in facts.recipients.values():
        for request in recipient.begun:
            own = [seq for seq in request.seqs if seq in by_seq and by_seq[seq].event.payload == request.push.body]
            begun.update(own)
            if request.processed:
                processed.update(request.seqs)
            repaired.update(request.seqs)
    broken = []
    for seq, code in facts.told.items():
        stood = by_seq.get(seq)
        if stood is None or stood.event.audience is None or stood.event.module == "cdrs":
            continue
        if code == 4003 and seq in repaired:
            broken.append(f"P1: seq {seq} was answered 4003 and its recipient saw it")
        if 1000 <= code < 2000 and seq not in processed:
            broken.append(f"P1: seq {seq} was answered {code} and its recipient never saw it")
        if begun[seq] > 1:
            broken.append(f"P1: the directed push seq {seq} was begun {begun[seq]} times")
    return broken


def _cdrs(facts: Facts) -> list[str]:
    """P5: never sent again after a recorded 1xxx; repetitions get the first answer; 4003 was never seen."""
    broken = []
    posts: dict[str, list[Stood]] = defaultdict(list)
    for stood in facts.stood:
        if stood.event.module == "cdrs":
            posts[stood.event.object_id].append(stood)
    for cdr, stands in posts.items():
        recipient = facts.recipients[stands[0].event.audience]  # type: ignore[index]
        sent = [b for b in recipient.begun if b.push.module == "cdrs" and f'"{cdr}"'.encode() in b.push.body]
        accepted = [stood for stood in stands if 1000 <= facts.told.get(stood.seq, 0) < 2000]
        unknown = [stood for stood in stands if facts.told.get(stood.seq, 0) in (0, 4002, 503)]
        if accepted and not any(begun.processed for begun in sent):
            broken.append(f"P5: CDR {cdr} was answered 1xxx and its recipient never saw it")
        if len(sent) > 1 + len(unknown) + _refusals(facts, stands):
            broken.append(f"P5: CDR {cdr} was sent {len(sent)} times, with {len(unknown)} outcomes unknown")
        known = {facts.answers[stood.seq] for stood in accepted if stood.seq in facts.answers}
        if len(known) > 1:
            broken.append(f"P5: CDR {cdr} was answered in different ways: {known}")
        told = [facts.told.get(stood.seq, 0) for stood in stands]
        if sent and told and all(code == 4003 for code in told):
            broken.append(f"P1: CDR {cdr} was only ever answered 4003 and its recipient saw it")
    return broken


def _refusals(facts: Facts, stands: list[Stood]) -> int:
    return sum(
        1 for stood in stands if 2000 <= facts.told.get(stood.seq, 0) < 4000 or facts.told.get(stood.seq) == 4000
    )

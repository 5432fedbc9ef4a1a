"""What must hold at the end of a run: P1, P2 and P5, from the log, what senders were told and recipients saw."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import orjson

from connectors.values import PartyId
from routing.event import Event
from routing.log.port import Position, TopicPartition
from routing.resync import PREFIX, correlation_id
from routing.store.port import Mark
from tests.witnesses import Begun, ObjectKey, Recipient, apply, seqs_of


@dataclass(frozen=True, slots=True)
class Stood:
    """An event as it stands on the log. `landed_late`: appended after its expiry, so never accepted.

    What was read from an owner stands there too: its seq is the number of that answer.
    `append_time` is the log's (UTC ms; 0 where nobody asks).
    """

    event: Event
    seq: int
    tp: TopicPartition
    position: Position
    landed_late: bool
    append_time: int = 0

    @property
    def key(self) -> ObjectKey:
        return self.event.module, self.event.object_id.upper()

    @property
    def read(self) -> bool:
        """Whether nobody pushed it: its owner told it, being asked."""
        return self.event.read is not None


def read_seq(body: bytes) -> int | None:
    """The number of the answer of its owner that this object is built on, where answers bear one."""
    found = orjson.loads(body).get("read") if body else None
    return found["seq"] if isinstance(found, dict) else None


@dataclass
class Facts:
    """All that a run leaves. `told` is what the sender of a seq read: an OCPI code, 503, or 0 for a cut connection.

    `told_at` says when, on the clock of the recipients, `told_utc` by the clock on the wall (ms), where it is known.
    """

    stood: list[Stood]
    told: dict[int, int]
    told_at: dict[int, float]
    answers: dict[int, tuple[bytes, str | None]]
    recipients: dict[PartyId, Recipient]
    marks: Sequence[Mark]
    platform_of: dict[PartyId, str]
    unsettled: int
    broken: list[str] = field(default_factory=list)
    told_utc: dict[int, int] = field(default_factory=dict)
    not_sent: frozenset[int] = frozenset()
    """Those whose sender was told that they were not sent, since the hub's store was away."""
    owners_tell: bool = False
    """Whether the owner of every object told what it was asked, all the time."""
    blank: dict[ObjectKey, Position] = field(default_factory=dict)
    """Objects whose owner, asked when the log ended there, told nothing for certain."""

    @cached_property
    def by_seq(self) -> dict[int, Stood]:
        return {stood.seq: stood for stood in self.stood}

    @cached_property
    def _marked(self) -> dict[tuple[str, TopicPartition], Position]:
        return {(mark.platform, mark.tp): mark.position for mark in self.marks}

    def covered(self, party: PartyId, stood: Stood) -> bool:
        """Whether a mark of this party's platform covers the event, or a newer one of its object with which it goes."""
        mark = self._marked.get((self.platform_of[party], stood.tp))
        return mark is not None and mark <= self._newest.get(stood.key, stood.position)

    @cached_property
    def _newest(self) -> dict[ObjectKey, Position]:
        """The newest broadcast of each object."""
        newest: dict[ObjectKey, Position] = {}
        for stood in self.stood:
            if stood.event.audience is None and not stood.landed_late:
                newest[stood.key] = max(stood.position, newest.get(stood.key, stood.position))
        return newest

    def accepted(self, seq: int) -> bool:
        return 1000 <= self.told.get(seq, 0) < 2000

    def broadcasts(self, recipient: Recipient) -> Iterable[Stood]:
        """Every accepted broadcast that this recipient should have."""
        return (
            stood for stood in self.stood
            if stood.event.audience is None and not stood.landed_late and stood.event.module in recipient.modules
            if not stood.read
        )  # fmt: skip

    def only_told(self, begun: Begun, seq: int) -> bool:
        """Whether a request bears this push because the owner of the object told the hub of it, and not as a push.

        An owner has what it pushed, whatever came of that: also what its recipient was not sent, or another party was.
        """
        stood = self.by_seq.get(seq)
        if stood is None or stood.read or begun.body == stood.event.payload:
            return False
        readings = (self.by_seq[one] for one in begun.seqs if one in self.by_seq and self.by_seq[one].read)
        return any(seq in seqs_of(reading.event.payload, PREFIX) for reading in readings)

    def given_up(self, party: PartyId, stood: Stood) -> bool:
        """Whether it may have ended unsent: this party alone was pushed the object, so that nobody but its owner can
        say what it should have, and its owner was asked after that and told nothing for certain."""
        asked = self.blank.get(stood.key)
        if asked is None or stood.position >= asked:
            return False
        alone = self._alone.get((party, stood.key))
        return alone is not None and alone < asked

    @cached_property
    def _alone(self) -> dict[tuple[PartyId, ObjectKey], Position]:
        """The first push of each object to one party alone."""
        first: dict[tuple[PartyId, ObjectKey], Position] = {}
        for stood in self.stood:
            if stood.event.audience is not None:
                key = stood.event.audience, stood.key
                first[key] = min(stood.position, first.get(key, stood.position))
        return first


def judge(facts: Facts) -> list[str]:
    """Sentences for everything that is broken; empty when all promises held."""
    broken = list(facts.broken)
    _name_resynced(facts)
    if facts.unsettled:
        broken.append(f"{facts.unsettled} events were never settled")
    broken += _never_accepted(facts)
    for recipient in facts.recipients.values():
        broken += [f"P2: two requests in flight at {recipient.party}: {text}" for text in recipient.overlaps]
        broken += _order(facts, recipient)
        broken += _kept(facts, recipient)
        broken += _same_state(facts, recipient)
    broken += _directed(facts)
    broken += _cdrs(facts)
    return broken


def _name_resynced(facts: Facts) -> None:
    """What a resync sent stands for the event at the position that it names, beside those that its body names."""
    at = {correlation_id(stood.tp, stood.position): stood.seq for stood in facts.stood}
    for recipient in facts.recipients.values():
        for begun in recipient.begun:
            if begun.resync in at:
                begun.seqs |= {at[begun.resync]}


def _never_accepted(facts: Facts) -> list[str]:
    by_seq = facts.by_seq
    seen = {seq for recipient in facts.recipients.values() for begun in recipient.begun for seq in begun.seqs}
    broken = [f"P1: seq {seq} was appended after its expiry and sent all the same" for seq in seen
              if seq in by_seq and by_seq[seq].landed_late]  # fmt: skip
    for seq in seen:
        told, utc = facts.told.get(seq), facts.told_utc.get(seq)
        if told == 503 and utc is not None and seq in by_seq and by_seq[seq].append_time > utc:
            broken.append(f"P1: seq {seq} was appended after its 503 was told, and sent all the same")
    lost = [seq for seq in facts.told if facts.accepted(seq) and seq not in by_seq]
    return broken + [f"P1: seq {seq} was answered 1xxx and is not on the log" for seq in lost]


def _order(facts: Facts, recipient: Recipient) -> list[str]:
    """P2: nothing older is begun after something newer, for one object."""
    by_seq = facts.by_seq
    newest: dict[tuple[str, ...], Position] = {}
    broken = []
    for begun in recipient.begun:
        positions = [by_seq[seq].position for seq in begun.seqs if seq in by_seq]
        if not positions or begun.module == "cdrs" or begun.excused:
            continue
        key, position = begun.name, max(positions)
        if position < newest.get(key, position):
            broken.append(
                f"P2: {recipient.party} {key} got position {position.offset} begun at {begun.at:.3f} "
                f"after {newest[key].offset}"
            )
        newest[key] = max(position, newest.get(key, position))
    return broken


def _newest_seen(facts: Facts, recipient: Recipient) -> dict[ObjectKey, Position]:
    return _highest(facts, (begun for begun in recipient.begun if begun.processed))


def _kept(facts: Facts, recipient: Recipient) -> list[str]:
    """P1: an accepted broadcast was seen, or something newer, or a mark covers it, or it refused one of them.

    Of an object that it did not know it may have refused a part for good, where the owner could not be asked.
    """
    newest = _newest_seen(facts, recipient)
    refused = _highest(facts, (begun for begun in recipient.begun if begun.refused))
    unknown = {} if facts.owners_tell else _unknown(facts, recipient)
    return [
        f"P1: {recipient.party} never saw {stood.event.operation} {stood.key} at {stood.position.offset} "
        f"(seq {stood.seq}), and no mark covers it"
        for stood in facts.broadcasts(recipient)
        if newest.get(stood.key, Position(0, -1)) < stood.position
        and refused.get(stood.key, Position(0, -1)) < stood.position
        and unknown.get(stood.key, Position(0, -1)) < stood.position
        and not facts.covered(recipient.party, stood)
        and not facts.given_up(recipient.party, stood)
    ]


def _unknown(facts: Facts, recipient: Recipient) -> dict[ObjectKey, Position]:
    """Up to where it was sent parts of objects that it said it does not know."""
    return _highest(facts, (begun for begun in recipient.begun if begun.unknown))


def _highest(facts: Facts, requests: Iterable[Begun]) -> dict[ObjectKey, Position]:
    """The highest position of each object that these requests stand for."""
    highest: dict[ObjectKey, Position] = {}
    for begun in requests:
        for seq in begun.seqs:
            if (stood := facts.by_seq.get(seq)) is not None:
                highest[stood.key] = max(stood.position, highest.get(stood.key, stood.position))
    return highest


def _same_state(facts: Facts, recipient: Recipient) -> list[str]:
    """What a recipient holds equals the sender's own last state, wherever everything got through.

    Where it holds what the owner told when it was asked, that is what all before it came to, whatever became of that.
    """
    events: dict[ObjectKey, list[Stood]] = defaultdict(list)
    for stood in sorted(facts.stood, key=lambda stood: stood.position):
        event = stood.event
        if stood.landed_late or stood.read or event.module == "cdrs":
            continue
        if event.audience == recipient.party or (event.audience is None and event.module in recipient.modules):
            events[stood.key].append(stood)
    excused = {begun.object for begun in recipient.begun if begun.excused}
    unknown = set() if facts.owners_tell else _unknown(facts, recipient).keys() - recipient.objects.keys()
    broken = []
    for key, stands in events.items():
        holds = recipient.objects.get(key)
        number = holds["read"]["seq"] if holds is not None and "read" in holds else None
        if number is not None and number not in facts.by_seq:
            broken.append(f"{recipient.party} holds an answer of the owner of {key} that came to nothing: {holds}")
            continue
        state, sure = _last_state(facts, recipient, key, stands, facts.by_seq[number] if number is not None else None)
        if sure and key not in excused | unknown and _content(holds) != _content(state):
            broken.append(f"{recipient.party} holds {holds} for {key}, its owner {state}")
    return broken


def _last_state(
    facts: Facts, recipient: Recipient, key: ObjectKey, stands: Iterable[Stood], read: Stood | None
) -> tuple[dict[str, Any] | None, bool]:
    """What this recipient should have of an object, built on what was `read` of it; and whether that is certain."""
    ours: dict[ObjectKey, dict[str, Any]] = {}
    sent = [begun for begun in recipient.begun if begun.object == key]
    processed = {seq for begun in sent if begun.processed for seq in begun.seqs}
    refused: set[int] = set()
    for begun in sent:
        if begun.refused:
            refused |= begun.seqs
        elif begun.processed:  # a resync's parts are all named by the last of them
            refused -= seqs_of(begun.body, begun.resync) if begun.resync and begun.body else begun.seqs
    since = None
    if read is not None:
        ours, since = {key: orjson.loads(read.event.payload)}, read.event.read
    sure = True
    for stood in stands:
        event = stood.event
        if since is not None and stood.position < since:
            continue
        if event.audience is not None:
            got = facts.accepted(stood.seq)
        else:
            lacks = stood.seq not in processed and facts.given_up(recipient.party, stood)
            got = not lacks and stood.seq not in refused and not facts.covered(recipient.party, stood)
        if not got:
            sure = False
        elif event.operation == "DELETE" or (event.operation == "PUT" and len(event.path) == 3):
            sure = True  # whatever was there before
        apply(ours, key, event.operation, event.path[3:], event.payload)
    return ours.get(key), sure


def _content(state: dict[str, Any] | None) -> dict[str, Any] | None:
    """The same with its EVSEs in one order: OCPI gives them none, and what has no whole is sent in parts.

    Without the number of an answer: a push that came in while its owner was asked is in that, and laid over it here.
    """
    if state is None:
        return None
    content = {name: value for name, value in state.items() if name != "read"}
    if "evses" in state:
        content["evses"] = sorted(state["evses"], key=lambda evse: str(evse["uid"]))
    return content


def _directed(facts: Facts) -> list[str]:
    """P1: 4003 was never seen, 1xxx was; directed pushes are begun at most once."""
    by_seq = facts.by_seq
    begun: Counter[int] = Counter()
    processed: set[int] = set()
    seen: set[int] = set()
    for recipient in facts.recipients.values():
        for request in recipient.begun:
            begun.update(seq for seq in request.seqs if seq in by_seq and by_seq[seq].event.payload == request.body)
            pushed = {seq for seq in request.seqs if not facts.only_told(request, seq)}
            seen |= pushed
            if request.processed:
                processed |= pushed
    broken = []
    for seq, code in facts.told.items():
        stood = by_seq.get(seq)
        if stood is None or stood.event.audience is None or stood.event.module == "cdrs":
            continue
        if (code == 4003 or seq in facts.not_sent) and seq in seen:
            broken.append(f"P1: seq {seq} was answered {code}, not sent, and its recipient saw it")
        if 1000 <= code < 2000 and seq not in processed:
            broken.append(f"P1: seq {seq} was answered {code} and its recipient never saw it")
        if begun[seq] > 1:
            broken.append(f"P1: the directed push seq {seq} was begun {begun[seq]} times")
    return broken


def _cdrs(facts: Facts) -> list[str]:
    """P5: never sent again after a recorded 1xxx; repetitions get the first answer; 4003 was never seen."""
    posts: dict[tuple[PartyId | None, str], list[Stood]] = defaultdict(list)
    for stood in facts.stood:
        if stood.event.module == "cdrs":
            posts[stood.event.audience, stood.event.object_id].append(stood)
    sent: dict[tuple[PartyId | None, str], list[Begun]] = defaultdict(list)
    for recipient in facts.recipients.values():
        for begun in recipient.begun:
            if begun.module == "cdrs":
                sent[recipient.party, begun.object[1]].append(begun)
    return [sentence for key, stands in posts.items() for sentence in _cdr(facts, key[1], stands, sent[key])]


def _cdr(facts: Facts, cdr: str, stands: list[Stood], sent: list[Begun]) -> Iterable[str]:
    told = [facts.told.get(stood.seq, 0) for stood in stands]
    accepted = [stood for stood in stands if facts.accepted(stood.seq)]
    unknown = sum(code in (0, 4002, 503) for code in told)
    refused = sum(2000 <= code <= 4000 for code in told)
    if accepted and not any(begun.processed for begun in sent):
        yield f"P5: CDR {cdr} was answered 1xxx and its recipient never saw it"
    if len(sent) > 1 + unknown + refused:
        yield f"P5: CDR {cdr} was sent {len(sent)} times, with {unknown} outcomes unknown"
    known = {facts.answers[stood.seq] for stood in accepted if stood.seq in facts.answers}
    if len(known) > 1:
        yield f"P5: CDR {cdr} was answered in different ways: {known}"
    first = min((facts.told_at[stood.seq] for stood in accepted), default=None)
    if first is not None and any(begun.at > first for begun in sent):
        yield f"P5: CDR {cdr} was sent again after a 1xxx was told"
    if sent and all(facts.told.get(stood.seq) == 4003 or stood.seq in facts.not_sent for stood in stands):
        yield f"P1: CDR {cdr} was only ever answered that it was not sent, and its recipient saw it"

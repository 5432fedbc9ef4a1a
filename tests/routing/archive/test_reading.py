"""What is told of an exchange: who sent, what was decided and why, each recipient and attempt, what came back."""

from __future__ import annotations

import orjson

from connectors.errors import NotConnected
from connectors.values import PartyId
from routing import event as events
from routing import exchanges
from routing.archive.filing import Keeping, file
from routing.archive.reading import Attempt, Exchange, Recipient, read
from routing.log.port import Headers, Record, TopicPartition
from routing.outbound import Answered
from routing.policy import Outcome
from routing.store.archive import Kept, Part
from routing.worker import outcomes
from routing.worker.resynced import Resynced
from routing.worker.resynced import record as record_of
from routing.worker.tracker import Entry, attempt
from tests.routing.archive.relays import NOW, relay
from tests.routing.events import CPO, EMSP, at, event

FRENCH = PartyId("FR", "ABC")
KEEPING = Keeping(1000)


def record(topic: str, headers: Headers, value: bytes) -> Record:
    return Record(topic, 2, at(7), NOW + 1, b"key", headers, value)


def pushed(entry: Entry | None = None, **over: object) -> Exchange:
    """What is told of a push, and of its outcome where there is one."""
    one = event("PUT", {"id": "L1"}, **{"accepted": NOW, **over})
    parts = file(record(one.topic, events.encode(one), one.payload), KEEPING).parts
    if entry is not None:
        _, headers, value = outcomes.record(entry)
        parts += file(record("ocpi.outcomes", headers, value), KEEPING).parts
    assert len({part.id for part in parts}) == 1
    contents = {part.part: part.content for part in parts}
    return read(Kept(parts[0].id, NOW << 20, contents[Part.MESSAGE], contents.get(Part.OUTCOME)))


def entry(**over: object) -> Entry:
    one = event("PUT", {"id": "L1"}, **{"accepted": NOW, **over})
    made = Entry(record(one.topic, (), b""), one, 0.0)
    for party in (EMSP, FRENCH):
        made.opened(party, "platform")
    return made


def test_a_broadcast_that_one_refused_and_another_took_at_the_second_attempt() -> None:
    made = entry()
    made.tried(attempt(EMSP, NOW + 5, NotConnected("nobody listens"), NOW + 8))
    made.tried(attempt(EMSP, NOW + 900, Answered(201, 1000, {}, b"", 12.7), NOW + 1000))
    made.ended(EMSP, Outcome.DELIVERED, "", 12.7)
    made.tried(attempt(FRENCH, NOW + 6, Answered(200, 2001, {}, b"", 3.0), NOW + 9))
    made.ended(FRENCH, Outcome.REFUSED, "2001", 3.0)
    one = pushed(made)
    assert (one.way, one.sender, one.to, one.object, one.at) == ("broadcast", str(CPO), None, "L1", NOW)
    assert one.outcomes == {"delivered": 1, "refused": 1}
    assert one.recipients == (
        Recipient(
            "DE-EMS", "delivered", "",
            (Attempt(NOW + 5, 0, 4003, "nobody listens", 3), Attempt(NOW + 900, 201, 1000, "", 12)),
        ),
        Recipient("FR-ABC", "refused", "2001", (Attempt(NOW + 6, 200, 2001, "", 3),)),
    )  # fmt: skip
    assert one.position == ("ocpi.locations", 2, 1, 7)
    assert one.bytes == len(b'{"id":"L1"}')
    (decided,) = one.decided()
    assert "everyone of the opposite role" in decided
    assert str(CPO) in decided


def test_a_directed_push_that_was_answered_at_once_has_one_attempt() -> None:
    made = entry(audience=EMSP, via="content")
    made.ended(EMSP, Outcome.ANSWERED, "1000", 9.0)
    one = pushed(made, audience=EMSP, via="content")
    assert (one.way, one.to, one.settled) == ("directed", "DE-EMS", True)
    assert one.recipients == (Recipient("DE-EMS", "answered", "1000", (Attempt(None, None, 1000, "", 9),)),)
    assert "because it is the party of what the call names" in one.decided()[0]


def test_an_answer_that_was_remembered_is_no_attempt() -> None:
    made = entry(audience=EMSP)
    made.ended(EMSP, Outcome.ANSWERED, "1000 recorded")
    assert pushed(made, audience=EMSP).recipients[0].attempts == ()


def test_a_push_whose_end_is_not_known_yet() -> None:
    one = pushed(findings=("$.x: unknown field",))
    assert (one.settled, one.recipients) == (False, ())
    assert one.decided()[1:] == ["what was off in its body was no reason to refuse it; findings: 1"]


def test_an_outcome_whose_push_is_not_there() -> None:
    made = Entry(record("ocpi.cdrs", (), b""), None, 0.0)
    made.results.append((None, Outcome.POISON, "the envelope cannot be read", 0))
    _, headers, value = outcomes.record(made)
    (part,) = file(record("ocpi.outcomes", headers, value), KEEPING).parts
    assert part.at == NOW + 1
    one = read(Kept(part.id, NOW << 20, None, part.content))
    assert (one.module, one.sender, one.settled, one.outcomes) == ("cdrs", None, True, {"poison": 1})
    assert one.recipients[0].party == ""
    assert one.decided()


def resynced(*, asked: bool = False, outcome: Outcome = Outcome.DELIVERED, code: int = 1000) -> Exchange:
    one = event("PUT", {"id": "L1"}, correlation_id="resync-locations-2-7")
    made = (
        attempt(EMSP, NOW, NotConnected("nobody listens"), NOW + 3),
        attempt(EMSP, NOW + 900, Answered(200, code, {}, b"", 12.7), NOW + 950),
    )
    told = Resynced(one, TopicPartition(one.topic, 2), at(3), at(7), EMSP, "PUT", NOW, outcome, made, asked)
    _, headers, value = record_of(told)
    (part,) = file(record("ocpi.outcomes", headers, value), KEEPING).parts
    assert part.part is Part.MESSAGE
    return read(Kept(part.id, NOW << 20, part.content, None))


def test_what_a_resync_sent_names_the_positions_it_stands_for() -> None:
    one = resynced()
    assert (one.way, one.sender, one.to, one.object, one.method) == ("resync", str(CPO), "DE-EMS", "L1", "PUT")
    assert (one.correlation_id, one.settled, one.outcomes) == ("resync-locations-2-7", True, {"delivered": 1})
    assert one.position == ("ocpi.locations", 2, 1, 7)
    (told,) = one.recipients
    assert [(made.http_status, made.status_code) for made in told.attempts] == [(0, 4003), (200, 1000)]
    (decided,) = one.decided()
    assert "it may have missed some of it" in decided
    assert "ocpi.locations/2 from 3 to 7" in decided
    assert "an operator asked for it" in resynced(asked=True).decided()[0]
    assert resynced(outcome=Outcome.REFUSED, code=2001).recipients[0].detail == "2001"


def relayed(**over: object) -> Exchange:
    headers, value = exchanges.encode([relay(**over)])
    (part,) = file(record("ocpi.exchanges", headers, value), KEEPING).parts
    return read(Kept(part.id, NOW << 20, part.content, None))


def test_a_relay_that_was_answered() -> None:
    one = relayed()
    assert (one.way, one.sender, one.to, one.object, one.forwarded_id) == ("relay", "DE-EMS", "NL-TNM", "loc1", "f-1")
    assert one.recipients == (Recipient("NL-TNM", "answered", "1000", (Attempt(None, 200, 1000, "", 11),)),)
    assert one.decided() == ["relayed to NL-TNM at once, because the OCPI-to headers name it"]


def test_a_relay_that_was_refused_twice() -> None:
    one = relayed(
        attempts=2, tried=((NOW + 1, "nobody listens", 2),), outcome="nobody listens there", http_status=0,
        status_code=4003,
    )  # fmt: skip
    assert one.outcomes == {"not_sent": 1}
    attempts = (Attempt(NOW + 1, 0, 4003, "nobody listens", 2), Attempt(None, 0, 4003, "nobody listens there", 9))
    assert one.recipients == (Recipient("NL-TNM", "not_sent", "4003 nobody listens there", attempts),)


def test_a_relay_of_an_earlier_release_is_read() -> None:
    headers, value = exchanges.encode([relay()])
    (old,) = orjson.loads(value)
    del old["via"], old["tried"]
    (part,) = file(record("ocpi.exchanges", headers, orjson.dumps([old])), KEEPING).parts
    one = read(Kept(part.id, NOW << 20, part.content, None))
    assert one.decided() == ["relayed to NL-TNM at once"]

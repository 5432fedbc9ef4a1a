"""An exchange as it is told: who sent, what was decided and why, each recipient and attempt, what came back. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from routing.archive.filing import CUSTODY, ending, object_of
from routing.event import VIA
from routing.store.archive import Kept

_RECORDED: Final = "recorded"  # of an answer that was remembered, for which nothing was sent


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request. `http_status` 0: no answer came; `status_code` is then the hub's own, and `words` say why.

    Of the one good attempt of a push neither when it began nor the HTTP status is kept: None.
    """

    at: int | None
    http_status: int | None
    status_code: int
    words: str
    ms: int


@dataclass(frozen=True, slots=True)
class Recipient:
    """How it ended for one party; `party` is empty where it ended so for nobody in particular."""

    party: str
    outcome: str
    detail: str
    attempts: tuple[Attempt, ...]


@dataclass(frozen=True, slots=True)
class Exchange:
    """One exchange. What is not known is None or empty: of a push whose outcome alone was found, nearly all.

    `way` is relay, directed, broadcast, or resync: then `resync` is the offset from which on it stands for all of the
    object up to `position`, and whether an operator asked for it. `to` is the one recipient that it
    was for, None for everyone. `settled`: how it ended is known. `push` is the envelope of a push, `position` where it
    stands on the log.
    """

    id: str
    at: int
    way: str
    module: str
    method: str
    path: tuple[str, ...]
    object: str | None
    sender: str | None
    to: str | None
    via: str
    request_id: str
    correlation_id: str
    forwarded_id: str | None
    settled: bool
    recipients: tuple[Recipient, ...]
    ms: float | None = None
    hub_ms: float | None = None
    position: tuple[str, int, int, int] | None = None
    appended: int | None = None
    push: Mapping[str, Any] | None = None
    bytes: int | None = None
    resync: tuple[int, bool] | None = None

    @property
    def outcomes(self) -> dict[str, int]:
        """How many recipients it ended for in which way."""
        return dict(Counter(recipient.outcome for recipient in self.recipients))

    def decided(self) -> list[str]:
        """What the hub decided and why, in sentences."""
        return list(_decided(self))


def read(kept: Kept) -> Exchange:
    """Raises ValueError, KeyError or TypeError for what no release of this hub filed."""
    message = orjson.loads(kept.message) if kept.message is not None else None
    if message is not None and "relay" in message:
        return _relay(kept, message["relay"])
    if message is not None and "resync" in message:
        return _resync(kept, message["resync"])
    outcome = orjson.loads(kept.outcome) if kept.outcome is not None else None
    return _push(kept, message, outcome)


def _relay(kept: Kept, relay: dict[str, Any]) -> Exchange:
    attempts = [Attempt(at, 0, 4003, words, ms) for at, words, ms in relay.get("tried", ())]
    if relay["attempts"]:
        answered = relay["outcome"] == "answered"
        waited = max(relay["ms"] - relay["hub_ms"] - sum(one.ms for one in attempts), 0.0)
        words = "" if answered else relay["outcome"]
        attempts.append(Attempt(None, relay["http_status"], relay["status_code"], words, round(waited)))
    how, code = ending(relay), relay["status_code"]
    detail = str(code) if how == "answered" else f"{code} {relay['outcome']}" if code else relay["outcome"]
    return Exchange(
        id=kept.id, at=kept.at, way="relay", module=relay["module"], method=relay["method"], path=tuple(relay["path"]),
        object=object_of(relay), sender=relay["sender"], to=relay["recipient"], via=relay.get("via", ""),
        request_id=relay["request_id"], correlation_id=relay["correlation_id"], forwarded_id=relay["forwarded_id"],
        settled=True, recipients=(Recipient(relay["recipient"], how, detail, tuple(attempts)),), ms=relay["ms"],
        hub_ms=relay["hub_ms"],
    )  # fmt: skip


def _resync(kept: Kept, told: dict[str, Any]) -> Exchange:
    recipients = tuple(_recipient(row, told) for row in told["results"])
    return Exchange(
        id=kept.id, at=kept.at, way="resync", module=told["module"], method=told["method"], path=(),
        object=told["object"], sender=told["owner"], to=recipients[0].party, via="", request_id="",
        correlation_id=told["correlation"], forwarded_id=None, settled=True, recipients=recipients,
        position=(told["topic"], told["partition"], told["epoch"], told["offset"]),
        resync=(told["since"][1], told["asked"]),
    )  # fmt: skip


def _push(kept: Kept, message: dict[str, Any] | None, outcome: dict[str, Any] | None) -> Exchange:
    push = message["push"] if message is not None else None
    stands = message or outcome or {}
    recipients = () if outcome is None else tuple(_recipient(row, outcome) for row in outcome["results"])
    hub: dict[str, Any] = push or {}
    return Exchange(
        id=kept.id, at=kept.at, way="directed" if hub.get("to") else "broadcast",
        module=hub.get("module") or str(stands["topic"]).removeprefix("ocpi."), method=hub.get("op", ""),
        path=tuple(hub.get("path", ())), object=hub.get("object"), sender=hub.get("from"), to=hub.get("to"),
        via=hub.get("via", ""), request_id=hub.get("request") or (outcome or {}).get("request", ""),
        correlation_id=hub.get("correlation") or (outcome or {}).get("correlation", ""), forwarded_id=None,
        settled=outcome is not None, recipients=recipients,
        position=(stands["topic"], stands["partition"], stands["epoch"], stands["offset"]),
        appended=message["appended"] if message is not None else None, push=push,
        bytes=message["bytes"] if message is not None else None,
    )  # fmt: skip


def _recipient(row: list[Any], outcome: dict[str, Any]) -> Recipient:
    party, how, detail, ms = row[:4]
    attempts = [Attempt(*one[1:6]) for one in outcome.get("attempts", ()) if one[0] == party]
    last = attempts[-1] if attempts else None
    if how in ("delivered", "answered") and not (last is not None and last.http_status) and _RECORDED not in detail:
        code = int(detail[:4]) if detail[:4].isdigit() else 1000
        attempts.append(Attempt(None, None, code, "", ms))
    return Recipient(party, how, detail, tuple(attempts))


def _decided(one: Exchange) -> Iterator[str]:
    why = VIA.get(one.via)
    because = f", because {why}" if why else ""
    if one.way == "relay":
        yield f"relayed to {one.to} at once{because}"
        return
    if one.resync is not None and one.position is not None:
        since, asked = one.resync
        why = "an operator asked for it" if asked else "it may have missed some of it"
        yield (
            f"a resync: {one.to} is sent the newest state of the object once, because {why}; it stands for all that the"
            f" log has of it in {one.position[0]}/{one.position[1]} from {since} to {one.position[3]}"
        )
        return
    if CUSTODY in one.id:
        yield f"the hub had taken it into custody, and was to deliver it: exchange {one.id.partition(CUSTODY)[0]}"
    elif one.push is None:
        yield "what was sent is not in the archive (any more)"
    elif one.push.get("again"):
        yield f"an operator had sent again what the hub gave up on (dead letter {one.push['again'][0]}): to {one.to}"
    elif one.way == "directed":
        yield f"a directed push, to be attempted once: for {one.to}{because}"
    else:
        module, sender = one.module, one.sender
        yield (
            f"a broadcast: for everyone of the opposite role that receives {module} and may deal with {sender},"
            " because it names no other party than the hub"
        )
    if one.push is not None and one.push.get("findings"):
        yield f"what was off in its body was no reason to refuse it; findings: {len(one.push['findings'])}"

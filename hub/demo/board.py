"""What the demo has seen: the newest calls, counters by module, the stories, and the warnings of the processes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import orjson

from connectors.sample.record import Call
from hub.demo.story import Stories, Story

_RECENT = 200
_WARNINGS = 5
_TROUBLE = ("warning", "error", "critical")


@dataclass(frozen=True, slots=True)
class Seen:
    """A call as a party told it: `leg` is `>hub` for one into the hub, `hub>` for one that the hub made."""

    at: str
    leg: str
    sender: str
    to: str
    call: Call
    story: Story | None

    @property
    def about(self) -> str:
        """What the call is about, in a few words."""
        facts = self.call.facts
        name = facts.get("id") or facts.get("evse") or facts.get("session", "")[:8]
        extra = f"{facts['kwh']} kWh" if "kwh" in facts else ""
        if "cost" in facts:
            extra += f", {facts['cost']} {facts.get('currency', '')}".rstrip()
        words = (facts.get("what", ""), facts.get("result", ""), name, extra)
        return " ".join(word for word in words if word)


@dataclass(slots=True)
class Count:
    """The calls of one module: into the hub, made by it, those without a 1xxx, and the milliseconds of the former."""

    into: int = 0
    made: int = 0
    failed: int = 0
    ms: float = 0.0


class Board:
    """Hears of everything; `on_seen` and `on_warning` are told of each call and each warning."""

    def __init__(self, hub: str) -> None:
        self.recent: deque[Seen] = deque(maxlen=_RECENT)
        self.modules: dict[str, Count] = {}
        self.stories = Stories()
        self.warnings: deque[str] = deque(maxlen=_WARNINGS)
        self.on_seen: Callable[[Seen], None] | None = None
        self.on_warning: Callable[[str], None] | None = None
        self._hub = hub

    @property
    def calls(self) -> int:
        """Calls that went into the hub."""
        return sum(count.into for count in self.modules.values())

    def hear(self, party: str, call: Call) -> None:
        """A call that this party made or served."""
        made = call.direction == "out"
        count = self.modules.setdefault(call.module or "other", Count())
        if made:
            count.into += 1
            count.ms += call.ms
        else:
            count.made += 1
        if call.ocpi_status is None or not 1000 <= call.ocpi_status < 2000:
            count.failed += 1
        seen = Seen(
            at=datetime.now().astimezone().strftime("%H:%M:%S.%f")[:-3],
            leg=">hub" if made else "hub>",
            sender=call.sender or (party if made else self._hub),
            to=call.to or (self._hub if made else party),
            call=call,
            story=self.stories.hear(call),
        )
        self.recent.append(seen)
        if self.on_seen is not None:
            self.on_seen(seen)

    def warn(self, process: str, line: str) -> None:
        """A line of a process' standard error; kept where it tells of trouble."""
        if (sentence := _trouble(line)) is not None:
            self.warnings.append(f"{process}: {sentence}")
            if self.on_warning is not None:
                self.on_warning(f"{process}: {sentence}")


def _trouble(line: str) -> str | None:
    """The sentence of a logging line (JSON) at warning or above; another line as it is; None for the rest."""
    try:
        content = orjson.loads(line)
    except orjson.JSONDecodeError:
        return line or None
    if not isinstance(content, dict) or content.get("level") not in _TROUBLE:
        return None
    told = {name: value for name, value in content.items() if name not in ("event", "level", "logger", "timestamp")}
    return " ".join([str(content.get("event")), *(f"{name}={value}" for name, value in told.items())])[:400]

"""How many requests are in flight towards each platform at most, as it bears them, learnt from every push."""

from __future__ import annotations

from collections.abc import Callable

from connectors.errors import OcpiError
from routing.clock import Clock
from routing.outbound import Answered
from routing.policy import DeliverySettings
from routing.rates import Rates
from routing.width import Width, is_strain
from routing.worker.ports import Push, Sender
from routing.worker.slot import Line

_Key = tuple[str, Line]


class Widths:
    """Of one process. What one line of a lane meets is told to the other one too: it is the same platform. So is what
    relays meet, which themselves are never held back: their callers are told, and it is theirs to send less."""

    def __init__(self, settings: DeliverySettings, clock: Clock) -> None:
        broadcasts, directed = settings.broadcasts_at_once, settings.directed_at_once
        self._first = {
            Line.BROADCASTS: Width(min(settings.broadcasts_first, broadcasts), 1, broadcasts),
            # who has a caller waiting is not held back before there is a reason
            Line.URGENT: Width(directed, min(settings.directed_least, directed), directed),
        }
        self._clock = clock
        self._widths: dict[_Key, Width] = {}
        self._in_flight: dict[_Key, int] = {}

    def at_once(self, platform: str, line: Line) -> int:
        """So many slots of this line may be served at a time."""
        return self._widths.get((platform, line), self._first[line]).at_once

    def begin(self, platform: str, line: Line) -> float:
        """A request goes out; when, for `end`."""
        key = (platform, line)
        self._in_flight[key] = self._in_flight.get(key, 0) + 1
        return self._clock.monotonic()

    def end(self, platform: str, line: Line, begun: float, came: Answered | OcpiError | None) -> None:
        """It ended; None: it was cut off, which says nothing."""
        key = (platform, line)
        in_flight = self._in_flight[key]
        if in_flight == 1:
            del self._in_flight[key]
        else:
            self._in_flight[key] = in_flight - 1
        if isinstance(came, Answered) and not is_strain(came):
            self._widths[key] = self._widths.get(key, self._first[line]).borne(in_flight)
        elif came is not None and is_strain(came):
            self.strained(platform, begun)

    def strained(self, platform: str, begun: float) -> None:
        """A request that was begun then, of a lane or of a caller's own, met a sign of too much."""
        now = self._clock.monotonic()
        for each, first in self._first.items():
            self._widths[(platform, each)] = self._widths.get((platform, each), first).strained(begun, now)


class Feeling:
    """A sender that tells what came of each push, and counts it against the platform's rate."""

    def __init__(self, sender: Sender, widths: Widths, rates: Rates, line: Line) -> None:
        self._sender = sender
        self._widths = widths
        self._rates = rates
        self._line = line

    async def push(self, push: Push, *, within: float, permit: Callable[[], bool]) -> Answered:
        """As the sender that it is made of."""
        platform, line = push.to.platform.id, self._line
        self._rates.sent(platform)
        begun = self._widths.begin(platform, line)
        came: Answered | OcpiError | None = None
        try:
            came = await self._sender.push(push, within=within, permit=permit)
        except OcpiError as error:
            came = error
            raise
        else:
            return came
        finally:
            self._widths.end(platform, line, begun, came)
            del came  # what was raised holds this frame: a circle, and with it all that was sent, until a collection

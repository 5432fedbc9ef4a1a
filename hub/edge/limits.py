"""What one platform may take of a process: bodies held, calls in flight, calls a second. More is 429.

Plain numbers, asked once or twice a call; nothing here waits, and no timer runs.
"""

from __future__ import annotations

from typing import Final

from connectors.errors import TooManyRequests
from hub.settings import Settings

_REMEMBERED: Final = 4096


class Use:
    """What one platform has in flight, and its bucket of calls: filled by the time that passes, one taken a call."""

    __slots__ = ("_limits", "at", "bucket", "bytes", "calls")

    def __init__(self, limits: Limits, now: float) -> None:
        self._limits = limits
        self.at = now
        self.bucket = limits.burst
        self.bytes = 0
        self.calls = 0

    def hold(self, more: int) -> None:
        """So many bytes more of a body or an answer. Raises TooManyRequests (429), and then holds none of them."""
        limits = self._limits
        if self.bytes + more > limits.share:
            raise TooManyRequests(
                f"the bodies of your calls in flight and of their answers are over {limits.share} bytes together: "
                "make fewer calls at once, or ask for smaller pages (limit)"
            )
        if limits.bytes + more > limits.most_bytes:
            raise TooManyRequests("the hub holds as many bytes of calls in flight as it may: repeat this call")
        self.bytes += more
        limits.bytes += more

    def leave(self, held: int) -> None:
        """A call has its answer; `held` are the bytes that it held."""
        self.calls -= 1
        self.bytes -= held
        self._limits.bytes -= held


class Limits:
    """The limits of one process, and what every platform has of them."""

    def __init__(self, settings: Settings) -> None:
        self.most_bytes = settings.max_inflight_bytes
        self.share = settings.platform_inflight_bytes
        self.most_calls = settings.platform_inflight_calls
        self.rate = float(settings.platform_calls_per_second)
        self.burst = self.rate
        self.bytes = 0
        self._uses: dict[str, Use] = {}

    @property
    def uses(self) -> tuple[Use, ...]:
        """What each platform has in flight, of those that called of late."""
        return tuple(self._uses.values())

    def enter(self, platform: str, now: float) -> Use:
        """One more call of this platform, until `leave`. `now` is monotonic seconds. Raises TooManyRequests (429)."""
        use = self._uses.get(platform) or self._new(platform, now)
        if use.calls >= self.most_calls:
            raise TooManyRequests(
                f"{self.most_calls} calls of your platform are in flight: wait for their answers, then go on"
            )
        bucket = use.bucket + (now - use.at) * self.rate
        if bucket < 1.0:
            raise TooManyRequests(f"your platform called more than {self.rate:g} times in a second: call less often")
        use.bucket = (bucket if bucket < self.burst else self.burst) - 1.0
        use.at = now
        use.calls += 1
        return use

    def _new(self, platform: str, now: float) -> Use:
        if len(self._uses) >= _REMEMBERED:  # platforms that came and went; who has nothing in flight loses nothing
            self._uses = {id: use for id, use in self._uses.items() if use.calls}
        use = self._uses[platform] = Use(self, now)
        return use

"""Around each request towards a platform: whether it may go out, and who is told of what came of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from connectors.errors import NotConnected, OutcomeUnknown
from routing.breaker import Breakers
from routing.directory import Hosted, Platform

T = TypeVar("T")
Permit = Callable[[], bool]


class Signs(Protocol):
    """Told of platforms as they answer and fail."""

    def alive(self, platform: Platform) -> None: ...

    def failed(self, platform: Platform) -> None: ...


class Guard:
    """`breakers` say which platform gets nothing for a moment; `signs` is told of each that answers, or does not."""

    def __init__(self, signs: Signs, breakers: Breakers) -> None:
        self._signs = signs
        self._breakers = breakers

    async def send(self, to: Hosted, permit: Permit, send: Callable[[Permit], Awaitable[T]]) -> T:
        """What `send` gives, which asks the permit that it is handed. Raises what it raises, NotConnected where nothing
        is to be begun."""
        self._breakers.check(to)
        begun = self._breakers.now()
        permitted = True

        def may_send() -> bool:
            nonlocal permitted
            permitted = permit()
            return permitted

        try:
            answer = await send(may_send)
        except (NotConnected, OutcomeUnknown) as error:
            if permitted:  # what the hub itself held back says nothing of the platform
                self._signs.failed(to.platform)
                self._breakers.told(to.platform, error, begun)
            raise
        self._signs.alive(to.platform)
        return answer

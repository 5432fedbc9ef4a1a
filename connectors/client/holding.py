"""How many bytes of answers are held while they are read: of all parties together, and of each one a share.

Many callers who each ask a party for a list without end would otherwise fill the memory with answers that are each
within their own limit. An answer that comes in one piece is read at once and not counted.
"""

from __future__ import annotations

from connectors.errors import HubError


class Holding:
    """`most` and `share` in bytes; a share is an origin's."""

    def __init__(self, most: int, share: int) -> None:
        self._most = most
        self._share = share
        self.bytes = 0
        self.by_origin: dict[str, int] = {}

    def hold(self, origin: str, more: int) -> None:
        """So many bytes more of an answer of this origin. Raises HubError (4000), and then holds none of them."""
        held = self.by_origin.get(origin, 0) + more
        if held > self._share:
            raise HubError(
                f"the answers of {origin} that are read at this moment are over {self._share} bytes together: "
                "ask for fewer at once, or for smaller pages (limit)"
            )
        if self.bytes + more > self._most:
            raise HubError("the hub reads as many bytes of answers as it may at this moment: ask again")
        self.by_origin[origin] = held
        self.bytes += more

    def release(self, origin: str, held: int) -> None:
        """An answer was read, or given up."""
        left = self.by_origin.get(origin, 0) - held
        if left > 0:
            self.by_origin[origin] = left
        else:
            self.by_origin.pop(origin, None)
        self.bytes -= held

"""How a commit is kept in Kafka: the offset as everybody reads it, and the rest in the text that stands beside it."""

from __future__ import annotations

from routing.log.port import Committed, Position

_VERSION = "1"


def write(committed: Committed) -> tuple[int, str]:
    """The offset, and the text: version, epoch, c (clean) or u, and the position begun as epoch.offset."""
    begun = "" if committed.begun is None else f"{committed.begun.epoch}.{committed.begun.offset}"
    mark = "c" if committed.clean else "u"
    return committed.next.offset, f"{_VERSION} {committed.next.epoch} {mark} {begun}".rstrip()


def read(offset: int, text: str, epoch: int) -> Committed | None:
    """What was committed in a topic of this epoch; None: nothing of it.

    A text that is none of ours (an operator moved the offset with Kafka's tools) is an unclean commit at its offset.
    """
    if offset < 0:
        return None
    words = (text or "").split(" ")
    try:
        version, at, mark = words[:3]
        if version != _VERSION or mark not in {"c", "u"}:
            raise ValueError
        begun = Position(*map(int, words[3].split("."))) if len(words) > 3 else None
        committed = Committed(Position(int(at), offset), mark == "c", begun)
    except (ValueError, TypeError):
        return Committed(Position(epoch, offset))
    return committed if committed.next.epoch == epoch else None

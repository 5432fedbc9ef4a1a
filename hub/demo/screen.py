"""How the demo is told where there is no terminal, or before and after its table: one line after the other."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence

from hub.demo.board import Board, Seen
from hub.demo.following import Step


class Lines:
    """Prints. `on_gone` is called once when nobody reads any more."""

    def __init__(self, on_gone: Callable[[], None]) -> None:
        self._on_gone = on_gone
        self._gone = False
        if hasattr(sys.stdout, "reconfigure"):
            sys.stdout.reconfigure(errors="replace")

    def say(self, line: str = "") -> None:
        """One line."""
        if self._gone:
            return
        try:
            print(line, flush=True)
        except OSError:
            self._gone = True
            # What is left in the buffer must not fail again when the interpreter ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            self._on_gone()

    def steps(self, steps: Sequence[Step]) -> None:
        """What to open next."""
        self.say("what to open next:")
        for name, text in steps:
            self.say(f"  {name:<16} {text}")
        self.say()

    def show(self, board: Board) -> None:
        """A line a call from now on, and one when a story is over."""
        self.say(
            f"{'time':<12} {'leg':<4} {'from':<6} > {'to':<6} {'method':<6} {'module':<12} HTTP OCPI       ms  about"
        )
        board.on_seen = self._seen
        board.on_warning = lambda sentence: self.say(f"! {sentence}")

    def _seen(self, seen: Seen) -> None:
        call, story = seen.call, seen.story
        self.say(
            f"{seen.at} {seen.leg} {seen.sender:<6} > {seen.to:<6} {call.method:<6} {call.module:<12} "
            f"{call.http_status or '---':>4} {call.ocpi_status or '----'} {call.ms:8.1f}  "
            f"{seen.about}{f'  #{story.number}' if story else ''}".rstrip()
        )
        if story is not None and story.done and call.module == "cdrs" and call.direction == "out":
            self.say(f"== {story.told()}")

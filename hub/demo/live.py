"""The demo on a terminal: recent calls, counters by module, the cars that charge, and what to open next."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.layout import Layout
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from hub.demo.board import Board, Seen
from hub.demo.following import Step

_EVERY_S = 0.25
_TALL = 36
_FAILED = "bold red"


def can_live(console: Console) -> bool:
    """Whether there is a terminal on which a table can be drawn again and again."""
    return console.is_terminal and not console.is_dumb_terminal and console.width >= 60 and console.height >= 16


async def show(console: Console, board: Board, steps: Sequence[Step]) -> None:
    """Draw until cancelled."""
    with Live(console=console, screen=True, auto_refresh=False, redirect_stderr=False) as live:
        while True:
            live.update(_screen(board, steps, console.height), refresh=True)
            await asyncio.sleep(_EVERY_S)


def _screen(board: Board, steps: Sequence[Step], height: int) -> RenderableType:
    tall = height >= _TALL
    below, foot = (12, len(steps) + 2) if tall else (7, 4)
    layout = Layout()
    layout.split_column(
        Layout(_head(board), size=2),
        Layout(name="calls"),
        Layout(name="below", size=below),
        Layout(_foot(steps if tall else steps[:2]), size=foot),
    )
    layout["calls"].update(_calls(board, height - 2 - below - foot))
    layout["below"].split_row(Layout(_modules(board), size=40), Layout(_stories(board, below - 2)))
    return layout


def _head(board: Board) -> RenderableType:
    text = Text(" OCPI hub ", style="reverse")
    text.append(
        f"  {board.calls} calls into the hub, {board.stories.finished} cars charged and billed", style="default"
    )
    text.append("   Ctrl-C ends everything", style="dim")
    text.no_wrap = True
    warning = f" {board.warnings[-1]}" if board.warnings else ""
    return Group(text, Text(warning, style="yellow", no_wrap=True, overflow="ellipsis"))


def _calls(board: Board, height: int) -> RenderableType:
    table = Table(box=SIMPLE_HEAD, expand=True, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    for name in ("time", "leg", "from", "to", "method", "module"):
        table.add_column(name, no_wrap=True)
    for name in ("HTTP", "OCPI", "ms"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("about", ratio=1, no_wrap=True, overflow="ellipsis")
    room = max(height - 4, 1)
    for seen in list(board.recent)[-room:]:
        table.add_row(*_row(seen), style="" if _well(seen) else _FAILED)
    return table


def _row(seen: Seen) -> tuple[str | Text, ...]:
    call = seen.call
    number = f" #{seen.story.number}" if seen.story else ""
    return (
        Text(seen.at[:-2], style="dim"), Text(seen.leg, style="dim"), seen.sender, seen.to, call.method, call.module,
        str(call.http_status or "-"), str(call.ocpi_status or "-"), f"{call.ms:.1f}", Text(seen.about + number),
    )  # fmt: skip


def _well(seen: Seen) -> bool:
    return seen.call.ocpi_status is not None and 1000 <= seen.call.ocpi_status < 2000


def _modules(board: Board) -> RenderableType:
    table = Table(box=None, expand=True, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column("module", no_wrap=True)
    for name in (">hub", "hub>", "failed", "ms"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, count in sorted(board.modules.items(), key=lambda item: -item[1].into - item[1].made):
        failed = Text(str(count.failed), style=_FAILED if count.failed else "dim")
        mean = f"{count.ms / count.into:.1f}" if count.into else ""
        table.add_row(name, str(count.into), str(count.made), failed, mean)
    return Panel(table, title="modules", title_align="left", border_style="dim")


def _stories(board: Board, height: int) -> RenderableType:
    running = [story for story in board.stories.told if not story.done]
    ended = [story for story in board.stories.told if story.done]
    shown = [*ended[-max(height // 3, 1) :], *running[-max(height - height // 3, 1) :]][-height:]
    lines = [Text(one.told(), style="dim" if one.done else "", no_wrap=True, overflow="ellipsis") for one in shown]
    empty = Text("the first cars come when tokens and locations are there ...", style="dim")
    return Panel(Group(*(lines or [empty])), title="cars that charge", title_align="left", border_style="dim")


def _foot(steps: Sequence[Step]) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(no_wrap=True, overflow="ellipsis")
    for name, text in steps:
        table.add_row(name, Text(text))
    return Panel(table, title="open next", title_align="left", border_style="dim")

"""What the CLI prints: JSON for programs, tables for people; errors as one sentence on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import typer

from hub.cli.calling import CallFailed
from hub.settings import SettingsError


def as_json(content: Any) -> None:
    """Print it for programs."""
    typer.echo(json.dumps(content, ensure_ascii=False))


def line(text: str) -> None:
    """Print a line for people, as it stands."""
    from rich.console import Console  # noqa: PLC0415 - JSON and failures do without its weight
    from rich.markup import escape  # noqa: PLC0415 - as above

    Console(highlight=False, soft_wrap=True).print(escape(text))


def table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, title: str | None = None) -> None:
    """Print a table for people; nothing but the title's `none` where there are no rows."""
    from rich.console import Console  # noqa: PLC0415 - as above
    from rich.markup import escape  # noqa: PLC0415 - as above
    from rich.table import Table  # noqa: PLC0415 - as above

    console = Console(highlight=False, width=None if sys.stdout.isatty() else 200)
    if not rows:
        console.print(f"{title or 'rows'}: none")
        return
    made = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold")
    for row in rows:
        made.add_row(*(escape(str(cell)) for cell in row))
    console.print(made)


@contextmanager
def failures() -> Iterator[None]:
    """Ends the command with a sentence and exit code 1 instead of a stack trace (2 for wrong settings)."""
    try:
        yield
    except CallFailed as wrong:
        typer.echo(str(wrong), err=True)
        raise typer.Exit(1) from None
    except SettingsError as wrong:
        for sentence in wrong.sentences:
            typer.echo(sentence, err=True)
        raise typer.Exit(2) from None

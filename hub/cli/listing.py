"""The lists of the CLI: every one has a filter and pages, prints JSON for programs, and says what it left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

import typer

from hub.cli import output
from hub.cli.calling import OperatorApi

PAGE: Final = 1000
"""Rows that are asked for at once."""

Filter = Annotated[str, typer.Option("--filter", help="Only the rows that have this in what they say.")]
Offset = Annotated[int, typer.Option("--offset", min=0, help="Pass over so many rows.")]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="At most so many rows; all without it.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@dataclass(frozen=True, slots=True)
class Listed:
    """Rows of a list; `total` are those of all pages, `last` is what the last page said beside them."""

    rows: list[dict[str, Any]]
    offset: int
    total: int
    last: dict[str, Any]


def listed(
    api: OperatorApi,
    path: str,
    name: str,
    *,
    wanted: str = "",
    offset: int = 0,
    limit: int | None = None,
    page: int = PAGE,
) -> Listed:
    """The rows of the list at `path`, its pages put together. Raises CallFailed."""
    rows: list[dict[str, Any]] = []
    while True:
        left = page if limit is None else min(page, limit - len(rows))
        answer = api.get(path, filter=wanted, offset=offset + len(rows), limit=left)
        rows += answer[name]
        if not answer[name] or offset + len(rows) >= answer["total"] or len(rows) == limit:
            return Listed(rows, offset, answer["total"], answer)


def table(columns: Sequence[str], rows: Sequence[Sequence[object]], found: Listed, *, title: str) -> None:
    """Print them for people, and where not all of them are there, which."""
    output.table(columns, rows, title=title)
    if len(rows) < found.total:
        first, end = found.offset + 1, found.offset + len(rows)
        output.line(f"{first} to {end} of {found.total}" if rows else f"none of {found.total}")

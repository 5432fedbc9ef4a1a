"""What is printed of a run while it goes on, and of all of them at the end."""

from __future__ import annotations

from collections import Counter
from typing import Any

from tests.chaos.verdict import Result

_SHOWN = 8
_HEAD = ("run", "kills", "SIGTERMs", "SIGSTOPs", "unsettled at a kill", "calls", "requests", "marked", "s", "verdict")


def say(result: Result) -> None:
    """The end of a run, at once."""
    shown = result.broken if not result.passed else result.found[:1]
    _sentences(shown)
    for note in result.notes:
        print(f"  {note}")
    told = f"told {result.codes}"
    print(f"  {result.calls} calls, {result.requests} requests, {result.seconds:.0f} s; {told}", flush=True)


def _sentences(shown: list[str]) -> None:
    for sentence in shown[:_SHOWN]:
        print(f"  {sentence[:600]}")
    if len(shown) > _SHOWN:
        print(f"  and {len(shown) - _SHOWN} more")


def table(results: list[Result]) -> None:
    """All of them, one a line; and once more, near the end where they are looked for, what is wrong with any."""
    rows = [_HEAD, *(_cells(result) for result in results)]
    widths = [max(len(cells[i]) for cells in rows) for i in range(len(_HEAD))]
    print()
    for cells in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip())
    done: Counter[str] = Counter()
    for result in results:
        if result.plan.troubles and result.plan.switch is None:
            done += result.done
    if done:
        print(f"the fleet had: {', '.join(f'{kind} {count}' for kind, count in sorted(done.items()))}")
    for result in results:
        if not result.passed:
            print(f"{result.plan.what}, {result.seconds:.0f} s:")
            _sentences(result.broken)


def row(result: Result) -> dict[str, Any]:
    """One of them for a machine."""
    return {
        "run": result.plan.name,
        "passed": result.passed,
        "done": dict(result.done),
        "least_unsettled": min(result.unsettled, default=0),
        "calls": result.calls,
        "requests": result.requests,
        "marked": round(result.marked, 4),
        "seconds": round(result.seconds, 1),
        "told": result.codes,
        "notes": result.notes,
        "verdict": _verdict(result),
        "broken": result.broken[:50],
    }


def _cells(result: Result) -> tuple[str, ...]:
    counts = result.unsettled
    done = [sum(count for kind, count in result.done.items() if kind.startswith(word)) for word in _WORDS]
    return (
        result.plan.name,
        *map(str, done),
        f"{min(counts)} to {max(counts)}" if counts else "",
        str(result.calls),
        str(result.requests),
        f"{result.marked:.1%}",
        f"{result.seconds:.0f}",
        _verdict(result),
    )


_WORDS = ("kill", "SIGTERM", "SIGSTOP")


def _verdict(result: Result) -> str:
    if result.plan.switch is None:
        return "every promise held" if result.passed else f"FAILED: {len(result.broken)} sentences"
    promises = Counter(sentence[:2] for sentence in result.found)
    times = ", ".join(f"{promise} broken {count} times" for promise, count in sorted(promises.items()))
    return f"found: {times}" if result.passed else "FAILED: it was not found"

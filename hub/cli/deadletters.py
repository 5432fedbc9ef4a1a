"""`ocpi-hub deadletter`: what the hub gave up on; look at it, have it sent again, drop it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any, Final
from urllib.parse import quote

import typer

from hub.cli import listing, output
from hub.cli.calling import CallFailed, OperatorApi
from hub.cli.moments import MOMENT, moment
from hub.settings import load_or_exit
from routing.deadletters import Reason as Why

app = typer.Typer(no_args_is_help=True, help="Dead letters: what the hub gave up on, and sending it again.")

_AT_ONCE: Final = 100
_PATH: Final = "/api/deadletters"


def _text(name: str, told: str) -> Any:
    return typer.Option(name, help=told, show_default=False)


Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Their ids, as the list tells them.")]
Party = Annotated[str, _text("--party", "Sender, owner or recipient: COUNTRY-PARTY.")]
Module = Annotated[str, _text("--module", "Module.")]
Reason = Annotated[str, _text("--reason", f"Why: {', '.join(Why)}.")]
Since = Annotated[str, _text("--since", f"Given up from then on; {MOMENT}")]
Until = Annotated[str, _text("--until", f"Given up before then; {MOMENT}")]
All = Annotated[bool, typer.Option("--all", help="All that there are.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say which are meant.")]


@app.command("list")
def list_(
    *, party: Party = "", module: Module = "", reason: Reason = "", since: Since = "", until: Until = "",
    is_open: Annotated[bool, typer.Option("--open", help="Without those that were sent again.")] = False,
    offset: listing.Offset = 0, limit: listing.Limit = None, json: listing.Json = False,
) -> None:  # fmt: skip
    """What the hub gave up on, the newest first."""
    with output.failures():
        query = _query(party, module, reason, since, until, is_open=is_open)
        found = _listed(OperatorApi(load_or_exit()), query, offset, limit)
    if json:
        output.as_json(found.rows)
        return
    rows = [
        [one["id"], one["at"], one["reason"], one["from"], one["to"], one["module"], one["object"], one["attempts"],
         one["redriven"] or "", one["detail"]]
        for one in found.rows
    ]  # fmt: skip
    columns = ("id", "given up", "reason", "from", "to", "module", "object", "attempts", "sent again", "detail")
    listing.table(columns, rows, found, title="dead letters")


@app.command()
def show(id: Annotated[str, typer.Argument(metavar="ID")], json: listing.Json = False) -> None:
    """One dead letter whole: the event, each attempt with what came, and why the hub gave up."""
    with output.failures():
        one = OperatorApi(load_or_exit()).get(f"{_PATH}/{quote(id, safe='')}")
    if json:
        output.as_json(one)
        return
    for line in drawn(one):
        output.line(line)


@app.command()
def redrive(
    *, ids: Ids = None, party: Party = "", module: Module = "", reason: Reason = "", since: Since = "",
    until: Until = "", everything: All = False,
    once_more: Annotated[bool, typer.Option("--once-more", help="Those too that wait to be sent already.")] = False,
    dry_run: DryRun = False, json: listing.Json = False,
) -> None:  # fmt: skip
    """Have them sent again: the object as it is now; a CDR never to whom has taken it. It may be said again."""
    with output.failures():
        query = _query(party, module, reason, since, until, is_open=not once_more)
        _work("redrive", ids or [], query, everything=everything, dry_run=dry_run, json=json, once_more=once_more)


@app.command()
def drop(
    *, ids: Ids = None, party: Party = "", module: Module = "", reason: Reason = "", since: Since = "",
    until: Until = "", everything: All = False, dry_run: DryRun = False, json: listing.Json = False,
) -> None:  # fmt: skip
    """Drop them for good; nobody is sent anything of them."""
    with output.failures():
        query = _query(party, module, reason, since, until)
        _work("drop", ids or [], query, everything=everything, dry_run=dry_run, json=json)


# --- many of them ----------------------------------------------------------------------------------------------------


def _query(party: str, module: str, reason: str, since: str, until: str, *, is_open: bool = False) -> dict[str, object]:
    now = datetime.now(UTC)
    asked = {
        "party": party, "module": module, "reason": reason, "since": moment(since, now), "until": moment(until, now),
        "open": "true" if is_open else "",
    }  # fmt: skip
    return {name: value for name, value in asked.items() if value}


def _listed(api: OperatorApi, query: dict[str, object], offset: int, limit: int | None) -> listing.Listed:
    rows: list[dict[str, Any]] = []
    while True:
        left = listing.PAGE if limit is None else min(listing.PAGE, limit - len(rows))
        answer = api.get(_PATH, **query, offset=offset + len(rows), limit=left)
        rows += answer["letters"]
        if not answer["letters"] or offset + len(rows) >= answer["total"] or len(rows) == limit:
            return listing.Listed(rows, offset, answer["total"], answer)


def _work(
    action: str, ids: list[str], query: dict[str, object], *, everything: bool, dry_run: bool, json: bool, **more: bool
) -> None:
    """All that are meant, some at a time; which ones is decided once, before the first."""
    filtered = bool(query.keys() - {"open"})
    if bool(ids) + (filtered or everything) != 1:
        raise CallFailed("say which: ids, or filters, or --all")
    api = OperatorApi(load_or_exit())
    meant = list(dict.fromkeys(ids or [one["id"] for one in _listed(api, query, 0, None).rows]))
    if dry_run:
        done = [{"id": id, "done": "meant", "why": ""} for id in meant]
    else:
        done = []
        for begin in range(0, len(meant), _AT_ONCE):
            some = meant[begin : begin + _AT_ONCE]
            done += api.post(f"{_PATH}/{action}", {"letters": some, **more})["letters"]
            if not json and len(meant) > _AT_ONCE:
                output.line(f"{len(done)} of {len(meant)}")
    if json:
        output.as_json(done)
        return
    for one in done:
        if one["why"]:
            output.line(f"{one['id']}: {one['done']}, {one['why']}")
    counts = Counter(one["done"] for one in done)
    output.line(", ".join(f"{count} {how}" for how, count in sorted(counts.items())) or "none")


# --- one of them -----------------------------------------------------------------------------------------------------


def drawn(one: dict[str, Any]) -> Iterator[str]:
    """What is known of it, a line each."""
    yield f"dead letter {one['id']}"
    what = "/".join(one["path"]) or one["object"]
    yield f"{one['at']}  given up ({one['reason']}): {one['detail']}"
    yield f"  {one['method']} {one['module']} {what}".rstrip() + f", from {one['from']} to {one['to']}"
    yield f"  X-Request-ID {one['request_id']}, X-Correlation-ID {one['correlation_id']}"
    if one["exchange"]:
        yield f"  exchange {one['exchange']}"
    for number, attempt in enumerate(one["tried"], start=1):
        came = f"HTTP {attempt['http_status']}, OCPI {attempt['status_code']}"
        if not attempt["http_status"]:
            came = f"no answer, {attempt['status_code']}"
        reason = f": {attempt['reason']}" if attempt["reason"] else ""
        yield f"  attempt {number}: {attempt['at']} {came}{reason}, {attempt['ms']} ms"
        if attempt["answer"]:
            yield f"    {attempt['answer']}"
    if one["redriven"]:
        yield f"  sent again at {one['redriven']}; how that ends is awaited"
    if one["again"]:
        yield f"  it cannot be sent again: {one['again']}"
    if one["body"]:
        yield f"body ({one['bytes']} bytes):"
        yield one["body"]

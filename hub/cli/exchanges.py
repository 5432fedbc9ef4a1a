"""`ocpi-hub exchanges`: find what passed through the hub, and see the whole way of one message."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any, Final
from urllib.parse import quote

import typer

from hub.cli import listing, output
from hub.cli.calling import OperatorApi
from hub.cli.moments import MOMENT, moment
from hub.settings import load_or_exit

app = typer.Typer(no_args_is_help=True, help="Exchanges: every message that passed, and everything that came of it.")

_PAGE: Final = 200


def _text(name: str, told: str) -> Any:
    return typer.Option(name, help=told, show_default=False)


@app.command()
def find(
    *,
    correlation_id: Annotated[str, _text("--correlation-id", "X-Correlation-ID.")] = "",
    request_id: Annotated[str, _text("--request-id", "X-Request-ID; of a relay, of either leg.")] = "",
    party: Annotated[str, _text("--party", "Sender, owner or recipient: COUNTRY-PARTY.")] = "",
    about: Annotated[str, _text("--object", "MODULE/ID, for example locations/LOC1.")] = "",
    module: Annotated[str, _text("--module", "Module.")] = "",
    outcome: Annotated[
        str, _text("--outcome", "How it ended for somebody: delivered, answered, refused, not_sent, ..., or a code.")
    ] = "",
    since: Annotated[str, _text("--since", f"From then on; {MOMENT}")] = "",
    until: Annotated[str, _text("--until", f"Before then; {MOMENT}")] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many, the newest first.")] = 50,
    page: Annotated[str, _text("--page", "The next page, as the former one tells it.")] = "",
    json: listing.Json = False,
) -> None:
    """Exchanges that are all of this, the newest first. Without any option: the newest of all."""
    named, _, id = about.partition("/")
    if about:
        if not id or module not in ("", named):
            raise typer.BadParameter("write it as MODULE/ID, for example locations/LOC1", param_hint="--object")
        module = named
    now = datetime.now(UTC)
    asked = {
        "correlation_id": correlation_id, "request_id": request_id, "party": party, "module": module,
        "object": id, "outcome": outcome, "since": moment(since, now), "until": moment(until, now),
    }  # fmt: skip
    rows: list[dict[str, Any]] = []
    following: str | None = page
    with output.failures():
        api = OperatorApi(load_or_exit())
        given = {name: value for name, value in asked.items() if value}
        while len(rows) < limit and following is not None:
            more = {"page": following} if following else {}
            answer = api.get("/api/exchanges", **given, **more, limit=min(_PAGE, limit - len(rows)))
            rows += answer["exchanges"]
            following = answer["next"]
    if json:
        output.as_json({"exchanges": rows, "next": following})
        return
    columns = ("at", "way", "from", "to", "method", "module", "object", "outcome", "exchange")
    output.table(columns, [_row(one) for one in rows], title="exchanges")
    if following is not None:
        output.line(f"there may be more: --page {following}")


@app.command()
def show(id: Annotated[str, typer.Argument(metavar="EXCHANGE")], json: listing.Json = False) -> None:
    """The whole way of one message: who sent it, what was decided and why, each attempt, what came back."""
    with output.failures():
        one = OperatorApi(load_or_exit()).get(f"/api/exchanges/{quote(id, safe='')}")
    if json:
        output.as_json(one)
        return
    for line in drawn(one):
        output.line(line)


def _row(one: dict[str, Any]) -> list[object]:
    to = one["to"] or "everyone"
    return [one["at"], one["way"], one["from"] or "?", to, one["method"], one["module"], one["object"] or "",
            _ended(one), one["id"]]  # fmt: skip


def _ended(one: dict[str, Any]) -> str:
    if not one["settled"]:
        return "not known yet"
    outcomes = one["outcomes"]
    if sum(outcomes.values()) == 1:
        return str(*outcomes)
    return ", ".join(f"{count} {outcome}" for outcome, count in outcomes.items()) or "nobody to send it to"


# --- one message -----------------------------------------------------------------------------------------------------


def drawn(one: dict[str, Any]) -> Iterator[str]:
    """The way of a message, from its sender to what came back, a line each."""
    yield f"exchange {one['id']}"
    what = "/".join(one["path"]) or one["object"] or ""
    version = f", OCPI {one['version']}" if one["version"] else ""
    who = f"the hub sent {one['to']}" if one["way"] == "resync" else f"{one['from'] or '?'} sent"
    yield f"{one['at']}  {who} {one['method']} {one['module']} {what}".rstrip() + version
    request = f"X-Request-ID {one['request_id']}, " if one["request_id"] else ""
    ids = f"  {request}X-Correlation-ID {one['correlation_id']}"
    yield ids + (f", towards the recipient X-Request-ID {one['forwarded_id']}" if one["forwarded_id"] else "")
    if one["owner"] and one["owner"] != one["from"]:
        yield f"  the object is {one['owner']}'s"
    if (position := one["position"]) is not None:
        size = f"{one['bytes']} bytes " if one["bytes"] is not None else ""
        yield f"  {size}on the log at {position['topic']}/{position['partition']} {position['offset']}"
    for finding in one["findings"]:
        yield f"  found: {finding}"
    for decision in one["decided"]:
        yield f"decided: {decision}"
    if not one["settled"]:
        yield "it is not known yet how it ended"
    elif not one["recipients"]:
        yield "there was nobody to send it to"
    for recipient in one["recipients"]:
        yield from _recipient(recipient)
    if one["ms"] is not None:
        yield f"answered to {one['from']} after {one['ms']:.1f} ms, {one['hub_ms']:.1f} ms of them the hub's own"
    for body in one["bodies"]:
        yield f"body ({body['name']}):"
        yield body.get("text") or f"in Base64: {body.get('base64', '')}"


def _recipient(one: dict[str, Any]) -> Iterator[str]:
    detail = f" ({one['detail']})" if one["detail"] else ""
    yield f"  -> {one['party'] or 'nobody'}: {one['outcome']}{detail}"
    for number, attempt in enumerate(one["attempts"], start=1):
        at = f"{attempt['at']} " if attempt["at"] else ""
        if attempt["http_status"] == 0:
            came = f"no answer, {attempt['status_code']}: {attempt['reason']}"
        elif attempt["http_status"] is None:
            came = f"OCPI {attempt['status_code']}"
        else:
            came = f"HTTP {attempt['http_status']}, OCPI {attempt['status_code']}"
        yield f"       attempt {number}: {at}{came}, {attempt['ms']} ms"

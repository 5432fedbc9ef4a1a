"""`ocpi-hub agreement`: allow, deny, list, remove, over the running hub's operator API."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from hub.cli import listing, output
from hub.cli.calling import OperatorApi
from hub.settings import load_or_exit
from routing.agreements import Effect

app = typer.Typer(
    no_args_is_help=True,
    help="Who may deal with whom: the most specific rule decides, else HUB_DEFAULT_AGREEMENT.",
)

Json = listing.Json
One = Annotated[str, typer.Argument(metavar="ONE", help="a party as NL-TNM, or any")]
Other = Annotated[str, typer.Argument(metavar="OTHER", help="the other party, or any")]
Modules = Annotated[
    list[str] | None, typer.Option("--module", help="Only about this module; may be given again. All without it.")
]


def _api() -> OperatorApi:
    return OperatorApi(load_or_exit())


@app.command()
def allow(one: One, other: Other, module: Modules = None, *, json: Json = False) -> None:
    """Let these two deal with each other, in both directions."""
    _put(Effect.ALLOW, one, other, module, json=json)


@app.command()
def deny(one: One, other: Other, module: Modules = None, *, json: Json = False) -> None:
    """Keep these two from dealing with each other, in both directions."""
    _put(Effect.DENY, one, other, module, json=json)


@app.command("list")
def list_(
    wanted: listing.Filter = "", offset: listing.Offset = 0, limit: listing.Limit = None, *, json: Json = False
) -> None:
    """Every agreement, and what holds where none fits."""
    with output.failures():
        found = listing.listed(_api(), "/api/agreements", "agreements", wanted=wanted, offset=offset, limit=limit)
    default = found.last["default"]
    if json:
        output.as_json({"agreements": found.rows, "default": default})
        return
    rows = [_row(one) for one in found.rows]
    listing.table(("effect", "one", "other", "modules"), rows, found, title="agreements")
    output.line(f"else: {default}")


@app.command()
def remove(one: One, other: Other, module: Modules = None, *, json: Json = False) -> None:
    """Take back the rule of these two parties and exactly these modules."""
    with output.failures():
        removed = _api().delete("/api/agreements", one=one, other=other, module=module or [])
    if json:
        output.as_json(removed)
    else:
        output.line(f"removed {removed['removed']}")


def _put(effect: Effect, one: str, other: str, module: list[str] | None, *, json: bool) -> None:
    with output.failures():
        agreement = _api().put("/api/agreements", _body(effect, one, other, module))
    if json:
        output.as_json(agreement)
    else:
        output.line(" ".join(("from now on:", *_row(agreement))))


def _body(effect: Effect, one: str, other: str, module: list[str] | None) -> dict[str, Any]:
    return {"effect": effect, "one": one, "other": other, "modules": module or []}


def _row(agreement: dict[str, Any]) -> list[str]:
    return [agreement["effect"], agreement["one"], agreement["other"], ", ".join(agreement["modules"]) or "all"]

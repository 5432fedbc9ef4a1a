"""`ocpi-hub policy`: set, unset, list the terms of delivery, over the running hub's operator API."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from hub.cli import listing, output
from hub.cli.calling import OperatorApi
from hub.settings import load_or_exit
from routing.agreements import ANY
from routing.policies import NAMES

app = typer.Typer(
    no_args_is_help=True,
    help="By which terms parties are sent what is for them: the most specific policy decides, each term for itself.",
)

Json = listing.Json
Of = Annotated[str, typer.Option("--party", metavar="PARTY", help="The party that is sent to, as NL-TNM; or any.")]
Module = Annotated[str, typer.Option("--module", help="Only what is of this module; all without it.")]


def _api() -> OperatorApi:
    return OperatorApi(load_or_exit())


@app.command("set")
def set_(
    party: Of = ANY,
    module: Module = "",
    *,
    attempts: Annotated[
        int | None, typer.Option(help="Of a broadcast until it is given up to a resync; 1: none is repeated.")
    ] = None,
    attempt_seconds: Annotated[float | None, typer.Option(help="What one attempt of a broadcast may take.")] = None,
    backoff_seconds: Annotated[
        float | None, typer.Option(help="Pause after the first attempt; it doubles with each.")
    ] = None,
    backoff_most_seconds: Annotated[float | None, typer.Option(help="What a pause grows to at most.")] = None,
    refused_again: Annotated[
        bool | None,
        typer.Option(
            "--refused-again/--no-refused-again",
            help="Whether what has a caller waiting is tried once more where the connection was refused.",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Set the policy of a party, a module, both, or the hub; it replaces the one of the same party and module."""
    given = {
        "attempts": attempts, "attempt_seconds": attempt_seconds, "backoff_seconds": backoff_seconds,
        "backoff_most_seconds": backoff_most_seconds, "refused_again": refused_again,
    }  # fmt: skip
    terms = {name: value for name, value in given.items() if value is not None}
    with output.failures():
        policy = _api().put("/api/policies", {"party": party, "module": module, **terms})
    if json:
        output.as_json(policy)
    else:
        output.line(f"from now on: {policy['id']} {told(policy)}")


@app.command()
def unset(party: Of = ANY, module: Module = "", *, json: Json = False) -> None:
    """Take back the policy of exactly this party and module."""
    with output.failures():
        removed = _api().delete("/api/policies", party=party, module=module)
    if json:
        output.as_json(removed)
    else:
        output.line(f"removed {removed['removed']}")


@app.command("list")
def list_(
    wanted: listing.Filter = "", offset: listing.Offset = 0, limit: listing.Limit = None, *, json: Json = False
) -> None:
    """Every policy, and what holds where none says anything."""
    with output.failures():
        found = listing.listed(_api(), "/api/policies", "policies", wanted=wanted, offset=offset, limit=limit)
    default = found.last["default"]
    if json:
        output.as_json({"policies": found.rows, "default": default})
        return
    rows = [[one["party"], one["module"] or "all", told(one)] for one in found.rows]
    listing.table(("party", "module", "terms"), rows, found, title="policies")
    output.line(f"else: {told(default)}")


def told(terms: dict[str, Any]) -> str:
    """The terms that are set, for people."""
    return " ".join(f"{name}={_value(terms[name])}" for name in NAMES if terms[name] is not None)


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)

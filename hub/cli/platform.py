"""`ocpi-hub platform`: list and show the platforms behind the parties, over the running hub's operator API."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

import typer

from hub.cli import listing, output, party
from hub.cli.calling import OperatorApi
from hub.settings import load_or_exit

app = typer.Typer(no_args_is_help=True, help="The platforms that host the parties: one OCPI connection each.")


@app.command("list")
def list_(
    wanted: listing.Filter = "", offset: listing.Offset = 0, limit: listing.Limit = None, json: listing.Json = False
) -> None:
    """Every platform, those that were removed at the end."""
    with output.failures():
        api = OperatorApi(load_or_exit())
        found = listing.listed(api, "/api/platforms", "platforms", wanted=wanted, offset=offset, limit=limit)
    if json:
        output.as_json(found.rows)
        return
    rows = [
        [
            one["id"],
            f"{one['status']} (removed)" if one["removed"] else one["status"],
            one["version"],
            ", ".join(one["parties"]),
            one["versions_url"],
        ]
        for one in found.rows
    ]
    listing.table(("platform", "status", "version", "parties", "versions URL"), rows, found, title="platforms")


@app.command()
def show(
    id: Annotated[str, typer.Argument(metavar="PLATFORM", help="its id, as the lists tell it")],
    json: listing.Json = False,
) -> None:
    """All of one platform: roles, endpoints, settings, and what it still has to be resynced with."""
    with output.failures():
        shown = OperatorApi(load_or_exit()).get(f"/api/platforms/{quote(id, safe='')}")
    if json:
        output.as_json(shown)
    else:
        party.print_platform(shown)

"""`ocpi-hub poison`: the records of the log that no worker could handle, over the running hub's operator API."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

import typer

from hub.cli import listing, output
from hub.cli.calling import OperatorApi
from hub.settings import load_or_exit

app = typer.Typer(no_args_is_help=True, help="Records of the log that could not be handled and were set aside.")

Json = listing.Json

_PAGE = 100  # the hub reads each record whole


def _api() -> OperatorApi:
    return OperatorApi(load_or_exit())


@app.command("list")
def list_(
    wanted: listing.Filter = "",
    offset: listing.Offset = 0,
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many rows, the newest first.")] = 100,
    json: Json = False,
) -> None:
    """Where each stood, since when it is set aside, and why; the filter looks at topic and reason."""
    with output.failures():
        found = listing.listed(_api(), "/api/poison", "records", wanted=wanted, offset=offset, limit=limit, page=_PAGE)
    if json:
        output.as_json(found.rows)
        return
    rows = [[r["topic"], r["partition"], r["offset"], r["set_aside"], r["bytes"], r["reason"]] for r in found.rows]
    columns = ("topic", "partition", "offset", "set aside", "bytes", "reason")
    listing.table(columns, rows, found, title="records set aside")


@app.command()
def show(
    topic: Annotated[str, typer.Argument(metavar="TOPIC", help="for example ocpi.locations")],
    partition: Annotated[int, typer.Argument(metavar="PARTITION")],
    offset: Annotated[int, typer.Argument(metavar="OFFSET")],
    json: Json = False,
) -> None:
    """One record whole: key, headers and value as they stood on the log."""
    with output.failures():
        record = _api().get(f"/api/poison/{quote(topic, safe='')}/{partition}/{offset}")
    if json:
        output.as_json(record)
        return
    output.line(f"{record['topic']}/{record['partition']} at {record['offset']} (epoch {record['epoch']})")
    for name in ("appended", "set_aside", "reason", "key"):
        output.line(f"  {name.replace('_', ' '):<11}{record[name]}")
    output.table(("header", "value"), record["headers"], title="headers")
    output.line("")
    output.line(record.get("value") or f"{record['bytes']} bytes in Base64: {record.get('value_base64', '')}")

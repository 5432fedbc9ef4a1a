"""`ocpi-hub simulate`: the sample parties, each a process of its own, and how they are made to misbehave."""

from __future__ import annotations

import http.client
import json as jsonlib
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from connectors.fault import Fault
from connectors.values import PartyId
from hub.cli import output
from hub.cli.calling import CallFailed

if TYPE_CHECKING:
    from connectors.sample.record import Call

app = typer.Typer(
    no_args_is_help=True,
    help="Sample parties: they register for real, and then live. Each prints a line a call.",
)

VersionsUrl = Annotated[str, typer.Option(help="Register there; without it the party waits to be connected.")]
Token = Annotated[str, typer.Option(help="The token of the invitation.", envvar="OCPI_TOKEN", show_envvar=True)]
Host = Annotated[str, typer.Option(help="Address to listen on; any but this machine's own lets everybody in.")]
Name = Annotated[str, typer.Option(help="Host by which the hub reaches the party, as it stands in its URLs.")]
Port = Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.", min=0, max=65535)]
Pace = Annotated[float, typer.Option(help="Events a second.", min=0.0)]
Faults = Annotated[
    list[str] | None,
    typer.Option(
        "--fault",
        help=f"Misbehave from the registration on; several, also comma separated, are gone through at each SIGUSR1. "
        f"Switch it with `simulate fault` too. One of: {', '.join(Fault)}.",
    ),
]
Party = Annotated[str | None, typer.Option(help="The party, COUNTRY-PARTY.")]
Raw = Annotated[bool, typer.Option("--raw", help="Write the Authorization header without Base64.")]
Stay = Annotated[bool, typer.Option("--stay", help="Do not unregister at the end.")]
OnEnter = Annotated[bool, typer.Option("--on-enter", help="Register at once, and live only from Enter on.")]
Json = Annotated[bool, typer.Option("--json", help="A line of JSON a call.")]


@app.command()
def cpo(
    *,
    versions_url: VersionsUrl = "",
    token: Token = "",
    host: Host = "127.0.0.1",
    name: Name = "127.0.0.1",
    port: Port = 0,
    pace: Pace = 2.0,
    fault: Faults = None,
    party: Party = None,
    raw: Raw = False,
    stay: Stay = False,
    on_enter: OnEnter = False,
    json: Json = False,
) -> None:
    """The sample charge point operator: locations with live status, tariffs, sessions, CDRs."""
    options = {"host": host, "name": name, "port": port, "pace": pace, "raw": raw, "leave": not stay}
    options["on_enter"] = on_enter
    _run("cpo", versions_url, token, fault, party, json=json, **options)


@app.command()
def emsp(
    *,
    versions_url: VersionsUrl = "",
    token: Token = "",
    host: Host = "127.0.0.1",
    name: Name = "127.0.0.1",
    port: Port = 0,
    pace: Pace = 2.0,
    fault: Faults = None,
    party: Party = None,
    raw: Raw = False,
    stay: Stay = False,
    on_enter: OnEnter = False,
    json: Json = False,
) -> None:
    """The sample e-mobility provider: tokens, real-time authorisation, commands."""
    options = {"host": host, "name": name, "port": port, "pace": pace, "raw": raw, "leave": not stay}
    options["on_enter"] = on_enter
    _run("emsp", versions_url, token, fault, party, json=json, **options)


@app.command("fault")
def switch(
    port: Annotated[int, typer.Argument(help="the port of a sample party that runs on this machine")],
    fault: Annotated[str, typer.Argument(help=f"one of {', '.join(Fault)}; or none")],
) -> None:
    """Switch the fault of a sample party that runs."""
    if fault != "none" and fault not in set(Fault):
        raise typer.BadParameter(f"{fault!r} is none of {', '.join(Fault)}, none")
    with output.failures():
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            content = jsonlib.dumps({"fault": None if fault == "none" else fault})
            connection.request("POST", "/control/fault", content, {"Content-Type": "application/json"})
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException) as wrong:
            raise CallFailed(f"no sample party answers on port {port}: {wrong}") from None
        finally:
            connection.close()
        if status >= 300:
            raise CallFailed(f"what answers on port {port} is no sample party (HTTP {status})")
    output.line(f"fault: {fault}")


def _run(
    role: Literal["cpo", "emsp"],
    versions_url: str,
    token: str,
    fault: list[str] | None,
    party: str | None,
    *,
    json: bool,
    **options: Any,
) -> None:
    if versions_url and not token:
        raise typer.BadParameter("--versions-url needs the --token of the invitation too (or OCPI_TOKEN)")
    if party is not None:
        try:
            options["party"] = PartyId.parse(party)
        except ValueError as wrong:
            raise typer.BadParameter(str(wrong)) from None
    import asyncio  # noqa: PLC0415 - the other commands start without the sample parties' weight

    from connectors.sample.process import SampleFailed, print_call, run_cpo, run_emsp  # noqa: PLC0415 - as above

    run = run_cpo if role == "cpo" else run_emsp
    faults = [name.strip() for names in fault or () for name in names.split(",")]
    with output.failures():
        try:
            asyncio.run(run(versions_url, token, faults=faults, on_call=print_call if json else _print, **options))
        except SampleFailed as wrong:
            raise CallFailed(str(wrong)) from None


def _print(call: Call) -> None:
    way = "<-" if call.direction == "in" else "->"
    http_status, ocpi = call.http_status or "---", call.ocpi_status or "----"
    module = f"{call.module} {call.interface}".strip()
    # Who reads the lines may be gone before the party is.
    with suppress(BrokenPipeError):
        print(
            f"{way} {call.sender or '-'} > {call.to or '-'}  {call.method:<6} {module:<26} {http_status} {ocpi} "
            f"{call.ms:8.1f} ms",
            flush=True,
        )

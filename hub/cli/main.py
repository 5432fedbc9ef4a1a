"""The command `ocpi-hub`: runs the hub, looks after its parties, plays sample parties."""

from __future__ import annotations

import gc
from collections.abc import Callable
from functools import lru_cache
from typing import Annotated

import typer
from typer.main import get_command

from hub.cli import (
    agreement,
    deadletters,
    doctor,
    exchanges,
    output,
    party,
    platform,
    poison,
    policy,
    settings,
    simulate,
    topics,
)
from hub.processes.parts import ARCHIVE, EDGE, SERVE, WORKER, Parts
from hub.settings import load_or_exit

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    # A pretty stack trace shows local variables, and so credentials.
    pretty_exceptions_enable=False,
    help="An open-source OCPI roaming hub. Settings are environment variables: see `ocpi-hub settings`.",
)
app.add_typer(party.app, name="party")
app.add_typer(platform.app, name="platform")
app.add_typer(agreement.app, name="agreement")
app.add_typer(policy.app, name="policy")
app.add_typer(exchanges.app, name="exchanges")
app.add_typer(deadletters.app, name="deadletter")
app.add_typer(poison.app, name="poison")
app.add_typer(simulate.app, name="simulate")
app.add_typer(topics.app, name="topics")
app.add_typer(settings.app, name="settings")
app.command()(doctor.doctor)


Processes = Annotated[
    int | None,
    typer.Option(
        "--processes",
        min=1,
        max=64,
        help="Run so many beside each other on this machine, on the same ports. SIGHUP replaces them one by one.",
    ),
]


@app.command()
def serve(processes: Processes = None) -> None:
    """Run the hub, edge, worker and archiver in one, until SIGTERM or Ctrl-C."""
    _run(SERVE, processes)


@app.command()
def edge(processes: Processes = None) -> None:
    """Run an edge: it takes the parties' calls. Any number of them, on Kafka and MongoDB."""
    _run(EDGE, processes)


@app.command()
def worker(processes: Processes = None) -> None:
    """Run a worker: it sends what the edges put onto the log. Any number of them, on Kafka and MongoDB."""
    _run(WORKER, processes)


@app.command()
def archive(processes: Processes = None) -> None:
    """Run an archiver: it keeps what passed through the hub, to be found. Any number of them, on Kafka and MongoDB."""
    _run(ARCHIVE, processes)


def _run(parts: Parts, processes: int | None) -> None:
    holding = load_or_exit()
    from hub.processes.run import run  # noqa: PLC0415 - the other commands start without the server's weight

    with output.failures():
        code = run(holding, parts, processes)
    raise typer.Exit(code)


@lru_cache(maxsize=1)
def command() -> Callable[[], object]:
    """All of the above as one command, whose words are those of this process; making it takes a few hundredths of a
    second."""
    return get_command(app)


def main() -> None:
    """The entry point of the console script."""
    # What was imported is there to stay: no collection looks at it again, not even the one at the end.
    gc.freeze()
    command()()


if __name__ == "__main__":
    main()

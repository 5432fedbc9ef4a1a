"""`ocpi-hub settings`: show them as they hold here, write their table, judge them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from hub import settings as hub_settings
from hub.cli import output
from hub.cli.listing import Json

app = typer.Typer(invoke_without_command=True, help="The settings: environment variables whose names begin with HUB_.")


@app.callback()
def show(context: typer.Context, json: Json = False) -> None:
    """Every setting as it holds here, its default, and what it means; secrets are not shown."""
    if context.invoked_subcommand is not None:
        return
    now = hub_settings.effective(hub_settings.load_or_exit())
    if json:
        output.as_json(now)
        return
    output.table(
        ("variable", "here", "default", "meaning"),
        [(line.name, now[line.name], line.default, line.meaning) for line in hub_settings.described()],
    )


@app.command()
def docs(
    write: Annotated[
        Path | None,
        typer.Option(help="Put the table into this file, between its settings markers, instead of printing it."),
    ] = None,
    json: Json = False,
) -> None:
    """The table of the settings in Markdown, as the README has it."""
    if json:
        output.as_json([line._asdict() for line in hub_settings.described()])
        return
    if write is None:
        typer.echo(hub_settings.settings_table())
        return
    try:
        write.write_text(hub_settings.refreshed(write.read_text(encoding="utf-8")), encoding="utf-8")
    except (OSError, ValueError) as wrong:
        reason = wrong.strerror if isinstance(wrong, OSError) else str(wrong)
        typer.echo(f"{write} cannot be written: {reason}", err=True)
        raise typer.Exit(1) from None


@app.command()
def check(json: Json = False) -> None:
    """Say what is wrong with the environment, and what may be; exit code 1 if anything is wrong. Starts nothing."""
    from hub import settings_check  # noqa: PLC0415 - the other commands start without cryptography

    judged = settings_check.judge(os.environ)
    if json:
        output.as_json({"wrong": judged.wrong, "warnings": judged.warnings})
    else:
        for sentence in judged.wrong:
            output.line(f"wrong: {sentence}")
        for sentence in judged.warnings:
            output.line(f"warning: {sentence}")
        if not judged.wrong:
            output.line("The settings can be used.")
    if judged.wrong:
        raise typer.Exit(1)

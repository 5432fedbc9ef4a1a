"""What deploy/ says, read for its tests."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from typer.main import get_command

from hub.cli.main import app

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
GIVEN = {
    "HUB_KEYS": "one:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
    "HUB_OPERATOR_KEY": "an-operator-key-for-tests",
}
"""What the README tells a reader to put into deploy/.env."""

_VARIABLE = re.compile(r"\$\{(\w+)(?:(:-|:\?)([^}]*))?\}")


@cache
def compose() -> Any:
    """compose.yaml as it is written."""
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))


def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = compose()["services"]
    return found


def filled(text: str, given: Mapping[str, str]) -> str:
    """The text as compose reads it in this environment; AssertionError where it asks for what is not given."""

    def value(match: re.Match[str]) -> str:
        name, how, rest = match.groups()
        if found := given.get(name):
            return found
        assert how == ":-", f"compose asks for {name}: {rest}"
        return str(rest)

    return _VARIABLE.sub(value, text)


def environment(service: str, **given: str) -> dict[str, str]:
    """The variables that a service is started with."""
    said: dict[str, str] = services()[service].get("environment", {})
    return {name: filled(value, {**GIVEN, **given}) for name, value in said.items()}


def is_hub(service: Mapping[str, Any]) -> bool:
    return str(service["image"]).startswith("ocpi-hub:")


def parsed(words: Sequence[str]) -> list[str]:
    """The command path that these words of `ocpi-hub` lead to; raises the CLI's own usage error for wrong ones."""
    command: Any = get_command(app)
    context: Any = None
    path: list[str] = []
    name, rest = "ocpi-hub", list(words)
    while True:
        context = command.make_context(name, rest, parent=context)
        if not hasattr(command, "resolve_command"):
            return path
        name, command, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        path.append(name)

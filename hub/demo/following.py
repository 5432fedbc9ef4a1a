"""What to open and to try while the demo runs: every line can be typed as it stands."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from hub.demo.folder import demo_folder, shown
from hub.operator.key import key_file
from hub.settings import Settings

Step = tuple[str, str]


def following(settings: Settings, ports: Mapping[str, int]) -> list[Step]:
    """(what it is for, what to open or type). `ports` are those of the sample parties, by name."""
    command = _command(settings)
    steps = [
        ("is it ready", f"curl {settings.operator_base}/readyz"),
        ("metrics", f"curl -s {settings.operator_base}/metrics | grep ocpi_hub_calls"),
        ("who is here", f"{command} party list"),
        ("invite yours", f"{command} party invite NL ABC CPO"),
        ("versions URL", settings.versions_url),
    ]
    for name, port in list(ports.items())[-1:]:
        steps.append((f"trouble {name}", f"{command} simulate fault {port} hang   (and: none)"))
    key = "the one in HUB_OPERATOR_KEY" if settings.operator_key else shown(key_file(settings))
    steps.append(("operator key", f"{key}   (Authorization: Bearer ...)"))
    return steps


def _command(settings: Settings) -> str:
    script = Path(sys.executable).parent / "ocpi-hub"
    words = [shown(script)] if script.exists() else [shown(Path(sys.executable)), "-m", "hub.cli.main"]
    # What the command line does not find out by itself.
    if settings.operator_port != Settings.model_fields["operator_port"].default:
        words.insert(0, f"HUB_OPERATOR_PORT={settings.operator_port}")
    if settings.operator_key is None and settings.data_folder != demo_folder(settings.operator_port):
        words.insert(0, f"HUB_DATA={shown(settings.data_folder)}")
    return " ".join(words)

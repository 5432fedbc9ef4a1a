"""What a command loads: little enough that it answers at once. Modules are counted, not seconds."""

from __future__ import annotations

import subprocess
import sys

import pytest

_HEAVY = (
    "aiohttp",
    "aiokafka",
    "connectors.client",
    "connectors.sample",
    "connectors.v2_2_1.models",
    "cryptography",
    "hub.asyncapi",
    "hub.edge",
    "hub.metrics",
    "hub.operator.shapes",
    "motor",
    "prometheus_client",
    "pymongo",
    "rich",
    "structlog",
    "uvloop",
)


@pytest.mark.parametrize("module", ["hub.cli.main", "hub.cli.output", "hub.settings"])
def test_a_command_loads_neither_the_server_nor_its_libraries(module: str) -> None:
    code = f"import sys, {module}; print([name for name in {_HEAVY!r} if name in sys.modules])"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"

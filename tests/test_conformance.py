"""docs/conformance.md names tests that there are, and none of the flows is left out of it."""

from __future__ import annotations

import ast
import re
from functools import lru_cache
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[1]
SCENARIOS: Final = ROOT / "tests" / "scenarios"
PAGE: Final = (ROOT / "docs" / "conformance.md").read_text()
ROWS: Final = [
    tuple(cell.strip() for cell in line.strip("|").split("|"))
    for line in PAGE.splitlines()
    if line.startswith("| ") and not line.startswith("| what holds ")
]
_TEST: Final = re.compile(r"`([\w/]+\.py)::(\w+)`")


@lru_cache
def defined(path: Path) -> frozenset[str]:
    tree = ast.parse(path.read_text())
    functions = (node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(name for name in functions if name.startswith("test_"))


def test_every_row_has_what_holds_where_it_is_from_and_a_proof_or_a_reason() -> None:
    assert len(ROWS) > 80
    for row in ROWS:
        assert len(row) == 3 and all(row), row
        assert row[1][0].isdigit(), row
        assert _TEST.search(row[2]) or re.fullmatch(r"not yet: .+", row[2]), row


@pytest.mark.parametrize(("file", "name"), sorted(set(_TEST.findall(PAGE))))
def test_every_proof_that_is_named_is_there(file: str, name: str) -> None:
    path = ROOT / file if "/" in file else SCENARIOS / file
    assert path.is_file(), f"there is no {file}"
    assert name in defined(path), f"{file} has no {name}"


def test_every_flow_that_is_proven_is_named() -> None:
    named = {name for _, name in _TEST.findall(PAGE)}
    for path in SCENARIOS.glob("test_flows_*.py"):
        assert not defined(path) - named, path.name

"""`ocpi-hub settings`, its table and its judgement."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from hub.cli.main import app
from hub.settings import END, START, settings_table


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("HUB_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HUB_PUBLIC_URL", "https://hub.example")


def run(*words: str) -> Result:
    return CliRunner().invoke(app, ["settings", *words])


def test_alone_it_shows_them() -> None:
    assert "HUB_PUBLIC_URL" in run().stdout
    assert json.loads(run("--json").stdout)["HUB_PORT"] == "8080"


def test_docs_prints_the_table_of_the_readme_and_writes_it(tmp_path: Path) -> None:
    assert run("docs").stdout.rstrip("\n") == settings_table()
    assert {"name", "default", "meaning"} == set(json.loads(run("docs", "--json").stdout)[0])
    page = tmp_path / "page.md"
    page.write_text(f"before\n{START}\nold\n{END}\nafter\n")
    assert run("docs", "--write", str(page)).exit_code == 0
    assert page.read_text() == f"before\n{START}\n{settings_table()}\n{END}\nafter\n"
    page.write_text("no markers")
    for path, said in ((page, "has no <!-- settings"), (tmp_path / "none.md", "No such file")):
        ended = run("docs", "--write", str(path))
        assert (ended.exit_code, said in ended.stderr) == (1, True)


def test_check_says_what_is_wrong_and_its_exit_code_says_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (run("check").exit_code, run("check").stdout) == (0, "The settings can be used.\n")
    monkeypatch.setenv("HUB_PUBLIC_URL", "http://hub.example")
    assert run("check").exit_code == 0
    assert "warning: HUB_PUBLIC_URL" in run("check").stdout
    monkeypatch.setenv("HUB_PORT", "x")
    ended = run("check")
    assert (ended.exit_code, "wrong: HUB_PORT got 'x'" in ended.stdout) == (1, True)
    told = json.loads(run("check", "--json").stdout)
    assert (len(told["wrong"]), told["warnings"]) == (1, [])

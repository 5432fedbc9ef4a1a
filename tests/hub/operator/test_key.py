"""The operator key: made once, mode 0600, found again by the CLI."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import SecretStr

from hub.operator.key import find_key, key_file, make_key
from hub.settings import Settings, SettingsError


def test_the_first_start_makes_it_and_the_next_ones_find_it(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "data", operator_key=None)
    assert find_key(settings) is None
    made = make_key(settings)
    assert len(made.get_secret_value()) >= 43
    assert key_file(settings).stat().st_mode & 0o777 == 0o600
    assert find_key(settings) == make_key(settings) == made
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["operator.key"]


def test_the_setting_wins_and_nothing_is_written(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, operator_key=SecretStr("a-key-that-was-set"))
    assert make_key(settings).get_secret_value() == "a-key-that-was-set"
    assert not key_file(settings).exists()


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="HUB_D"):
        make_key(Settings(data=tmp_path / "file" / "data", operator_key=None))


def test_of_processes_that_start_at_once_the_first_ones_key_is_everybodys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(data=tmp_path, operator_key=None)
    others: list[SecretStr] = []
    link = os.link

    def slow(draft: Path, path: Path) -> None:
        monkeypatch.setattr(os, "link", link)
        others.append(make_key(settings))  # another process is quicker
        link(draft, path)

    monkeypatch.setattr(os, "link", slow)
    assert [make_key(settings)] == others
    assert [path.name for path in tmp_path.iterdir()] == ["operator.key"]


def test_a_key_file_that_is_empty_is_made_anew(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, operator_key=None)
    key_file(settings).touch()
    assert make_key(settings) == find_key(settings)

"""The README says what is so."""

from __future__ import annotations

from pathlib import Path

from hub.settings import refreshed

README = Path(__file__).resolve().parent.parent / "README.md"


def test_the_settings_table_is_that_of_the_class() -> None:
    text = README.read_text(encoding="utf-8")
    assert text == refreshed(text), "run: ocpi-hub settings docs --write README.md"

"""The file of settings that deploy/ hands out is that of the class."""

from __future__ import annotations

import re

from hub.settings import described, example
from tests.deploy.reading import DEPLOY, GIVEN


def test_the_example_is_that_of_the_class() -> None:
    kept = (DEPLOY / ".env.example").read_text(encoding="utf-8")
    assert kept == example(), "run: python -m hub.settings --env deploy/.env.example"


def test_it_names_every_setting_and_sets_none() -> None:
    lines = example().splitlines()
    assert re.findall(r"^#(HUB_\w+)=", example(), re.MULTILINE) == [setting.name for setting in described()]
    assert all(not line or line.startswith("#") for line in lines)
    assert all(len(line) <= 160 for line in lines)


def test_what_compose_asks_for_the_readme_says_how_to_make() -> None:
    text = (DEPLOY / "README.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"printf '(.+)' .*>> deploy/\.env", text)
    assert re.findall(r"(HUB_\w+)=", command) == list(GIVEN)

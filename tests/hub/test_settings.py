"""Settings: the names and defaults that others rely on, and a sentence for each wrong one."""

from __future__ import annotations

import os
import subprocess
import sys
from ipaddress import ip_network
from pathlib import Path

import pytest

from connectors.values import PartyId
from hub.settings import END, START, Settings, SettingsError, effective, load, refreshed, settings_table


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("HUB_"):
            monkeypatch.delenv(name)


def test_the_defaults_that_others_rely_on() -> None:
    settings = load()
    assert settings.versions_url == "http://localhost:8080/ocpi/versions"
    assert (settings.host, settings.port) == ("127.0.0.1", 8080)
    assert settings.operator_base == "http://127.0.0.1:8081"
    assert settings.party == PartyId("NL", "HUB")
    assert (str(settings.log), str(settings.store)) == ("embedded", "embedded")
    assert (settings.keys, settings.operator_key, settings.member) == (None, None, "")
    assert settings.allow_networks == ()
    assert settings.data_folder.is_absolute() and settings.data_folder.name == "ocpi-hub"


def test_the_environment_sets_them(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "HUB_PARTY": "de-abc",
        "HUB_ALLOW_NETWORKS": "127.0.0.0/8, ::1",
        "HUB_PUBLIC_URL": "https://hub.example/",
        "HUB_OPERATOR_HOST": "::",
        "HUB_PORT": "",
        "HUB_DATA": "~/x",
    }.items():
        monkeypatch.setenv(name, value)
    settings = load()
    assert settings.party == PartyId("DE", "ABC")
    assert settings.allow_networks == (ip_network("127.0.0.0/8"), ip_network("::1/128"))
    assert settings.versions_url == "https://hub.example/ocpi/versions"
    assert settings.operator_base == "http://[::1]:8081"
    assert settings.port == 8080
    assert settings.data_folder == Path("~/x").expanduser()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("HUB_PORT", "http", "HUB_PORT got 'http': input should be a valid integer"),
        ("HUB_PORT", "70000", "less than or equal to 65535"),
        ("HUB_PARTY", "HUB", "write COUNTRY-PARTY"),
        ("HUB_ALLOW_NETWORKS", "127.0.0.1/8,home", "'home' is not a network"),
        ("HUB_LOG", "kafka://h:x", "needs a port"),
        ("HUB_LOG", "mongodb://h", "HUB_LOG got 'mongodb://h': there is no such engine"),
        ("HUB_MEMBER", "a b", "HUB_MEMBER got 'a b'"),
        ("HUB_STORE", "file:x", "'embedded' belongs here"),
        ("HUB_PUBLIC_URL", "hub.example", "begins with http"),
        ("HUB_DRAIN_SECONDS", "nan", "HUB_DRAIN_SECONDS got 'nan'"),
        ("HUB_LOGGING_LEVEL", "loud", "'debug', 'info'"),
    ],
)
def test_a_wrong_one_is_a_sentence(monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load()
    (sentence,) = caught.value.sentences
    assert said in sentence
    assert f"{name} is: " in sentence


def test_secrets_are_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_OPERATOR_KEY", "canary")
    with pytest.raises(SettingsError) as caught:
        load()
    assert "canary" not in str(caught.value)
    monkeypatch.setenv("HUB_OPERATOR_KEY", "canary-canary-canary")
    monkeypatch.setenv("HUB_KEYS", "canary")
    monkeypatch.setenv("HUB_LOG", "kafka://hub:canary@h:9092?security_protocol=SASL_SSL")
    monkeypatch.setenv("HUB_STORE", "mongodb://hub:canary@h/hub")
    settings = load()
    assert settings.log.get_secret_value().startswith("kafka://hub:canary@h")
    assert effective(settings)["HUB_STORE"] == "mongodb://(not shown)@h/hub"
    assert "canary" not in repr(settings) + str(effective(settings)) + settings_table()
    assert effective(settings)["HUB_KEYS"] == "(set, not shown)"


@pytest.mark.parametrize("url", ["kafka://hub:canary@h:9092", "kafka:/hub:canary@h", "mongo://hub:canary@h"])
def test_a_wrong_url_of_an_engine_is_told_without_its_password(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    for name in ("HUB_LOG", "HUB_STORE"):
        monkeypatch.setenv(name, url)
    with pytest.raises(SettingsError) as caught:
        load()
    assert len(caught.value.sentences) == 2 and "canary" not in str(caught.value)


def test_a_command_with_wrong_settings_ends_with_2_and_no_stack_trace() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "hub.cli.main", "settings"],
        env={**os.environ, "HUB_PORT": "x"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("HUB_PORT got 'x'")
    assert "Traceback" not in ended.stderr


def test_the_table_has_every_setting_with_its_meaning() -> None:
    rows = settings_table().splitlines()[2:]
    assert len(rows) == len(Settings.model_fields)
    assert all(row.count("|") == 4 and not row.endswith("|  |") for row in rows)
    assert str(Path.home()) not in settings_table()


def test_a_text_with_markers_is_refreshed() -> None:
    text = f"before {START} old {END} after"
    assert refreshed(refreshed(text)) == f"before {START}\n{settings_table()}\n{END} after"
    with pytest.raises(ValueError, match="has no"):
        refreshed("no markers")

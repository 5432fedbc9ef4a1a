"""What is wrong with an environment is said in sentences that name the variable; what may be is a warning."""

from __future__ import annotations

import os

import pytest

from hub.settings_check import judge

KEY = "k1:" + "A" * 43 + "="


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.upper().startswith("HUB_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HUB_PUBLIC_URL", "https://hub.example")


def test_a_plain_environment_has_nothing_wrong_and_no_warnings() -> None:
    assert judge(os.environ) == judge({})
    assert judge(os.environ).wrong == judge(os.environ).warnings == ()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"HUB_PORT": "http"}, "HUB_PORT got 'http'"),
        ({"HUB_PUBIC_URL": "x"}, "HUB_PUBIC_URL is no setting, so it does nothing: HUB_PUBLIC_URL is meant"),
        ({"hub_prot": "x"}, "hub_prot is no setting, so it does nothing: HUB_PORT is meant"),
        ({"HUB_KEYS": "canary"}, "HUB_KEYS: entry 1 has no colon"),
        ({"HUB_OPERATOR_PORT": "8080"}, "HUB_PORT and HUB_OPERATOR_PORT are both 8080 on 127.0.0.1"),
    ],
)
def test_what_is_wrong_is_said(monkeypatch: pytest.MonkeyPatch, given: dict[str, str], said: str) -> None:
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    (sentence,) = judge(os.environ).wrong
    assert sentence.startswith(said)
    assert "canary" not in sentence


def test_everything_wrong_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("HUB_PORT", "x"), ("HUB_PARTY", "x"), ("HUB_PUBIC_URL", "x")):
        monkeypatch.setenv(name, value)
    assert len(judge(os.environ).wrong) == 3


def test_what_is_set_for_the_tests_is_no_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_TEST_ENGINES", "off")
    monkeypatch.setenv("hub_port", "8080")
    assert judge(os.environ).wrong == ()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"HUB_WHATEVER_ELSE": "x"}, "HUB_WHATEVER_ELSE is no setting, so it does nothing; `ocpi-hub settings`"),
        ({"HUB_PUBLIC_URL": "http://localhost:8080"}, "only parties on this machine"),
        ({"HUB_PUBLIC_URL": "http://127.0.0.1:9000"}, "unless something passes port 9000 on"),
        ({"HUB_PUBLIC_URL": "http://hub.example"}, "without TLS"),
        ({"HUB_LOG": "kafka://k:9092"}, "HUB_LOG is shared and HUB_STORE is embedded"),
        ({"HUB_STORE": "mongodb://m/x"}, "HUB_STORE is shared and HUB_LOG is embedded"),
        (
            {"HUB_LOG": "kafka://k:9092", "HUB_STORE": "mongodb://m/x", "HUB_OPERATOR_KEY": "o" * 20},
            "HUB_KEYS is not set",
        ),
        ({"HUB_LOG": "kafka://k:9092", "HUB_STORE": "mongodb://m/x", "HUB_KEYS": KEY}, "HUB_OPERATOR_KEY is not set"),
        ({"HUB_PLATFORM_INFLIGHT_BYTES": str(2**30)}, "one platform can take all of it"),
        ({"HUB_MAX_BODY_BYTES": str(2**27)}, "HUB_MAX_BODY_BYTES is 134217728 bytes, and only 67108864"),
    ],
)
def test_what_somebody_will_be_sorry_for_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], said: str
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    judged = judge(os.environ)
    assert judged.wrong == ()
    (sentence,) = judged.warnings
    assert said in sentence

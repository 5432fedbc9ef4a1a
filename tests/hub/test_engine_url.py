"""URLs of engines: judged, and never shown with what is secret in them."""

from __future__ import annotations

import pytest

from hub.engine_url import EngineUrl, shown


@pytest.mark.parametrize("url", ["embedded", "embedded:", "embedded://"])
def test_the_embedded_engine_has_three_spellings(url: str) -> None:
    assert EngineUrl(url) == EngineUrl("embedded")
    assert EngineUrl.judged(url, ("kafka",)).embedded


@pytest.mark.parametrize(
    "url",
    [
        "kafka://user:canary@h:9092",
        "kafka://user:can@ary@h:9092",
        "kafka:/user:canary@h",
        "mongodb://user:canary@h:1,g:2/hub?w=1",
        "mongodb+srv://user:canary@h/?authMechanismProperties=AWS_SESSION_TOKEN:canary&w=1",
        "mongodb://h/?tlsCertificateKeyFilePassword=canary",
        "user:canary@h",
    ],
)
def test_no_password_is_shown_whatever_is_wrong_with_it(url: str) -> None:
    made = EngineUrl(url)
    assert "can" not in str(made) + repr(made) + f"{made}" + shown(url)
    assert "(not shown)" in str(made)
    assert made.get_secret_value() == url


def test_what_is_not_secret_is_shown() -> None:
    url = "kafka://h:9092,g:9093?security_protocol=SSL&prefix=a."
    assert str(EngineUrl(url)) == url


@pytest.mark.parametrize(
    ("url", "said"),
    [("mongodb://u:canary@h", "kafka://..."), ("kafka:u:canary@h", "kafka://host:port"), ("kafka://", "kafka://host")],
)
def test_a_wrong_one_is_a_sentence_without_the_secret(url: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        EngineUrl.judged(url, ("kafka",))
    assert "canary" not in str(caught.value)

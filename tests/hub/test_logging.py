"""Logging: structured lines, and no secret in any of them (P11)."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from hub.logging import HIDDEN, configure

SECRET = "canary-0123456789"


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure(level="info", style="json", stream=stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)
    structlog.reset_defaults()


def lines(out: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_a_line_is_json_with_its_fields(out: io.StringIO) -> None:
    structlog.get_logger("hub.x").warning("delivery_failed", party="NL-TNM", attempts=2)
    (line,) = lines(out)
    assert (line["event"], line["party"], line["attempts"], line["level"]) == (
        "delivery_failed",
        "NL-TNM",
        2,
        "warning",
    )
    assert line["logger"] == "hub.x" and line["timestamp"].endswith("Z")


def test_the_standard_library_goes_the_same_way(out: io.StringIO) -> None:
    logging.getLogger("aiohttp.server").error("failed: %s", "Token " + SECRET)
    (line,) = lines(out)
    assert line["event"] == f"failed: Token {HIDDEN}"


@pytest.mark.parametrize(
    "name", ["authorization", "token", "credential", "Authorization", "access_token", "operator_key"]
)
def test_telling_names_are_blanked_at_any_depth(out: io.StringIO, name: str) -> None:
    structlog.get_logger().info("x", **{name: SECRET}, headers={name: SECRET}, many=[{name: SECRET}])
    assert SECRET not in out.getvalue()
    assert lines(out)[0][name] == HIDDEN


@pytest.mark.parametrize(
    "text",
    [
        f"Token {SECRET}",
        f"Authorization: Bearer {SECRET}",
        f"token={SECRET}",
        f"{{'token': '{SECRET}'}}",
        f'{{"token":"{SECRET}"}}',
    ],
)
def test_what_looks_like_a_credential_is_blanked_in_texts_and_tracebacks(out: io.StringIO, text: str) -> None:
    log = structlog.get_logger()
    log.info("x", what=text)
    try:
        raise ValueError(text)
    except ValueError:
        log.exception("failed")
    assert SECRET not in out.getvalue()
    assert "ValueError" in out.getvalue()


def test_below_the_level_nothing_is_said(out: io.StringIO) -> None:
    structlog.get_logger("y").debug("quiet")
    logging.getLogger("aiohttp.access").info("GET /")
    assert out.getvalue() == ""

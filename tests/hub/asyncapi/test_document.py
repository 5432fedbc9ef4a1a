"""The AsyncAPI document is that of the code, holds together, and says what really stands on the log."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from hub.asyncapi.__main__ import text
from hub.asyncapi.document import document
from hub.asyncapi.records import Exchange, Exchanges, Outcome, PushEnvelope, Resync
from routing.topics import PUBLIC
from tests.routing.frozen import PUSHES, now

ROOT = Path(__file__).resolve().parents[3]
RECORDS = now()


@cache
def made() -> dict[str, Any]:
    return document()


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if "$ref" in part:
            yield part["$ref"]
        for value in part.values():
            yield from references(value)
    elif isinstance(part, list):
        for value in part:
            yield from references(value)


def resolved(reference: str) -> Any:
    found: Any = made()
    for step in reference.removeprefix("#/").split("/"):
        found = found[step]
    return found


def message_of(topic: str, type: str) -> dict[str, Any]:
    """The message of this type that the channel of this topic names."""
    (channel,) = [one for one in made()["channels"].values() if one["address"] == topic]
    named = [resolved(reference["$ref"]) for reference in channel["messages"].values()]
    found: dict[str, Any]
    (found,) = [message for message in named if message["name"] == type]
    return found


def test_the_kept_document_is_that_of_the_code() -> None:
    kept = (ROOT / "docs" / "asyncapi.json").read_text(encoding="utf-8")
    assert kept == text(), "run: python -m hub.asyncapi --write docs/asyncapi.json"


def test_every_public_topic_is_a_channel_and_published_by_the_hub() -> None:
    channels = {name: one["address"] for name, one in made()["channels"].items()}
    assert sorted(channels.values()) == sorted(PUBLIC)
    published = {one["channel"]["$ref"] for one in made()["operations"].values() if one["action"] == "send"}
    assert published == {f"#/channels/{name}" for name in channels}


def test_every_reference_leads_somewhere_and_everything_is_referred_to() -> None:
    found = set(references(made()))
    assert all(resolved(reference) for reference in found)
    parts = {f"#/components/{kind}/{name}" for kind, named in made()["components"].items() for name in named}
    assert parts <= found


def test_an_operation_names_messages_of_its_own_channel() -> None:
    for operation in made()["operations"].values():
        for message in operation["messages"]:
            assert message["$ref"].startswith(f"{operation['channel']['$ref']}/messages/")


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("", {"asyncapi", "channels", "components", "defaultContentType", "info", "operations"}),
        ("channels", {"address", "bindings", "description", "messages", "title"}),
        ("operations", {"action", "channel", "messages", "summary"}),
        (
            "components/messages",
            {"bindings", "correlationId", "description", "headers", "name", "payload", "title"},
        ),
    ],
)
def test_only_fields_of_asyncapi_3_are_used(kind: str, fields: set[str]) -> None:
    for part in resolved(kind).values() if kind else [made()]:
        assert set(part) <= fields


def test_schemas_use_no_words_that_came_after_draft_7() -> None:
    later = {"prefixItems", "$defs", "unevaluatedProperties", "dependentRequired", "minContains", "contentSchema"}
    assert not later & set(_words(made()["components"]["schemas"]))


def _words(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        yield from part
    for value in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from _words(value)


@pytest.mark.parametrize("name", RECORDS)
def test_the_headers_of_real_records_are_as_described(name: str) -> None:
    record = RECORDS[name]
    described = message_of(record.topic, record.headers["ce_type"])["headers"]
    assert set(record.headers) <= set(described["properties"])
    assert set(described["required"]) <= set(record.headers)
    for header, value in record.headers.items():
        assert value == described["properties"][header].get("const", value)


def names(model: type[BaseModel]) -> set[str]:
    return {field.alias or name for name, field in model.model_fields.items()}


@pytest.mark.parametrize("name", PUSHES)
def test_a_real_envelope_is_as_described(name: str) -> None:
    content = RECORDS[name].headers["ce_ocpihub"]
    PushEnvelope.model_validate_json(content, strict=True)
    assert set(json.loads(content)) == names(PushEnvelope)


def test_real_outcomes_and_exchanges_are_as_described() -> None:
    outcome, exchanges = RECORDS["outcome"].value, RECORDS["exchanges"].value
    Outcome.model_validate_json(outcome, strict=True)
    assert set(json.loads(outcome)) == names(Outcome) - {"custody"}  # which this is not
    assert {len(row) for row in json.loads(outcome)["results"]} == {len(get_args(made_rows()))}
    Resync.model_validate_json(RECORDS["resync"].value, strict=True)
    assert set(json.loads(RECORDS["resync"].value)) == names(Resync)
    Exchanges.model_validate_json(exchanges, strict=True)
    assert {frozenset(one) for one in json.loads(exchanges)} == {frozenset(names(Exchange))}


def made_rows() -> Any:
    (results,) = get_args(Outcome.model_fields["results"].annotation)
    return results.model_fields["root"].annotation


def test_every_field_is_explained() -> None:
    for name, schema in made()["components"]["schemas"].items():
        for field, described in schema.get("properties", {}).items():
            assert described.get("description"), f"{name}.{field}"

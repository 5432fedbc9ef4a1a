"""The OpenAPI 3.1 document of the operator API, written from its operations."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from hub.operator.operations import Operation, Operations
from hub.operator.requests import Nothing
from hub.operator.shapes import Failure, Paged

INTERFACE: Final = "1.0.0"
"""Version of what the document describes."""

KEYED: Final = "operatorKey"

_REF: Final = "#/components/schemas/{model}"
_PLACEHOLDER: Final = re.compile(r"{(\w+)}")
_PLACEHOLDERS: Final = {
    "country_code": "Two letters, in any case",
    "party_id": "Up to three characters, in any case",
    "id": "Id of the platform, as the parties' list tells it",
    "topic": "Topic of the log",
    "partition": "Its partition",
    "offset": "The record's offset in it",
    "exchange": "Id of the exchange, as the search tells it",
    "letter": "Id of the dead letter, as the list tells it",
}
_INFO: Final = (
    "The operator's API of an OCPI hub: parties, platforms, agreements, policies, exchanges, dead letters, and "
    "records that could not be handled. JSON both ways. Every path but the open ones needs `Authorization: Bearer "
    "KEY`. Every answer that is no success has a sentence that says what to mend. Fields are added, and none is "
    "changed or taken away."
)

_Key = tuple[Any, JsonSchemaMode]


def document(operations: Operations) -> dict[str, Any]:
    """The whole document, as JSON would hold it."""
    wanted: dict[_Key, None] = {(Failure, "serialization"): None}
    for operation in operations:
        if operation.body is not Nothing:
            wanted[operation.body, "validation"] = None
        if not isinstance(operation.told, str):
            wanted[operation.told, "serialization"] = None
    schemas, definitions = models_json_schema(list(wanted), ref_template=_REF)
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "OCPI hub: operator API",
            "version": INTERFACE,
            "description": _INFO,
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": definitions["$defs"],
            "securitySchemes": {KEYED: {"type": "http", "scheme": "bearer", "description": "HUB_OPERATOR_KEY"}},
        },
    }


def _operation(operation: Operation[Any, Any], schemas: dict[_Key, dict[str, Any]]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.id,
        "summary": operation.summary,
        "security": [] if operation.open else [{KEYED: []}],
        "parameters": [*_in_path(operation), *_in_query(operation.query)],
        "responses": _responses(operation, schemas),
    }
    if operation.body is not Nothing:
        schema = schemas[operation.body, "validation"]
        described["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return described


def _in_path(operation: Operation[Any, Any]) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string"},
            "description": _PLACEHOLDERS[name],
        }
        for name in _PLACEHOLDER.findall(operation.path)
    ]


def _in_query(query: type[BaseModel]) -> list[dict[str, Any]]:
    schema = query.model_json_schema()
    found = []
    for name, one in schema.get("properties", {}).items():
        described = {"name": name, "in": "query", "required": name in schema.get("required", ())}
        if "description" in one:
            described["description"] = one.pop("description")
        found.append({**described, "schema": one})
    return found


def _responses(operation: Operation[Any, Any], schemas: dict[_Key, dict[str, Any]]) -> dict[str, Any]:
    told = operation.told
    content = {told: {"schema": {"type": "string"}}}
    if not isinstance(told, str):
        content = {"application/json": {"schema": schemas[told, "serialization"]}}
    good: dict[str, Any] = {"description": HTTPStatus(operation.status).phrase, "content": content}
    if not isinstance(told, str) and issubclass(told, Paged):
        good["headers"] = {
            "X-Total-Count": {"description": "Rows of all pages", "schema": {"type": "integer"}},
            "Link": {"description": 'The next page, with rel="next"', "schema": {"type": "string"}},
        }
    answers = {str(operation.status): good}
    wrong = {"application/json": {"schema": schemas[Failure, "serialization"]}}
    for status in sorted(failures(operation)):
        phrase = HTTPStatus(status).phrase
        failed = {"description": phrase, "content": wrong}
        answers[str(status)] = {**good, "description": phrase} if operation.open else failed
    return answers


def failures(operation: Operation[Any, Any]) -> set[int]:
    """The statuses that it may be answered with beside its own."""
    found = set(operation.also)
    if operation.open:
        return found
    found |= {401, 500, 503}
    found.add(400)  # its query, at least, may be what does not belong there
    return found if operation.body is Nothing else found | {413}

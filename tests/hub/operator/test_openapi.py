"""The OpenAPI document: of every route, of the models that bodies are read by and answers are held to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from aiohttp import ClientSession
from pydantic import BaseModel

from hub.operator.app import OPERATIONS
from hub.operator.openapi import KEYED
from hub.operator.requests import Nothing
from hub.operator.watching import OPEN_PATHS
from tests.hub.operator.operating import Operating, operating


@pytest.fixture
async def operator() -> AsyncIterator[Operating]:
    async with operating() as made:
        yield made


@pytest.fixture
async def served(operator: Operating) -> dict[str, Any]:
    """The document as anybody gets it."""
    async with ClientSession() as session, session.get(f"{operator.base}/openapi.json?x=1") as response:
        assert (response.status, response.content_type) == (200, "application/json")
        found: dict[str, Any] = await response.json()
        return found


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if "$ref" in part:
            yield part["$ref"]
        for value in part.values():
            yield from references(value)
    elif isinstance(part, list):
        for value in part:
            yield from references(value)


def schema_of(content: dict[str, Any]) -> Any:
    return content["application/json"]["schema"]


def named(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{model.__name__}"}


async def test_every_route_of_the_port_is_in_it_and_no_other(operator: Operating, served: dict[str, Any]) -> None:
    routes = {
        (route.method.lower(), route.resource.canonical)
        for route in operator.app.router.routes()
        if route.resource is not None and route.method != "HEAD"
    }
    described = {(method, path) for path, methods in served["paths"].items() for method in methods}
    assert routes == described
    assert len(routes) == len(operator.app[OPERATIONS])


async def test_every_reference_leads_somewhere(served: dict[str, Any]) -> None:
    found = set(references(served))
    assert found
    for reference in found:
        assert reference.startswith("#/components/schemas/")
        assert reference.rpartition("/")[2] in served["components"]["schemas"], reference


async def test_bodies_queries_and_answers_are_those_of_the_models(operator: Operating, served: dict[str, Any]) -> None:
    schemas = served["components"]["schemas"]
    for operation in operator.app[OPERATIONS]:
        told = served["paths"][operation.path][operation.method.lower()]
        good = told["responses"][str(operation.status)]["content"]
        if isinstance(operation.told, str):
            assert list(good) == [operation.told]
        else:
            assert schema_of(good) == named(operation.told)
            properties = operation.told.model_json_schema(mode="serialization")["properties"]
            assert set(schemas[operation.told.__name__]["properties"]) == set(properties)
        assert ("requestBody" in told) == (operation.body is not Nothing)
        if operation.body is not Nothing:
            assert schema_of(told["requestBody"]["content"]) == named(operation.body)
            assert set(schemas[operation.body.__name__]["properties"]) == {
                field.alias or name for name, field in operation.body.model_fields.items()
            }
        asked = {one["name"] for one in told["parameters"] if one["in"] == "query"}
        assert asked == set(operation.query.model_fields)
        assert all(one["description"] for one in told["parameters"])


async def test_each_operation_says_what_it_does_and_has_a_name_of_its_own(served: dict[str, Any]) -> None:
    operations = [one for methods in served["paths"].values() for one in methods.values()]
    assert len({one["operationId"] for one in operations}) == len(operations)
    for one in operations:
        assert one["summary"].endswith("."), one["operationId"]
        assert "\n" not in one["summary"]


async def test_what_needs_the_key_says_so(operator: Operating, served: dict[str, Any]) -> None:
    assert {operation.path for operation in operator.app[OPERATIONS] if operation.open} == OPEN_PATHS
    for path, methods in served["paths"].items():
        for one in methods.values():
            assert one["security"] == ([] if path in OPEN_PATHS else [{KEYED: []}])
            assert ("401" in one["responses"]) == (path not in OPEN_PATHS)
    for operation in operator.app[OPERATIONS]:
        if not operation.open:
            path = operation.path.replace("{country_code}", "NL").replace("{party_id}", "TNM").replace("{id}", "x")
            assert (await operator.call(operation.method, path, key=None))[0] == 401


async def test_every_list_has_pages_and_a_filter(served: dict[str, Any]) -> None:
    lists = [
        (path, methods["get"])
        for path, methods in served["paths"].items()
        if "get" in methods and "{" not in path and path.startswith("/api/")
    ]
    searched = {"/api/exchanges"}  # whose rows are too many to be counted or passed over
    filtered = {"/api/deadletters"}  # by what each is about
    listed = ["/api/parties", "/api/platforms", "/api/agreements", "/api/policies", "/api/poison", "/api/deadletters"]
    assert [path for path, _ in lists if path not in searched] == listed
    for path, one in lists:
        if path in searched:
            assert {parameter["name"] for parameter in one["parameters"]} >= {"limit", "page"}
            continue
        named = {parameter["name"] for parameter in one["parameters"]}
        if path in filtered:
            assert named == {"offset", "limit", "party", "module", "reason", "since", "until", "open"}
        else:
            assert named == {"offset", "limit", "filter"}
        assert set(one["responses"]["200"]["headers"]) == {"X-Total-Count", "Link"}

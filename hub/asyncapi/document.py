"""The AsyncAPI 3.0 document of the topics that others may read."""

from __future__ import annotations

from typing import Any, Final

from pydantic.json_schema import models_json_schema

from hub.asyncapi.records import Exchanges, Outcome, PushEnvelope, Resync
from hub.settings import Settings
from routing import cloudevents, event, exchanges
from routing.topics import EVENT_TOPICS, OUTCOMES, PUBLIC, Need, needs
from routing.worker import outcomes, resynced

INTERFACE: Final = "1.3.0"
"""Version of what the document describes: it rises when fields are added; what is there is never changed."""

_SCHEMAS: Final = "#/components/schemas/"
_BINDING: Final = "0.5.0"

_INFO: Final = (
    "What the hub puts onto its log where the log is Apache Kafka. Records are CloudEvents 1.0 in the binary mode of "
    "the Kafka protocol binding; their time is the log's append time. Within `.v1` fields, headers and values are "
    "added, and none is changed or taken away: pass over what you do not know. A record may come twice; `ce_source` "
    "and `ce_id` together tell it. Topics have the prefix that HUB_LOG names, if any; `ocpi.replies` is internal."
)
_PUSH: Final = (
    "A push that a party sent, accepted by the hub: PUT, PATCH, POST or DELETE of an object. The data are the bytes "
    "that the party sent, in its version of OCPI, judged but not mended; a DELETE has none. A PATCH is the change, "
    "not the object. Whether it reached its recipients is said on ocpi.outcomes."
)
_READ: Final = (
    "What the hub itself read from the owner of an object: a PUT of the whole object, or a DELETE where its owner has "
    "it no more. It is sent to nobody. `read` of the envelope says from where on something newer may stand in the "
    "partition: whoever keeps states lays that over it. A session or CDR is that of the party in `for`."
)

_AGAIN: Final = (
    "An operator has the hub send again what it gave up on: to the party in `to`, the object as it stands when its "
    "turn comes, a CDR unless its recipient has taken it. There is no data, and it changes no state. `again` of the "
    "envelope names the dead letter."
)
_RESYNC: Final = (
    "What became of an object whose newest state was sent to one recipient, because it may have missed some of it "
    "(then the outcome of those pushes is `marked`), or because an operator asked for it. One record each time that a "
    "request was made for it."
)


def document() -> dict[str, Any]:
    """The whole document, as JSON would hold it."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "OCPI hub: the log",
            "version": INTERFACE,
            "description": _INFO,
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {_channel(need.name): _described(need) for need in _needs()},
        "operations": {
            f"publish.{_channel(need.name)}": {
                "action": "send",
                "channel": {"$ref": f"#/channels/{_channel(need.name)}"},
                "summary": f"The hub publishes {_channel(need.name)}.",
                "messages": [{"$ref": f"#/channels/{_channel(need.name)}/messages/{name}"} for name in _names(need)],
            }
            for need in _needs()
        },
        "components": {"messages": _messages(), "schemas": _schemas()},
    }


def _needs() -> list[Need]:
    fields = Settings.model_fields
    wanted = needs(body_limit=fields["max_body_bytes"].default, answer_limit=fields["max_answer_bytes"].default)
    return [need for need in wanted if need.name in PUBLIC]


def _channel(topic: str) -> str:
    return topic.removeprefix("ocpi.")


def _names(need: Need) -> tuple[str, ...]:
    if need.events:
        return ("push", "read", "again")
    return ("outcomes", "resync") if need.name == OUTCOMES else (_channel(need.name),)


def _described(need: Need) -> dict[str, Any]:
    name = _channel(need.name)
    told = {
        OUTCOMES: "What became of each push: one record when it is settled for every recipient; and of each resync.",
        **{
            topic: f"Every accepted push of {_channel(topic)}, what was read of it, and what is sent again."
            for topic in EVENT_TOPICS
        },
    }
    return {
        "address": need.name,
        "title": name,
        "description": told.get(need.name, "Calls that were passed on at once, and what came of them."),
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in _names(need)},
        "bindings": {
            "kafka": {
                "partitions": need.partitions,
                "replicas": need.replication,
                "topicConfiguration": {
                    "cleanup.policy": ["delete"],
                    "retention.ms": need.retention,
                    "max.message.bytes": need.largest,
                },
                "bindingVersion": _BINDING,
            }
        },
    }


def _messages() -> dict[str, Any]:
    object_key = "`CC*PID/module/ID` in upper case: owner and object, so that all of one object keeps its order"
    envelope = {
        "type": "string",
        "description": "What OCPI and the hub say of it: JSON of the schema PushEnvelope",
        "contentMediaType": "application/json",
        "x-content": {"$ref": f"{_SCHEMAS}{PushEnvelope.__name__}"},
    }
    return {
        "push": {
            "name": event.TYPE,
            "title": "A push",
            "description": _PUSH,
            "headers": _headers(event.TYPE, cloudevents.PUSHES, ce_ocpihub=envelope),
            "payload": {"type": "object", "description": "An OCPI object, a part of one, or the fields of a PATCH"},
            "bindings": _key(object_key),
        },
        "read": {
            "name": event.READ_TYPE,
            "title": "A read",
            "description": _READ,
            "headers": _headers(event.READ_TYPE, cloudevents.READS, ce_ocpihub=envelope),
            "payload": {"type": "object", "description": "The whole OCPI object as its owner listed it"},
            "bindings": _key(object_key),
        },
        "again": {
            "name": event.AGAIN_TYPE,
            "title": "Once again",
            "description": _AGAIN,
            "headers": _headers(event.AGAIN_TYPE, cloudevents.AGAIN, ce_ocpihub=envelope),
            "payload": {"type": "null", "description": "Nothing"},
            "bindings": _key(object_key),
        },
        "outcomes": {
            "name": outcomes.TYPE,
            "title": "An outcome",
            "description": "How a push ended for each of its recipients. `ce_id` is that of the push.",
            "headers": _headers(outcomes.TYPE, cloudevents.OUTCOMES),
            "payload": {"$ref": f"{_SCHEMAS}{Outcome.__name__}"},
            "correlationId": {"location": "$message.payload#/correlation"},
            "bindings": _key(object_key),
        },
        "resync": {
            "name": resynced.TYPE,
            "title": "A resync",
            "description": _RESYNC,
            "headers": _headers(resynced.TYPE, cloudevents.RESYNCS),
            "payload": {"$ref": f"{_SCHEMAS}{Resync.__name__}"},
            "correlationId": {"location": "$message.payload#/correlation"},
            "bindings": _key(object_key),
        },
        "exchanges": {
            "name": exchanges.TYPE,
            "title": "Exchanges",
            "description": "Relays as they went. Where the log is slow some may be missing; they are counted.",
            "headers": _headers(exchanges.TYPE, cloudevents.EXCHANGES),
            "payload": {"$ref": f"{_SCHEMAS}{Exchanges.__name__}"},
            "bindings": _key("The process that wrote it"),
        },
    }


def _headers(type: str, source: str, **more: dict[str, Any]) -> dict[str, Any]:
    data = {"type": "string", "const": "application/json", "description": "Of the data; missing where there are none"}
    return {
        "type": "object",
        "required": ["ce_specversion", "ce_id", "ce_source", "ce_type", *more],
        "properties": {
            "ce_specversion": {"type": "string", "const": "1.0"},
            "ce_id": {"type": "string", "minLength": 1},
            "ce_source": {"type": "string", "const": source},
            "ce_type": {"type": "string", "const": type},
            "content-type": data,
            **more,
        },
    }


def _key(description: str) -> dict[str, Any]:
    return {"kafka": {"key": {"type": "string", "description": description}, "bindingVersion": _BINDING}}


def _schemas() -> dict[str, Any]:
    models = (PushEnvelope, Outcome, Resync, Exchanges)
    _, schema = models_json_schema([(model, "validation") for model in models], ref_template=_SCHEMAS + "{model}")
    return {name: _draft7(one) for name, one in sorted(schema["$defs"].items())}


def _draft7(schema: Any) -> Any:
    """The schema in the words of JSON Schema draft 7, which AsyncAPI builds on; rows may become longer."""
    if isinstance(schema, list):
        return [_draft7(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "prefixItems" in schema:
        schema = {key: value for key, value in schema.items() if key not in {"prefixItems", "maxItems"}} | {
            "items": schema["prefixItems"]
        }
    return {key: _draft7(value) for key, value in schema.items() if key != "title" or isinstance(value, dict)}

"""The primitive types of OCPI 2.2.1 (chapter 16, `types`) and the base of every object model.

Only constraints that pydantic-core checks by itself are used: a validator in Python would cost more than the rest of
a Location. Lengths are checked, the printable character sets are not. A DateTime must end in `Z` here; OCPI lets it be
left out, and the judge notes that as a finding, never as a refusal.
"""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, create_model

CiString2: TypeAlias = Annotated[str, StringConstraints(max_length=2)]
CiString3: TypeAlias = Annotated[str, StringConstraints(max_length=3)]
CiString4: TypeAlias = Annotated[str, StringConstraints(max_length=4)]
CiString32: TypeAlias = Annotated[str, StringConstraints(max_length=32)]
CiString36: TypeAlias = Annotated[str, StringConstraints(max_length=36)]
CiString39: TypeAlias = Annotated[str, StringConstraints(max_length=39)]
CiString48: TypeAlias = Annotated[str, StringConstraints(max_length=48)]

String2: TypeAlias = Annotated[str, StringConstraints(max_length=2)]
String3: TypeAlias = Annotated[str, StringConstraints(max_length=3)]
String4: TypeAlias = Annotated[str, StringConstraints(max_length=4)]
String5: TypeAlias = Annotated[str, StringConstraints(max_length=5)]
String10: TypeAlias = Annotated[str, StringConstraints(max_length=10)]
String11: TypeAlias = Annotated[str, StringConstraints(max_length=11)]
String16: TypeAlias = Annotated[str, StringConstraints(max_length=16)]
String20: TypeAlias = Annotated[str, StringConstraints(max_length=20)]
String45: TypeAlias = Annotated[str, StringConstraints(max_length=45)]
String64: TypeAlias = Annotated[str, StringConstraints(max_length=64)]
String100: TypeAlias = Annotated[str, StringConstraints(max_length=100)]
String255: TypeAlias = Annotated[str, StringConstraints(max_length=255)]
String512: TypeAlias = Annotated[str, StringConstraints(max_length=512)]
String5000: TypeAlias = Annotated[str, StringConstraints(max_length=5000)]

URL: TypeAlias = String255
DateTime: TypeAlias = Annotated[
    str,
    StringConstraints(
        pattern=(
            r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
            r"T([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\.[0-9]{1,4})?Z$"
        )
    ),
]
"""RFC 3339 in UTC, string(25): at most four digits after the point of the seconds."""

Int5: TypeAlias = Annotated[int, Field(le=99999)]


class Object(BaseModel):
    """The base of every OCPI class: JSON types as the specification has them, unknown fields let through."""

    model_config = ConfigDict(strict=True, extra="ignore", hide_input_in_errors=True)


class Addressed(Object):
    """The base of objects that travel as a body of their own: unknown fields at their top are kept for a look."""

    model_config = ConfigDict(extra="allow")


def partial(model: type[Object]) -> type[Object]:
    """The model of a PATCH of `model`: every field may be missing, none may have another type (2.2.1, 4.1.2).

    Fields that are given replace the whole field, so objects and lists inside one are whole objects. A missing field
    reads as None; only fields that are optional in `model` may be null.
    """
    fields: dict[str, Any] = {
        name: (Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation, None)
        for name, field in model.model_fields.items()
    }
    return create_model(f"{model.__name__}Patch", __base__=Addressed, **fields)

"""What each platform was told of the others, as it stands in the store: one small fact a platform that looks."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from connectors.values import PartyId, Role
from routing.clientinfo import Client, Told
from routing.directory import Status
from routing.store.port import Lease, Store


async def read(store: Store, viewer: str) -> dict[Client, Told]:
    """What the platform of this id was told. Raises StoreAway."""
    record = await store.get_meta(_name(viewer))
    if record is None:
        return {}
    return {
        Client(PartyId(country, party), Role(role)): Told(Status(status), since, taken)
        for country, party, role, status, since, taken in orjson.loads(record)
    }


async def write(store: Store, viewer: str, told: Mapping[Client, Told], lease: Lease) -> None:
    """Raises LeaseLost and StoreAway."""
    rows = [(*client.party, client.role, one.status, one.since, one.taken) for client, one in told.items()]
    await store.set_meta(_name(viewer), orjson.dumps(rows), lease=lease)


def client_info(client: Client, told: Told) -> dict[str, Any]:
    """The ClientInfo object (OCPI 2.2.1, 14.3.1)."""
    since = datetime.fromtimestamp(told.since / 1000, UTC).isoformat(timespec="milliseconds")
    return {
        "party_id": client.party.party_id,
        "country_code": client.party.country_code,
        "role": client.role,
        "status": told.status,
        "last_updated": since.replace("+00:00", "Z"),
    }


def _name(viewer: str) -> str:
    return f"clientinfo/{viewer}"

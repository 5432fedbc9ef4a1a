"""The life of the sample CPO: cars that charge, from the first status to the CDR."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime
from typing import Any, Final

from connectors.sample.charging import cdr, cdr_token, completed, progress, session
from connectors.sample.data import SEED
from connectors.sample.inbound import RECEIVER, SENDER
from connectors.sample.living import Life, owner_of
from connectors.sample.objects import Object, merge, touch
from connectors.sample.platform import SamplePlatform
from connectors.sample.wire import now, object_of
from connectors.values import PartyId, Role

_PERIODS: Final = 3


class CpoLife(Life):
    """A CPO with charge points."""

    def __init__(self, platform: SamplePlatform, *, events_per_second: float = 2.0, seed: int = SEED) -> None:
        super().__init__(platform, events_per_second, seed)
        self._party = platform.party(Role.CPO)
        self._starts: asyncio.Queue[Object] = asyncio.Queue()
        self._stopping: set[str] = set()
        self._tariffs = {tariff["id"]: tariff for tariff in platform.objects.all("tariffs", self._party)}
        platform.on_command = self._commanded

    async def run(self, cars: int = 3) -> None:
        """Publish, then live with this many cars at once; ends only by cancellation."""
        await self.publish()
        async with asyncio.TaskGroup() as group:
            for _ in range(cars):
                group.create_task(self._cars())

    async def publish(self) -> None:
        """Broadcast every tariff and location."""
        await self._publish("tariffs", self._party)
        await self._publish("locations", self._party)

    async def _cars(self) -> None:
        while True:
            await self._pace.turn()
            if not self._starts.empty():
                await self.remote_start(self._starts.get_nowait())
            elif not await self.walk_in():
                await asyncio.sleep(0.1)

    async def walk_in(self) -> bool:
        """A driver plugs in somewhere, is authorised in real time and charges; False while no token is known."""
        drivers = [
            t for t in self._platform.objects.all("tokens") if t["type"] == "RFID" and owner_of(t) != self._party
        ]
        free = self._free()
        if not drivers or not free:
            return False
        token, (location, number) = self._chance.choice(drivers), self._chance.choice(free)
        answer = await self._send(
            "POST",
            "tokens",
            SENDER,
            token["uid"],
            "authorize",
            to=owner_of(token),
            query={"type": token["type"]},
            body={"location_id": location["id"], "evse_uids": [location["evses"][number]["uid"]]},
        )
        info = object_of(answer.data) if answer else {}
        if info.get("allowed") == "ALLOWED":
            await self.charge(location, number, token, "AUTH_REQUEST", info.get("authorization_reference"))
        return True

    async def remote_start(self, body: Object) -> None:
        """The session that a START_SESSION asked for."""
        location = self._platform.objects.get("locations", self._party, str(body.get("location_id")))
        if location is None:
            return
        wanted = [i for i, evse in enumerate(location["evses"]) if body.get("evse_uid") in (None, evse["uid"])]
        free = [i for i in wanted if location["evses"][i]["status"] == "AVAILABLE"]
        if free:
            await self.charge(location, free[0], body["token"], "COMMAND", body.get("authorization_reference"))

    async def charge(
        self, location: Object, number: int, token: Object, method: str, reference: str | None = None
    ) -> None:
        """The whole of a session at the location's EVSE `number`, from its first status to its CDR."""
        emsp, id_ = owner_of(token), uuid.uuid4().hex
        item = session(
            self._party, id_, location, cdr_token(token), _now(), evse=number, method=method, reference=reference
        )
        tariff = self._tariffs[location["evses"][number]["connectors"][0]["tariff_ids"][0]]
        self._platform.objects.put("sessions", self._party, item)
        await self._status(location, number, "CHARGING")
        await self._paced("PUT", "sessions", *self._party, id_, to=emsp, body=item)
        for _ in range(_PERIODS):
            if id_ in self._stopping:
                break
            patch = progress(item, _now(), self._chance.uniform(1, 9), tariff["id"])
            merge("sessions", item, patch)
            await self._paced("PATCH", "sessions", *self._party, id_, to=emsp, body=patch)
        self._stopping.discard(id_)
        patch = completed(item, tariff, _now())
        merge("sessions", item, patch)
        await self._paced("PATCH", "sessions", *self._party, id_, to=emsp, body=patch)
        await self._status(location, number, "AVAILABLE")
        if item.get("charging_periods"):
            bill = cdr(item, location, tariff)
            self._platform.objects.put("cdrs", self._party, bill)
            await self._paced("POST", "cdrs", to=emsp, body=bill)

    async def _status(self, location: Object, number: int, status: str) -> None:
        evse = location["evses"][number]
        patch = {"status": status, "last_updated": now()}
        merge("locations", evse, patch)
        touch(location, (evse["uid"],), patch["last_updated"])
        await self._paced(
            "PATCH", "locations", *self._party, location["id"], evse["uid"], to=self._everyone, body=patch
        )

    async def _paced(self, method: str, module: str, *segments: str, to: PartyId | None, body: object) -> None:
        await self._pace.turn()
        await self._send(method, module, RECEIVER, *segments, to=to, body=body)

    def _free(self) -> list[tuple[Object, int]]:
        return [
            (location, number)
            for location in self._platform.objects.all("locations", self._party)
            for number, evse in enumerate(location["evses"])
            if evse["status"] == "AVAILABLE"
        ]

    def _commanded(self, command: str, body: Object, sender: PartyId | None) -> None:
        if command == "START_SESSION" and _is_token(body.get("token")):
            self._starts.put_nowait(body)
        elif command == "STOP_SESSION":
            self._stopping.add(str(body.get("session_id")))


def _is_token(value: Any) -> bool:
    return {"country_code", "party_id", "uid", "type", "contract_id"} <= object_of(value).keys()


def _now() -> datetime:
    return datetime.now(UTC)

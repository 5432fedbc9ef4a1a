"""The life of the sample eMSP: drivers whose app looks at chargers, and starts and stops sessions."""

from __future__ import annotations

import asyncio
import uuid

from connectors.sample.data import SEED
from connectors.sample.inbound import RECEIVER, SENDER
from connectors.sample.living import Life, owner_of
from connectors.sample.objects import Object
from connectors.sample.platform import SamplePlatform
from connectors.sample.wire import object_of
from connectors.values import PartyId, Role


class EmspLife(Life):
    """An eMSP with drivers that use its app."""

    def __init__(self, platform: SamplePlatform, *, events_per_second: float = 2.0, seed: int = SEED) -> None:
        super().__init__(platform, events_per_second / 4, seed)
        self._party = platform.party(Role.EMSP)

    async def run(self) -> None:
        """Publish, then look at chargers, start and stop sessions; ends only by cancellation."""
        await self.publish()
        while True:
            await self._pace.turn()
            if not await self.start_session():
                await asyncio.sleep(0.1)
            await self._pace.turn()
            if self._chance.random() < 0.5:
                await self.stop_session()

    async def publish(self) -> None:
        """Broadcast every token."""
        await self._publish("tokens", self._party)

    async def start_session(self, wait: float = 5.0) -> bool:
        """Look at a charger and have it start for an app user; False while no location is known.

        Waits for the asynchronous result at most `wait` seconds.
        """
        platform = self._platform
        sites = [site for site in platform.objects.all("locations") if owner_of(site) != self._party and site["evses"]]
        drivers = [token for token in platform.objects.all("tokens", self._party) if token["type"] == "APP_USER"]
        if not sites or not drivers:
            return False
        site = self._chance.choice(sites)
        evse = self._chance.choice(site["evses"])
        look = await self._send("GET", "locations", SENDER, site["id"], evse["uid"], to=owner_of(site))
        if look is None or object_of(look.data).get("status") != "AVAILABLE":
            return True
        await self._pace.turn()
        url = platform.response_url("commands", "START_SESSION")
        body = {
            "response_url": url,
            "token": self._chance.choice(drivers),
            "location_id": site["id"],
            "evse_uid": evse["uid"],
            "connector_id": evse["connectors"][0]["id"],
            "authorization_reference": uuid.uuid4().hex,
        }
        await self._command("START_SESSION", body, owner_of(site), url, wait)
        return True

    async def stop_session(self, wait: float = 5.0) -> bool:
        """Stop a session that is active and was started by command; False when there is none."""
        copies = self._platform.objects.all("sessions")
        active = [item for item in copies if item.get("status") == "ACTIVE" and item.get("auth_method") == "COMMAND"]
        if not active:
            return False
        chosen = self._chance.choice(active)
        url = self._platform.response_url("commands", "STOP_SESSION")
        await self._command(
            "STOP_SESSION", {"response_url": url, "session_id": chosen["id"]}, owner_of(chosen), url, wait
        )
        return True

    async def _command(self, command: str, body: Object, to: PartyId, url: str, wait: float) -> None:
        answer = await self._send("POST", "commands", RECEIVER, command, to=to, body=body)
        if answer is None or object_of(answer.data).get("result") != "ACCEPTED":
            return
        reference = url.rpartition("/")[2]
        try:
            await self._platform.wait_for(lambda received: reference in received.segments, wait)
        except TimeoutError:
            return

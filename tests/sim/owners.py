"""The owner of every object in a simulation, as the hub asks it: it has all that it pushed, whoever that was for."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from connectors.values import Role
from routing import event as events
from routing.log.port import Position, TopicPartition, partition_of
from routing.reading import NotTold, Sought, Told
from routing.state import key_of
from tests.witnesses import ObjectKey, apply

if TYPE_CHECKING:
    from tests.sim.world import World


class SimulatedOwners:
    """`mood`: never (it offers nothing to read), away, hanging, failing, blank (in no list), gone, or well.

    `had` are objects that it had before it pushed anything, `asked` is what it was asked for, and when. Where answers
    are `numbered`, each whole object bears a seq of its own under "read": who holds that has it from this answer.
    `blank` says where the log ended when it last told nothing for certain of an object, `always_well` that it is in no
    other mood all the time.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self.mood = "never"
        self.had: dict[ObjectKey, dict[str, Any]] = {}
        self.asked: list[tuple[str, float]] = []
        self.numbered = False
        self.always_well = False
        self.blank: dict[ObjectKey, Position] = {}

    def there(self, sought: Sought) -> bool | None:
        del sought
        return None if self.mood == "never" else self.mood != "away"

    async def read(self, sought: Sought) -> Told | None:
        world = self._world
        self.asked.append((sought.id, world.loop.now))
        end = world.log.end(self._tp(sought))
        await asyncio.sleep(world.random.choice((0.01, 0.2, 2.0)))
        if self.mood == "hanging":
            await asyncio.sleep(10)
        if self.mood in ("hanging", "failing", "away", "never"):
            raise NotTold("it does not answer")
        if self.mood == "blank":
            key = sought.module, sought.id.upper()
            self.blank[key] = max(end, self.blank.get(key, end))  # who asked first may hear of it last
            return None
        body = None if self.mood == "gone" else self._has(sought)
        if body is None or body.get("deleted"):
            return self._told(sought, None)
        if self.numbered:
            body["read"] = {"seq": world.next_seq()}
        return self._told(sought, json.dumps(body).encode())

    def _told(self, sought: Sought, body: bytes | None) -> Told:
        return Told(sought.id, body, None, "cpo", "2.2.1", Role.CPO, self._world.directory.revision)

    def _has(self, sought: Sought) -> dict[str, Any] | None:
        """What it has now: what it had, and all of its pushes that stand on the log laid over it, in order."""
        key = sought.module, sought.id.upper()
        objects = {key: json.loads(json.dumps(self.had[key]))} if key in self.had else {}
        for record in self._world.log._partitions[self._tp(sought)].records:
            try:
                event = events.decode(record.headers, record.value)
            except events.Poison:
                continue
            late = record.append_time > event.expires
            if event.read is None and not late and key_of(event, None) == sought.key and b"POISON" not in record.value:
                apply(objects, key, event.operation, event.path[3:], event.payload)
        return objects.get(key)

    @staticmethod
    def _tp(sought: Sought) -> TopicPartition:
        return TopicPartition(f"ocpi.{sought.module}", partition_of(sought.log_key, 2))

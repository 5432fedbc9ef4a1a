"""What an operator does with a running hub: the operator port, its API, and the command line."""

from __future__ import annotations

import asyncio
import http.client
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from connectors.values import PartyId, Role
from tests.scenarios import nursery
from tests.scenarios.vault import Vault


class Invitation(NamedTuple):
    """What an operator gives to a party."""

    token: str
    versions_url: str


class Operated:
    """The operator's side of a hub; where it listens and what its key is are its process's to say."""

    vault: Vault
    operator_port: int

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        raise NotImplementedError

    @property
    def operator_key(self) -> str:
        """The key as it is set, or as the hub made it."""
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        """The environment of the hub's process, and of the command line beside it."""
        raise NotImplementedError

    def ask(
        self, method: str, path: str, body: object = None, *, key: str | None = None, timeout: float = 40.0
    ) -> tuple[int, bytes]:
        """HTTP status and body of the operator port; raises OSError where nobody answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.operator_port, timeout=timeout)
        headers = {"Authorization": f"Bearer {key}"} if key is not None else {}
        try:
            connection.request(method, path, None if body is None else orjson.dumps(body), headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except http.client.HTTPException as error:
            raise OSError(str(error)) from error
        finally:
            connection.close()

    async def operate(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """HTTP status and JSON of the operator API, off this loop: the hub may call the parties on it meanwhile."""
        status, content = await asyncio.to_thread(self.ask, method, path, body, key=self.operator_key)
        return status, orjson.loads(content)

    async def invite(self, *parties: tuple[PartyId, Role]) -> Invitation:
        """Invite one platform to register these parties."""
        wanted = [{"country_code": id.country_code, "party_id": id.party_id, "role": role} for id, role in parties]
        status, told = await self.operate("POST", "/api/parties/invite", {"parties": wanted})
        assert status == 201, told
        return Invitation(self.vault.add(told["token"]), told["versions_url"])

    async def show(self, party: PartyId) -> dict[str, Any]:
        """What the operator is told of a party."""
        status, told = await self.operate("GET", f"/api/parties/{party.country_code}/{party.party_id}")
        assert status == 200, told
        shown: dict[str, Any] = told
        return shown

    async def act(self, party: PartyId, action: str) -> dict[str, Any]:
        """suspend, resume or remove a party."""
        status, told = await self.operate("POST", f"/api/parties/{party.country_code}/{party.party_id}/{action}")
        assert status == 200, told
        shown: dict[str, Any] = told
        return shown

    async def change(self, party: PartyId, **settings: object) -> None:
        """Change settings of the platform that hosts a party: validate, form, origins."""
        platform = (await self.show(party))["platforms"][0]["id"]
        status, told = await self.operate("PATCH", f"/api/platforms/{platform}/settings", settings)
        assert status == 200, told

    async def cli(self, *words: str, **settings: str) -> tuple[int, str, str]:
        """`ocpi-hub` with these words: exit code, standard output, standard error."""
        environment: Mapping[str, str] = self.environment() | {f"HUB_{k.upper()}": v for k, v in settings.items()}
        return await asyncio.to_thread(nursery.run, words, environment)

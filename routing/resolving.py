"""The worker's resolver: `routing.resolve` over the directory as it is at the moment of asking."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache

from connectors.errors import NotConnected
from connectors.values import InterfaceRole, PartyId, Role
from routing import resolve, resync
from routing.directory import Directory, Hosted, Party
from routing.event import Event
from routing.policies import Terms


class DirectoryResolver:
    """`directory` gives the current snapshot; `reload` brings it up to date from the store. `returned` says
    how often a platform that hung showed itself to this process."""

    def __init__(
        self,
        directory: Callable[[], Directory],
        reload: Callable[[], Awaitable[None]],
        returned: Callable[[str], int] = lambda platform: 0,
    ) -> None:
        self._directory = directory
        self._reload = reload
        self._returned = returned

    def broadcast(self, event: Event) -> Sequence[Hosted]:
        directory = self._directory()
        platform = directory.platforms.get(event.platform)
        if platform is None:
            return ()
        return resolve.broadcast(directory, platform, _sending(event.sender, event.sender_role), event.module)

    def directed(self, event: Event) -> Hosted:
        """Raises UnknownReceiver, NotConnected or HubError."""
        if event.audience is None:
            raise NotConnected("this push names no recipient")
        return resolve.recipient(self._directory(), event.module, InterfaceRole.RECEIVER, event.sender, event.audience)

    def custodian(self, event: Event) -> Hosted | None:
        """The recipient, if the hub takes for it what it cannot be given now."""
        if event.audience is None:
            return None
        return resolve.custodian(self._directory(), event.module, event.sender, event.audience)

    def deduplicates(self, party: PartyId) -> bool:
        """Whether it takes a CDR that it is sent twice for one."""
        hosted = self._directory().hosted(party)
        return bool(hosted) and all(one.platform.settings.deduplicates for one in hosted)

    def still(self, event: Event, recipient: PartyId, platform: str) -> Hosted | None:
        """The recipient, if it is still where it was, offers the module and may have it."""
        directory = self._directory()
        for hosted in directory.hosted(recipient):
            if hosted.platform.id == platform and not hosted.party.suspended and hosted.platform.registered:
                if hosted.platform.endpoint(event.module, InterfaceRole.RECEIVER) is None:
                    continue
                allowed = directory.agreements.allows(event.sender, recipient, event.module)
                return hosted if allowed else None
        return None

    def platforms(self) -> Sequence[str]:
        """The ids of all platforms that may get anything."""
        return [platform.id for platform in self._directory().platforms.values() if not platform.removed]

    def resynced(self, platform: str, owner: PartyId, module: str) -> Sequence[Hosted]:
        """Those on this platform that get what this owner tells everybody."""
        return resync.recipients(self._directory(), platform, owner, module)

    def may_have(self, platform: str, party: PartyId | None = None) -> bool:
        """Whether anything that it missed is sent to this platform, or to this party on it."""
        return resync.may_have(self._directory(), platform, party)

    def left_out(self, platform: str) -> Sequence[PartyId]:
        """The parties of this platform that are sent nothing of it."""
        return resync.left_out(self._directory(), platform)

    def terms(self, party: PartyId, module: str) -> Terms:
        return self._directory().policies.terms(party, module)

    def reachable(self, platform: str) -> bool:
        return resync.reachable(self._directory(), platform)

    def returned(self, platform: str) -> int:
        return self._returned(platform)

    def behind(self, revision: int) -> bool:
        return self._directory().revision < revision

    async def refresh(self) -> None:
        await self._reload()


@lru_cache(maxsize=4096)
def _sending(party: PartyId, role: Role) -> Party:
    return Party(party, role)

"""Asks the owner of one object for it: a location by its id, tariffs and tokens in the list of what changed lately.

Each attempt is one request, or one a page; how often an object is asked for is decided by who asks
(routing/worker/asking.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from uuid_utils import uuid7

from connectors import headers
from connectors.errors import HubError, OcpiError
from connectors.values import InterfaceRole, Module
from hub.edge.ports import Outbound, Signs
from hub.pulling import asking, page
from hub.pulling.page import Listed
from hub.pulling.reader import PAGE, REST_SECONDS, following_page
from routing.directory import Directory, Hosted, Platform, Status
from routing.outbound import Answered, limited, target
from routing.reading import NotTold, Sought, Told
from routing.resolve import serving
from routing.store.codec import moment

PAGES: Final = 20
"""So many pages of a list are looked through for one object."""
_OVERLAP_MS: Final = 1000
_NOT_THERE: Final = 2003


class HttpOwners:
    """Of one process. `of_one` and `of_list` are the deadlines, in seconds, of a GET of one object and of a page."""

    def __init__(
        self,
        *,
        client: Outbound,
        signs: Signs,
        directory: Callable[[], Directory],
        authorize: Callable[[Platform], str],
        of_one: float,
        of_list: float,
    ) -> None:
        self._client = client
        self._signs = signs
        self._directory = directory
        self._authorize = authorize
        self._of_one = of_one
        self._of_list = of_list

    def there(self, sought: Sought) -> bool | None:
        to = self._hosted(sought)
        return None if to is None else to.platform.status is Status.CONNECTED

    async def read(self, sought: Sought) -> Told | None:
        to = self._hosted(sought)
        if to is None:
            raise NotTold(f"{sought.owner} offers no {sought.module} to read")
        try:
            if sought.module == Module.LOCATIONS:
                return await self._one(to, sought)
            return await self._listed(to, sought)
        except OcpiError as error:
            raise NotTold(error.message) from error

    async def _one(self, to: Hosted, sought: Sought) -> Told | None:
        url = target(to.platform, sought.module, InterfaceRole.SENDER, (sought.id,), "")
        answered = await self._get(to, url, self._of_one)
        if answered.http_status == 404 or answered.status_code == _NOT_THERE:
            # where the id may be written otherwise it need not be gone
            return self._told(to, sought.id, None) if sought.certain else None
        found = page.one(asking.well(answered).body, sought.module)
        if not _is(found, sought):
            raise HubError(f"it was asked for {sought.id} and answered with {found.owner} {found.id}")
        return self._told(to, found.id, found)

    async def _listed(self, to: Hosted, sought: Sought) -> Told | None:
        url: str | None = target(
            to.platform, sought.module, InterfaceRole.SENDER, (), limited(to.platform, _query(sought))
        )
        for _ in range(PAGES):
            if url is None:
                break
            answered = asking.well(await self._get(to, url, self._of_list))
            listed = page.read(answered.body, sought.module)
            found = next((one for one in listed if _is(one, sought)), None)
            if found is not None:
                return self._told(to, found.id, found)
            url = following_page(to, url, answered.headers) or page.further(url, len(listed), answered.headers)
            await asyncio.sleep(max(REST_SECONDS, answered.ms / 1000))
        return None

    async def _get(self, to: Hosted, url: str, within: float) -> Answered:
        sent = headers.write(to.party.id, self._directory().hub, str(uuid7()), str(uuid7()))
        sent["Authorization"] = self._authorize(to.platform)
        return await asking.answer(self._client, self._signs, to, url, sent, within=within)

    def _hosted(self, sought: Sought) -> Hosted | None:
        """Where the owner's own objects can be read; None: nowhere."""
        fit = serving(sought.module, InterfaceRole.SENDER)
        for hosted in self._directory().hosted(sought.owner):
            platform, party = hosted.platform, hosted.party
            if (
                party.role in fit
                and not party.suspended
                and platform.registered
                and platform.status != Status.SUSPENDED
            ):
                if platform.endpoint(sought.module, InterfaceRole.SENDER) is not None:
                    return hosted
        return None

    def _told(self, to: Hosted, id: str, found: Listed | None) -> Told:
        body, updated = (None, None) if found is None else (found.body, found.last_updated)
        platform = to.platform
        return Told(id, body, updated, platform.id, platform.version, to.party.role, self._directory().revision)


def _is(found: Listed, sought: Sought) -> bool:
    same = found.owner == sought.owner and found.id.upper() == sought.id.upper()
    return same and found.variant == sought.variant


def _query(sought: Sought) -> str:
    """From the beginning of the list of what changed since what is known of the object; of all, where that is not."""
    query = f"offset=0&limit={PAGE}"
    since = moment(sought.since)
    if since is None:
        return query
    text = datetime.fromtimestamp((since - _OVERLAP_MS) / 1000, UTC).isoformat(timespec="seconds")
    return f"date_from={text.replace('+00:00', 'Z')}&{query}"

"""GET hubclientinfo: the parties of this hub as the caller may see them, page by page (OCPI 2.2.1, 14.2.1).

What another hub tells of those behind it comes to the same endpoint, under the party's id.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from connectors.errors import EngineAway
from hub.clientinfo import told
from hub.clientinfo.behind import Behind
from hub.edge.errors import made
from hub.edge.paging import page_headers, read_wanted
from hub.edge.values import Call, Caller, Response
from routing.clientinfo import shown_to, told_now
from routing.directory import Directory
from routing.store.port import Store, StoreAway

PATH: Final = "/ocpi/2.2.1/hubclientinfo"


class Listing:
    """Answers from the directory; when a status changed is the store's to say."""

    def __init__(
        self,
        public_url: str,
        store: Store,
        directory: Callable[[], Directory],
        now: Callable[[], int],
        behind: Behind,
    ) -> None:
        self._url = public_url + PATH
        self._store = store
        self._directory = directory
        self._now = now
        self._behind = behind

    async def answer(self, call: Call, caller: Caller) -> Response:
        """Raises InvalidParameters (2001), UnknownUrl (404), and EngineAway (503 / 3000) while the store is away."""
        if call.params:
            return await self._behind.told(call, caller)
        wanted = read_wanted(call.query)
        try:
            before = await told.read(self._store, caller.platform.id)
        except StoreAway as away:
            raise EngineAway("the hub's store cannot be reached, so this list cannot be read; repeat it") from away
        # the announcer may not have come to the newest change yet: that one is so since now
        current = told_now(before, shown_to(self._directory(), caller.platform), self._now())
        found = [told.client_info(client, one) for client, one in current.items() if wanted.within(one.since)]
        page = found[wanted.offset : wanted.offset + wanted.limit]
        return made(1000, data=page, headers=page_headers(self._url, call.query, wanted, total=len(found)))

"""GET all: one list of everybody's objects, from object state and in the owners' own bytes (OCPI 2.2.1, 4.4.2.4).

Whose objects they are is decided in routing/getall, which owners the hub has all of in routing/complete.
"""

from __future__ import annotations

import math
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Iterable, Sequence
from typing import Final

import orjson

from connectors.catalogue import Row
from connectors.errors import EngineAway, HubError, InvalidParameters
from connectors.v2_2_1.urls import Target, path
from connectors.values import Module, PartyId
from hub.edge.counting import Counting
from hub.edge.errors import made
from hub.edge.paging import UPPER_LIMIT, Wanted, following, read_wanted
from hub.edge.ports import Objects
from hub.edge.reading import query_value
from hub.edge.values import Call, Pairs, Response
from hub.settings import Settings
from routing.clock import Clock
from routing.complete import MODULES, Complete, complete
from routing.directory import Directory
from routing.getall import owners, selection
from routing.state import ObjectState, StateKey
from routing.store.codec import state_key, state_key_of
from routing.store.port import LIST_BYTES, Selection, StateCount, StoreAway

CURSOR: Final = "cursor"
"""The query parameter of a next page that says behind which object it begins. Opaque to whoever sends it."""

KNOWN_SECONDS: Final = 1.0
"""So long it is known which owners are complete before the store is asked again."""

_MOST_NAMED: Final = 20


class GetAll:
    """Answers the lists that are sent to the hub."""

    def __init__(self, settings: Settings, store: Objects, clock: Clock) -> None:
        self._url = settings.public_url
        self._serve_incomplete = settings.serve_incomplete
        self._seconds = settings.list_seconds
        self._store = store
        self._clock = clock
        self._counting = Counting(store, clock)
        self._complete: dict[str, tuple[float, Complete]] = {}

    async def answer(self, call: Call, row: Row, directory: Directory) -> Response:
        """One page. Raises InvalidParameters (2001), HubError (4000: not complete) and EngineAway (503)."""
        wanted = read_wanted(call.query)
        if row.module not in MODULES:
            raise HubError(
                f"this hub does not serve everybody's {row.module} in one list yet: "
                "send OCPI-to-country-code and OCPI-to-party-id of the party whose list it is"
            )
        if row.module == Module.SESSIONS and wanted.date_from is None:
            raise InvalidParameters("date_from is missing: a list of sessions needs it (OCPI 2.2.1, 9.2.1.1)")
        began = self._clock.monotonic()
        try:
            return await self._answer(call, row.module, directory, wanted)
        except StoreAway as away:
            raise EngineAway("the hub's store cannot be reached, so this list cannot be read; repeat it") from away
        finally:
            call.waited += self._clock.monotonic() - began

    async def close(self) -> None:
        """Give up what is being counted."""
        await self._counting.close()

    async def _answer(self, call: Call, module: str, directory: Directory, wanted: Wanted) -> Response:
        if call.caller is None or call.sender is None:
            raise AssertionError("caller and sender are known before a list is read")
        reader = call.sender
        known = (await self._known(module)).to(reader.id)
        everyone = owners(directory, call.caller.platform, reader, module, known)
        chosen = selection(
            directory, reader.id, module, everyone, _whole_ms(wanted.date_from), _whole_ms(wanted.date_to)
        )
        after = _read_cursor(call.query, chosen)
        lacking = self._said(f"the hub does not have all {module} of", [one for one in everyone if one not in known])
        until = call.started + self._seconds
        counts = {
            owner: await self._counting.count(chosen, owner, until - self._clock.monotonic()) for owner in everyone
        }
        unsure = [owner for owner, count in counts.items() if count.unsure]
        lacking += self._said(f"the hub does not know for sure how all {module} are now of", unsure)
        total = _total(chosen, counts)
        found: Sequence[ObjectState] = ()
        if after is not None:
            found = await self._store.list_states(chosen, after=after, limit=wanted.limit + 1)
        elif wanted.offset < total or not wanted.offset:
            found = await self._store.list_states(chosen, skip=wanted.offset, limit=wanted.limit + 1)
            total = max(total, wanted.offset + len(found))  # a count may be older than the page
        page = found[: wanted.limit]
        more = len(found) > wanted.limit or sum(len(state.body or b"") for state in found) >= LIST_BYTES
        headers: Pairs = (("X-Total-Count", str(total)), ("X-Limit", str(UPPER_LIMIT)))
        if more:
            url = self._url + path(Target(module, call.interface))
            behind = ((CURSOR, _cursor(page[-1].key)),)
            headers += (following(url, call.query, wanted, wanted.offset + len(page), behind),)
        data = [orjson.Fragment(state.body) for state in page if state.body is not None]
        message = f"this list is not complete: {'; '.join(lacking)}" if lacking else None
        return made(1000, message, data, headers=headers)

    async def _known(self, module: str) -> Complete:
        now = self._clock.monotonic()
        until, known = self._complete.get(module, (0.0, Complete()))
        if until <= now:
            known = await complete(self._store, module)
            self._complete[module] = (now + KNOWN_SECONDS, known)
        return known

    def _said(self, what: str, lacking: Sequence[PartyId]) -> list[str]:
        """What is not complete, as a sentence. Raises HubError unless such lists are served."""
        if not lacking:
            return []
        sentence = f"{what} {_names(lacking)}"
        if self._serve_incomplete:
            return [sentence]
        raise HubError(
            f"{sentence}: ask each of them for its own list (send it in OCPI-to-country-code and OCPI-to-party-id), "
            "or the hub's operator to see to it"
        )


def is_next_page(query: str) -> bool:
    """Whether this list was begun as one of everybody's, so that a client may leave TO out where it goes on."""
    return f"{CURSOR}=" in query and query_value(query, CURSOR) is not None


def _names(parties: Iterable[PartyId]) -> str:
    names = sorted(map(str, parties))
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _total(chosen: Selection, counts: dict[PartyId, StateCount]) -> int:
    return sum(
        count.published + (count.unpublished if owner in chosen.unpublished else 0) for owner, count in counts.items()
    )


def _whole_ms(moment: float | None) -> int | None:
    """The first whole millisecond that is not before it; what a float adds to the digits is no part of it."""
    return None if moment is None else math.ceil(round(moment, 2))


# --- the cursor ------------------------------------------------------------------------------------------------------


def _cursor(key: StateKey) -> str:
    owner_and_id = state_key(key).split(b"\0", 2)[2]
    return urlsafe_b64encode(owner_and_id).rstrip(b"=").decode()


def _read_cursor(query: str, chosen: Selection) -> StateKey | None:
    """Raises InvalidParameters. Whatever it says is only where to go on: who is listed is `chosen` alone."""
    text = query_value(query, CURSOR)
    if text is None:
        return None
    audience = "*" if chosen.audience is None else "".join(chosen.audience)
    try:
        rest = b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
        return state_key_of(b"\0".join((chosen.module.encode(), audience.encode(), rest)))
    except ValueError:
        raise InvalidParameters(f"{CURSOR} is none that this hub made: take it from Link as it stands there") from None

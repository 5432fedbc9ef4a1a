"""What the operator API tells of parties, as JSON: everything but secrets. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from connectors.values import PartyId, Role
from hub.pulling.progress import Progress
from routing.clientinfo import status_of
from routing.custody import Held
from routing.directory import Party, Platform
from routing.store.port import CustodyCount, Mark

Json = dict[str, Any]


BeyondOf = Callable[[str], Sequence[Party]]
"""By the id of a platform the parties behind it that it speaks for."""


def nobody(platform: str) -> Sequence[Party]:
    """Nobody is behind a platform."""
    del platform
    return ()


def hosted(platform: Platform, beyond: Sequence[Party] = ()) -> Iterator[tuple[Party, bool]]:
    """Every party of a platform, and whether it has registered; the invited ones after those that have.

    Those `beyond` it count as registered: they are there.
    """
    registered = {(party.id, party.role) for party in platform.parties}
    for party in platform.parties:
        yield party, True
    for id, role in platform.invited:
        if (id, role) not in registered:
            yield Party(id, role), False
    for party in beyond:
        yield party, True


def rows(platforms: Iterable[Platform], wanted: str = "", beyond: BeyondOf = nobody) -> list[Json]:
    """A row for each party and role, sorted; `wanted` is part of its party, role, name or status, or its platform.

    One that was removed is listed while it has not come back through another platform, and once.
    """
    known = [
        (platform, party, registered)
        for platform in platforms
        for party, registered in hosted(platform, beyond(platform.id))
    ]
    known.sort(key=lambda one: (one[0].removed or one[1].removed, -one[0].updated))
    found: list[Json] = []
    seen: set[tuple[PartyId, Role]] = set()
    for platform, party, registered in known:
        gone = platform.removed or party.removed
        if gone and (party.id, party.role) in seen and wanted != platform.id:
            continue
        seen.add((party.id, party.role))
        row = {
            "party": str(party.id),
            "country_code": party.id.country_code,
            "party_id": party.id.party_id,
            **_role(platform, party, registered),
            "platform": platform.id,
            "version": platform.version,
        }
        text = " ".join(str(row[key]) for key in ("party", "role", "name", "status"))
        if wanted.lower() in text.lower() or wanted == platform.id:
            found.append(row)
    return sorted(found, key=lambda row: (row["party"], row["role"], row["removed"], row["platform"]))


Pulls = Mapping[tuple[str, str], Progress]
"""By platform id and module."""


def shown(
    party: PartyId,
    platforms: Sequence[Platform],
    marks: Sequence[Mark],
    complete: Mapping[str, int],
    pulls: Pulls,
    asked: Mapping[tuple[str, str], int],
    *,
    delivery: Sequence[Json],
    resyncs: Sequence[Json],
    custody: Sequence[CustodyCount],
    beyond: BeyondOf = nobody,
) -> Json | None:
    """Everything of a party and the platforms that host it or did; None when the hub does not know it.

    `complete` is since when (UTC ms) the hub has all that it owns of a module, `asked` when a list was asked for last,
    `delivery` its terms by module, `custody` what the hub holds for whomever; `resyncs` are told already.
    """
    parties = {platform.id: list(hosted(platform, beyond(platform.id))) for platform in platforms}
    hosts = [platform for platform in platforms if any(one.id == party for one, _ in parties[platform.id])]
    if not hosts:
        return None
    hosts.sort(key=lambda platform: (platform.removed, -platform.updated))
    statuses = (status_of(platform, one) for platform in hosts for one, _ in parties[platform.id] if one.id == party)
    return {
        "party": str(party),
        "country_code": party.country_code,
        "party_id": party.party_id,
        "status": next(statuses),
        "complete": {module: when(since) for module, since in complete.items()},
        "pulls": [
            _pull(*key, pulls.get(key), asked.get(key, 0))
            for key in sorted(pulls.keys() | asked.keys())
            if key[0] in {platform.id for platform in hosts}
        ],
        "custody": _custody([one for one in custody if one.recipient == party]),
        "delivery": list(delivery),
        "resyncs": list(resyncs),
        "platforms": [platform_shown(platform, party, marks, beyond(platform.id)) for platform in hosts],
    }


def _custody(counts: Sequence[CustodyCount]) -> list[Json]:
    """How many CDRs stand how, of all partitions together."""
    found: list[Json] = []
    for held in Held:
        these = [one for one in counts if one.held is held]
        if these:
            oldest = min(one.oldest for one in these)
            found.append({"held": held, "count": sum(one.count for one in these), "oldest": when(oldest)})
    return found


def _pull(platform: str, module: str, known: Progress | None, asked: int) -> Json:
    """`known` is None where it was asked for and not begun yet."""
    progress = known or Progress(started=asked)
    state = "read" if progress.ended is not None else "failing" if progress.failures else "reading"
    return {
        "platform": platform,
        "module": module,
        "state": "waiting" if known is None or asked > progress.started else state,
        "since": None if progress.since is None else when(progress.since),
        "started": when(progress.started),
        "ended": None if progress.ended is None else when(progress.ended),
        "pages": progress.pages,
        "objects": progress.objects,
        "total": progress.total,
        "gone": progress.gone,
        "foreign": progress.foreign,
        "failures": progress.failures,
        "reason": progress.reason,
    }


def platform_rows(platforms: Iterable[Platform], wanted: str = "") -> list[Json]:
    """A row for each platform, the removed ones last; `wanted` is part of what the row says."""
    found: list[Json] = []
    for platform in sorted(platforms, key=lambda one: (one.removed, one.id)):
        row = {
            "id": platform.id,
            "status": platform.status,
            "version": platform.version,
            "versions_url": platform.versions_url,
            "parties": _parties(platform),
            "removed": platform.removed,
            "updated": when(platform.updated),
            "revision": platform.revision,
        }
        text = " ".join((platform.id, platform.status, platform.version, platform.versions_url, *_parties(platform)))
        if wanted.lower() in text.lower():
            found.append(row)
    return found


def _parties(platform: Platform) -> list[str]:
    return sorted({str(one.id) for one, _ in hosted(platform)})


def _role(platform: Platform, party: Party, registered: bool) -> Json:
    return {
        "role": party.role,
        "name": party.name,
        "status": status_of(platform, party),
        "registered": registered,
        "suspended": party.suspended and party.behind is None,
        "removed": party.removed or platform.removed,
        "behind": None if party.behind is None else str(party.behind),
    }


def platform_shown(
    platform: Platform, party: PartyId | None, marks: Sequence[Mark], beyond: Sequence[Party] = ()
) -> Json:
    """Everything of a platform, with the roles of this party, or of all its parties."""
    return {
        "id": platform.id,
        "status": platform.status,
        "version": platform.version,
        "versions_url": platform.versions_url,
        "roles": [
            _role(platform, one, registered) for one, registered in hosted(platform, beyond) if party in (None, one.id)
        ],
        "parties": _parties(platform),
        "endpoints": [
            {"identifier": endpoint.identifier, "role": endpoint.role, "url": endpoint.url}
            for endpoint in platform.endpoints
        ],
        "origins": list(platform.known_origins),
        "form": platform.form.name.lower(),
        "settings": settings_of(platform),
        "issued": [
            {
                "kind": issued.kind,
                "created": when(issued.created),
                "expires": None if issued.expires is None else when(issued.expires),
                "used": issued.used,
            }
            for issued in platform.issued
        ],
        "marks": [_mark(mark) for mark in marks if mark.platform == platform.id],
        "removed": platform.removed,
        "created": when(platform.created),
        "updated": when(platform.updated),
        "revision": platform.revision,
    }


def settings_of(platform: Platform) -> Json:
    """What an operator set for a platform."""
    settings = platform.settings
    return {
        "validate": settings.validate,
        "form": None if settings.form is None else settings.form.name.lower(),
        "origins": list(settings.origins),
        "from": "owner" if settings.from_owner else "hub",
        "page_limit": settings.page_limit,
        "user_agent": settings.user_agent,
        "resync": settings.resync,
        "rate": settings.rate,
        "behind": settings.behind,
        "custody": settings.custody,
        "deduplicates": settings.deduplicates,
        "modules": dict(settings.renames),
    }


def _mark(mark: Mark) -> Json:
    return {
        "topic": mark.tp.topic,
        "partition": mark.tp.partition,
        "position": {"epoch": mark.position.epoch, "offset": mark.position.offset},
        "since": when(mark.since),
        "reason": mark.reason,
        "resync": mark.upper is not None,
        "party": None if mark.party is None else str(mark.party),
    }


def when(ms: int) -> str:
    """UTC milliseconds as people and OCPI write them."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

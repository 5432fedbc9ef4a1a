"""Inviting parties: an invitation is OCPI's TOKEN_A, and names the parties that it may register (R 3.2)."""

from __future__ import annotations

from collections.abc import Sequence

import structlog
from uuid_utils import uuid7

from connectors.authorization import digest, new_credential
from connectors.errors import InvalidParameters
from hub.onboarding import records, rules
from hub.onboarding.desk import Desk, told
from hub.onboarding.rules import Invited
from routing.directory import Platform

log = structlog.get_logger(__name__)


async def invite(desk: Desk, parties: Sequence[Invited]) -> str:
    """The new invitation for these parties, in clear, for the only time; it works when this returns.

    Invited again before they registered, the same parties get a new one and the former ends. Raises
    InvalidParameters, saying why, for a party that cannot be invited, and RegistryAway.
    """
    wanted = tuple(dict.fromkeys(parties))
    if not wanted:
        raise InvalidParameters("an invitation names at least one party and its role")
    for party, role in wanted:
        if party == desk.identity.party:
            raise InvalidParameters(f"{role} {party} is the hub itself")
    rules.check_free(wanted, desk.registry.directory, "")
    credential, now = new_credential(), desk.registry.now()
    expires = now + desk.identity.invitation_ms
    pending = next(
        (
            platform
            for platform in desk.registry.directory.platforms.values()
            if not platform.registered and not platform.removed and set(platform.invited) == set(wanted)
        ),
        None,
    )
    with told():
        if pending is None:
            await desk.registry.save(
                records.invited(str(uuid7()), wanted, digest(credential), now=now, expires=expires)
            )
        else:
            await desk.registry.change(pending.id, lambda current: _again(current, credential, now, expires))
    log.info("parties_invited", parties=[f"{role} {party}" for party, role in wanted])
    return credential


def _again(current: Platform, credential: str, now: int, expires: int) -> Platform:
    if current.registered or current.removed:
        raise InvalidParameters("the platform that was invited for these parties registered or was removed just now")
    return records.invited_again(current, digest(credential), now=now, expires=expires)

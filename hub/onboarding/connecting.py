"""The hub as the sender of the handshake: it registers with a platform that invited it (OCPI 2.2.1, 7.1.1)."""

from __future__ import annotations

from contextlib import suppress
from functools import partial

import structlog
from pydantic import SecretStr
from uuid_utils import uuid7

from connectors.authorization import Form, digest, new_credential
from connectors.errors import InvalidParameters, OcpiError
from hub.onboarding import offers, records, rules
from hub.onboarding.body import Wanted
from hub.onboarding.desk import Desk, forms, told
from hub.onboarding.handshake import Found
from routing.directory import Platform

log = structlog.get_logger(__name__)


async def connect(desk: Desk, versions_url: str, invitation: SecretStr) -> Platform:
    """Register with the platform at `versions_url` that gave the hub `invitation`; its parties are then the hub's.

    The credential that the hub sends works before it is sent. Raises UnusableApi (3001), UnsupportedVersion (3002),
    NoMatchingEndpoints (3003), InvalidParameters for parties that another platform holds, and RegistryAway; after
    any of these nothing is left of it.
    """
    theirs = invitation.get_secret_value()
    found = await desk.handshake.explore(versions_url, theirs, forms(Form.BASE64), offers.latest_mutual)
    url = offers.credentials_url(found.endpoints)
    given = new_credential()
    with told():
        platform = await desk.registry.save(
            records.approached(str(uuid7()), digest(given), versions_url, found.form, now=desk.registry.now())
        )
    try:
        wanted = await desk.handshake.post(url, theirs, found.form, desk.written(given))
        try:
            connected = await _keep(desk, platform, found, wanted, versions_url)
        except OcpiError:
            # The other side believes that the hub is registered: tell it that it is not.
            with suppress(OcpiError):
                await desk.handshake.delete(url, wanted.credential.get_secret_value(), found.form)
            raise
    except OcpiError:
        with suppress(OcpiError), told():
            await desk.registry.change(platform.id, partial(records.removed, now=desk.registry.now()))
        raise
    log.info("platform_connected", platform=platform.id, parties=[str(party.id) for party in connected.parties])
    return connected


async def _keep(desk: Desk, platform: Platform, found: Found, wanted: Wanted, versions_url: str) -> Platform:
    roles = [(party.id, party.role) for party in wanted.parties]
    rules.check_roles(wanted.parties, roles, desk.identity.party)
    rules.check_free(roles, desk.registry.directory, platform.id)
    facts = desk.facts(platform.id, found, wanted, versions_url)
    with told():
        return await desk.registry.change(platform.id, lambda now: _decide(now, facts, desk.registry.now()))


def _decide(current: Platform, facts: records.Facts, now: int) -> Platform:
    if current.removed:
        raise InvalidParameters("the platform was removed while the hub registered with it")
    return records.connected(current, facts, now=now)

"""The credentials module, the hub as the receiver of calls (OCPI 2.2.1, 7.2)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import structlog

from connectors.authorization import Form, digest, new_credential
from connectors.errors import OcpiError, RegistryAway, Unauthorized
from hub.onboarding import body as credentials_body
from hub.onboarding import offers, records, rules
from hub.onboarding.desk import Desk, forms, told
from routing.directory import Issued, Platform
from routing.store.port import StoreError

log = structlog.get_logger(__name__)

RETRY_SECONDS = 0.5

Answer = tuple[int, dict[str, Any] | None]
"""HTTP status and the envelope's data; None: the envelope has no data."""


class Onboarding:
    """Answers the credentials module, and watches for the first use of what it gave out."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._marking: dict[bytes, asyncio.Task[None]] = {}

    async def close(self) -> None:
        """Ends what still tries to reach the store; a first use that it was not told of is seen again at the next."""
        tasks = tuple(self._marking.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def handle_credentials(
        self,
        method: str,
        caller: tuple[Platform, Issued],
        body: bytes,
        form: Form,
        *,
        presented: str,
        version: str = "2.2.1",
    ) -> Answer:
        """Answer GET, POST, PUT or DELETE of the credentials endpoint of `version`.

        `caller` is as `Registry.lookup` gave it, `form` how the Authorization header was written, and `presented` the
        credential in it, which GET gives back (7.2.1). Raises MethodNotAllowed (405), NotJson (400),
        InvalidParameters (2001), UnusableApi (3001), UnsupportedVersion (3002), NoMatchingEndpoints (3003),
        Unauthorized when the credential ended meanwhile, and RegistryAway (503).
        """
        platform, issued = caller
        rules.check_method(method, platform, issued)
        if method == "GET":
            return 200, self._desk.written(presented)
        if method == "DELETE":
            return await self._delete(platform, issued)
        return await self._register(method, platform, issued, body, form, version)

    async def _register(
        self, method: str, platform: Platform, issued: Issued, body: bytes, form: Form, version: str
    ) -> Answer:
        desk = self._desk
        wanted = credentials_body.judge(body)
        self._check(platform, wanted)
        if desk.registry.store_trouble() is not None:
            raise RegistryAway("the hub's store is away, so nothing can be registered now; repeat it")
        found = await desk.handshake.explore(
            wanted.versions_url,
            wanted.credential.get_secret_value(),
            forms(form, platform.settings.form),
            partial(offers.exactly, version),
        )
        facts = desk.facts(platform.id, found, wanted, wanted.versions_url)
        now, given = desk.registry.now(), new_credential()

        def decide(current: Platform) -> Platform:
            self._check(current, wanted)
            if method == "POST":
                return records.registered(current, facts, digest(given), now=now)
            grace = desk.identity.grace_ms
            return records.renewed(current, facts, digest(given), by=issued.digest, now=now, grace_ms=grace)

        await self._save(platform, issued, decide)
        log.info("platform_registered", platform=platform.id, step=method, parties=[str(p.id) for p in facts.parties])
        return 200, desk.written(given)

    async def _delete(self, platform: Platform, issued: Issued) -> Answer:
        await self._save(platform, issued, partial(records.removed, now=self._desk.registry.now()))
        log.info("platform_unregistered", platform=platform.id)
        return 200, None

    def _check(self, platform: Platform, wanted: credentials_body.Wanted) -> None:
        rules.check_roles(wanted.parties, platform.invited, self._desk.identity.party)
        roles = [(party.id, party.role) for party in wanted.parties]
        rules.check_free(roles, self._desk.registry.directory, platform.id)

    async def _save(self, platform: Platform, issued: Issued, decide: Callable[[Platform], Platform]) -> None:
        registry = self._desk.registry
        # The call-backs take seconds: what the credential was allowed when they began it may not be any more.
        with told():
            if await registry.lookup(issued.digest) is None:
                raise Unauthorized("the credential of this request ended while it was being answered")

            def still(current: Platform) -> Platform:
                if all(one.digest != issued.digest for one in current.issued):
                    raise Unauthorized("the credential of this request ended while it was being answered")
                return decide(current)

            await registry.change(platform.id, still)

    # --- first use ---------------------------------------------------------------------------------------------------

    def first_use(self, platform: Platform, issued: Issued) -> None:
        """An access credential with `used` False was presented: what it replaces, and the invitation, end now.

        They end in this process before this returns; the store is told off the request's way, once.
        """
        if issued.used or issued.digest in self._marking:
            return
        ended = records.ended_by_use(platform, issued.digest)
        self._desk.registry.end(ended)
        task = asyncio.create_task(self._mark_used(platform.id, issued.digest, ended), name="first-use")
        self._marking[issued.digest] = task
        task.add_done_callback(lambda _: self._marking.pop(issued.digest, None))

    async def _mark_used(self, platform: str, used: bytes, ended: tuple[bytes, ...]) -> None:
        while True:
            try:
                await self._desk.registry.change(platform, lambda current: records.used(current, used))
            except StoreError:
                log.warning("first_use_not_stored", platform=platform, retry_seconds=RETRY_SECONDS)
                await asyncio.sleep(RETRY_SECONDS)
            except (KeyError, OcpiError):
                return
            else:
                self._desk.registry.ended(ended)
                return

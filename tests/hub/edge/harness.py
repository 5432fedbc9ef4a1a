"""The edge without a socket: its pipeline, and around it a directory, a client and a log that do as they are told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import orjson
from multidict import CIMultiDict, CIMultiDictProxy

from connectors.authorization import Form, digest
from connectors.client.client import Answer
from connectors.values import InterfaceRole, PartyId, Role
from hub.clientinfo.behind import Behind
from hub.clientinfo.listing import Listing
from hub.edge.asking import Asking
from hub.edge.authenticate import Authenticator
from hub.edge.getall import GetAll
from hub.edge.limits import Limits
from hub.edge.opening import Opening
from hub.edge.own import Own
from hub.edge.pipeline import Pipeline
from hub.edge.push import Push
from hub.edge.readback import ReadBack
from hub.edge.relay import Relay
from hub.edge.rewriting import Rewriting
from hub.edge.undelivered import Undelivered
from hub.edge.values import Call, Response
from hub.edge.waiting import Waiting
from hub.keys import Keys
from hub.metrics import Metrics
from hub.rewriter import Rewriter
from hub.settings import Settings
from routing.clock import SystemClock
from routing.directory import Directory, Endpoint, Issued, Kind, Party, Platform, Status
from routing.event import Event, decode
from routing.exchanges import Exchange
from routing.log.port import Headers, Position, Published, ReplyTo, TopicPartition
from routing.replies import Reply, encode
from routing.store.memory import MemoryData, MemoryStore

HUB, CPO, EMSP = PartyId("NL", "HUB"), PartyId("NL", "TNM"), PartyId("DE", "EMS")
MODULES = ("locations", "tariffs", "tokens", "sessions", "cdrs", "commands", "chargingprofiles")
PUBLIC = "https://hub.example"
ENVELOPE = b'{"status_code": 1000}'


def platform(id: str, *parties: Party, offers: tuple[str, ...] = MODULES, **more: Any) -> Platform:
    origin = f"https://{id}.example"
    given: dict[str, Any] = {
        "status": Status.CONNECTED,
        "parties": parties,
        "version": "2.2.1",
        "endpoints": tuple(
            Endpoint(module, role, f"{origin}/{role.lower()}/{module}") for module in offers for role in InterfaceRole
        ),
        "origins": (f"{origin}:443",),
        "issued": (Issued(digest(id), Kind.ACCESS, 0, used=True),),
    }
    return Platform(id, **(given | more))


CPO_PLATFORM = platform("cpo", Party(CPO, Role.CPO))
EMSP_PLATFORM = platform("emsp", Party(EMSP, Role.EMSP))


class Registry:
    def __init__(self, *platforms: Platform) -> None:
        self.directory = Directory(platforms, hub=HUB, revision=7)
        self.store_away: str | None = None
        self.elsewhere: list[Platform] = []
        """Registered through another edge, and not known here yet."""

    def set(self, *platforms: Platform) -> None:
        known = self.directory.platforms | {one.id: one for one in platforms}
        self.directory = Directory(known.values(), hub=HUB, revision=self.directory.revision + 1)

    async def lookup(self, key: bytes) -> tuple[Platform, Issued] | None:
        return self.directory.credential(key)

    async def newer(self, seen: Directory) -> Directory | None:
        if self.elsewhere:
            self.set(*self.elsewhere)
            self.elsewhere = []
        return self.directory if self.directory.revision > seen.revision else None

    def authorization_for(self, platform: Platform) -> str:
        return f"Token for-{platform.id}"

    def trouble(self) -> str | None:
        return None

    def store_trouble(self) -> str | None:
        return self.store_away


class Sent:
    """One request as the client was given it."""

    def __init__(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, within: float) -> None:
        self.method, self.url, self.headers, self.body, self.within = method, url, dict(headers), body, within


class Client:
    """Answers every request with `answer`, or raises what is next in `errors`."""

    def __init__(self) -> None:
        self.sent: list[Sent] = []
        self.errors: list[Exception] = []
        self.answer = answer()

    async def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None,
        *,
        within: float,
        permit: Callable[[], bool] | None = None,
    ) -> Answer:
        assert permit is None
        self.sent.append(Sent(method, url, headers, body, within))
        if self.errors:
            raise self.errors.pop(0)
        return self.answer


def answer(body: bytes = b'{"status_code": 1000, "data": 1.10}', http_status: int = 200, **headers: str) -> Answer:
    pairs = CIMultiDict({"Content-Type": "application/json"})
    pairs.update({name.replace("_", "-"): value for name, value in headers.items()})
    return Answer(http_status, CIMultiDictProxy(pairs), body, 1.0)


class Log:
    """Takes every event; `replies` tells what comes back for it, `publishing` may raise or give an append time."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.replies: Callable[[Event], Reply | None] = lambda event: Reply(
            event.id, 200, 1000, b'{"status_code": 1000}'
        )
        self.publishing: Callable[[Event], int | None] = lambda event: None
        self.hear: Callable[[Headers, bytes], None] | None = None

    async def publish(self, topic: str, key: bytes, headers: Headers, value: bytes, *, within: float) -> Published:
        event = decode(headers, value)
        assert (topic, key) == (event.topic, event.key)
        assert within > 0
        self.events.append(event)
        reply = self.replies(event) if event.audience is not None else None
        if reply is not None and self.hear is not None:
            self.hear(*encode(reply))
        when = self.publishing(event)
        return Published(
            TopicPartition(topic, 0), Position(1, len(self.events)), event.accepted if when is None else when
        )

    async def open_replies(self, edge: str, on_reply: Callable[[Headers, bytes], None]) -> ReplyTo:
        self.hear = on_reply
        return ReplyTo(edge, 3)


class Onboarding:
    async def handle_credentials(
        self, method: str, caller: tuple[Platform, Issued], body: bytes, form: Form, *, presented: str
    ) -> tuple[int, dict[str, Any] | None]:
        return 200, {"method": method, "by": caller[0].id, "body": body.decode(), "form": form.name, "with": presented}

    def first_use(self, platform: Platform, issued: Issued) -> None:
        raise AssertionError((platform, issued))


class Clock(SystemClock):
    """The machine's, of which UTC can be put ahead (milliseconds), and the monotonic one too (seconds)."""

    ahead = 0
    passed = 0.0

    def utc(self) -> int:
        return super().utc() + self.ahead

    def monotonic(self) -> float:
        return super().monotonic() + self.passed


class Noted(list[Exchange]):
    def note(self, exchange: Exchange) -> None:
        self.append(exchange)


class Edge:
    """One pipeline and everything around it."""

    def __init__(self, *platforms: Platform, **settings: Any) -> None:
        self.registry = Registry(*(platforms or (CPO_PLATFORM, EMSP_PLATFORM)))
        self.client, self.log, self.clock, self.metrics = Client(), Log(), Clock(), Metrics()
        self.exchanges, self.waiting, self.store = Noted(), Waiting(), MemoryStore(MemoryData())
        self.signs: list[tuple[str, bool]] = []
        self.asked: list[str] = []
        chosen = Settings(public_url=PUBLIC, **settings)
        log: Any = self.log
        rewriter = Rewriter(Keys({"k": bytes(32)}), self.store, PUBLIC)
        rewriting = Rewriting(rewriter, self.clock)
        onboarding = Onboarding()
        known: Any = self.registry
        behind = Behind(self.store, known, self.client, self, self.clock, within=1)
        clients = Listing(PUBLIC, MemoryStore(), lambda: self.registry.directory, self.clock.utc, behind)
        undelivered = Undelivered(self.store.letters, self.clock, lambda reason: None)
        exchanges: Any = self.exchanges
        self.strained: list[str] = []
        relay = Relay(
            chosen, self.registry, self.client, rewriting, exchanges, self, self.clock, undelivered=undelivered,
            strained=lambda platform, begun: self.strained.append(platform),
        )  # fmt: skip
        self.pipeline = Pipeline(
            registry=self.registry,
            authenticator=Authenticator(self.registry, onboarding, self),
            own=Own(PUBLIC, self.registry, onboarding, clients),
            rewriting=rewriting,
            readback=ReadBack(self.store, rewriting),
            relay=relay,
            push=Push(chosen, log, self.waiting, self.clock, store_trouble=self.registry.store_trouble),
            opening=Opening(self.store, self.clock, again=(0.0,)),
            getall=GetAll(chosen, self.store, self.clock),
            asking=Asking(relay, self.clock) if chosen.ask_for_unknown_tokens else None,
            probing=self,
            metrics=self.metrics,
            clock=self.clock,
            limits=Limits(chosen),
            max_body_bytes=chosen.max_body_bytes,
        )

    def alive(self, platform: Platform) -> None:
        self.signs.append((platform.id, True))

    def failed(self, platform: Platform) -> None:
        self.signs.append((platform.id, False))

    def away(self, platform: Platform | None) -> None:
        assert platform is not None
        self.asked.append(platform.id)

    async def call(
        self,
        who: str | None,
        method: str,
        target: str,
        body: object = b"",
        *,
        to: PartyId | None = None,
        sender: PartyId | None = None,
        **headers: str,
    ) -> Told:
        """What the platform `who` is answered; `body` as bytes or as what becomes JSON."""
        await self.waiting.open(self.log)  # type: ignore[arg-type]
        if self.store.away is None:
            await self.store.start()
        given: dict[str, str] = {name.replace("_", "-"): value for name, value in headers.items()}
        if who is not None:
            given["Authorization"] = f"Token {who}"
        if to is not None:
            given |= {"OCPI-to-country-code": to.country_code, "OCPI-to-party-id": to.party_id}
        if sender is not None:
            given |= {"OCPI-from-country-code": sender.country_code, "OCPI-from-party-id": sender.party_id}
        if target.startswith(PUBLIC):
            target = target.removeprefix(PUBLIC)
        call = Call(method, target, CIMultiDict(given), self.clock.monotonic(), self.clock.utc())
        call.body = body if isinstance(body, bytes) else orjson.dumps(body)
        response, common = await self.pipeline.answer(call)
        return Told(response, dict((*response.headers, *common)))

    def change(self, one: Platform, **fields: Any) -> None:
        """The directory with one platform changed."""
        self.registry.set(replace(one, **fields))


class Told:
    """What a caller reads."""

    def __init__(self, response: Response, headers: dict[str, str]) -> None:
        self.http, self.raw, self.headers = response.http_status, response.body, headers
        self.counted = response.status_code

    @property
    def envelope(self) -> dict[str, Any]:
        envelope = orjson.loads(self.raw)
        assert isinstance(envelope, dict)
        return envelope

    @property
    def answer(self) -> tuple[int, int]:
        """HTTP and OCPI status, and that what is counted is what is said."""
        assert self.envelope["status_code"] == self.counted
        return self.http, self.counted

    @property
    def message(self) -> str:
        return str(self.envelope.get("status_message", ""))

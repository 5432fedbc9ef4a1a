"""The walk over the endpoint catalogue: every URL of version details, with every method that OCPI knows (R 1.4)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from connectors.catalogue import Catalogue, Row
from connectors.sample import SamplePlatform
from connectors.sample.client import SampleAnswer
from connectors.v2_2_1.catalogue import VERSIONS
from connectors.values import InterfaceRole
from routing.resolve import serving
from tests.scenarios import bodies
from tests.scenarios.parties import RECEIVER, SENDER, got, party_of, since

METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
_MODULES: Final = ("locations", "sessions", "cdrs", "tariffs", "tokens", "commands", "chargingprofiles")

EXPECTED: Final[frozenset[tuple[str, InterfaceRole, str, str]]] = frozenset(
    (module, interface, method, template)
    for module, interface, methods, template in (
        ("locations", SENDER, "GET", ""), ("locations", SENDER, "GET", "l"), ("locations", SENDER, "GET", "l/e"),
        ("locations", SENDER, "GET", "l/e/c"), ("locations", RECEIVER, "GET PUT PATCH", "o/l"),
        ("locations", RECEIVER, "GET PUT PATCH", "o/l/e"), ("locations", RECEIVER, "GET PUT PATCH", "o/l/e/c"),
        ("sessions", SENDER, "GET", ""), ("sessions", SENDER, "PUT", "s/charging_preferences"),
        ("sessions", RECEIVER, "GET PUT PATCH", "o/s"),
        ("cdrs", SENDER, "GET", ""), ("cdrs", RECEIVER, "POST", ""), ("cdrs", RECEIVER, "GET", "ref"),
        ("tariffs", SENDER, "GET", ""), ("tariffs", RECEIVER, "GET PUT DELETE", "o/t"),
        ("tokens", SENDER, "GET", ""), ("tokens", SENDER, "POST", "k/authorize"),
        ("tokens", RECEIVER, "GET PUT PATCH", "o/k"),
        ("commands", RECEIVER, "POST", "START_SESSION"), ("commands", SENDER, "POST", "START_SESSION/ref"),
        ("chargingprofiles", RECEIVER, "GET PUT DELETE", "s"), ("chargingprofiles", SENDER, "POST", "result/ref"),
        ("chargingprofiles", SENDER, "PUT", "s"),
    )
    for method in methods.split()
)  # fmt: skip
"""The endpoint tables of R 1.4 for 2.2.1, written apart from the hub's registry: module, interface, method, shape."""


@dataclass(slots=True)
class Walk:
    """What a walk found: shapes that answered 1000 from a party, and what went otherwise, in sentences."""

    reached: set[tuple[str, InterfaceRole, str, str]] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)


class Walker:
    """A CPO and an eMSP who call everything. Objects are pushed first, so that there is something to read."""

    def __init__(self, cpo: SamplePlatform, emsp: SamplePlatform) -> None:
        self.cpo, self.emsp = cpo, emsp
        self.location = bodies.location(party_of(cpo))
        self.tariff = bodies.tariff(party_of(cpo))
        self.session = bodies.session(cpo, emsp)
        self.refs: dict[str, str] = {}

    async def walk(self) -> Walk:
        """Call every shape of every endpoint in version details with every method."""
        found = Walk()
        shapes = sorted({(module, interface, shape) for module, interface, _, shape in EXPECTED}, key=_order)
        await self._prepare()
        for module, interface, shape in shapes:
            # What makes an object comes before what reads it, and DELETE comes last.
            for method in ("PUT", "PATCH", "POST", "GET", "DELETE"):
                await self._try(found, module, interface, method, shape)
        return found

    async def _prepare(self) -> None:
        """Push a CDR and send a command, for URLs that only the hub makes."""
        cpo, emsp = self.cpo, self.emsp
        made = await cpo.call("POST", "cdrs", RECEIVER, to=party_of(emsp), body=bodies.cdr(cpo, emsp))
        self.refs["cdrs"] = made.headers["Location"].rpartition("/")[2]
        cpo.result_delay = 3600  # the walk gives the results itself
        for module in ("commands", "chargingprofiles"):
            await self._call(module, RECEIVER, "POST" if module == "commands" else "PUT", _SEGMENTS[module])
            last = got(cpo, module)[-1]
            self.refs[module] = last.json["response_url"].rpartition("/")[2]

    async def _try(self, found: Walk, module: str, interface: InterfaceRole, method: str, shape: str) -> None:
        server = self._server(module, interface)
        before = since(server)
        answer = await self._call(module, interface, method, shape)
        reached = bool(got(server, module, method, after=before))
        name = (module, interface, method, shape)
        said = (
            f"{method} {interface} {module} {shape}: HTTP {answer.http_status}, {answer.status_code} {answer.message}"
        )
        if answer.http_status in (200, 201) and answer.status_code == 1000 and reached:
            found.reached.add(name)
        elif answer.http_status != 405 or reached or "Allow" not in answer.headers:
            found.wrong.append(said)

    async def _call(self, module: str, interface: InterfaceRole, method: str, shape: str) -> SampleAnswer:
        caller = self.cpo if self._server(module, interface) is self.emsp else self.emsp
        server = self._server(module, interface)
        query = {}
        if module == "chargingprofiles" and interface is RECEIVER and method in ("GET", "DELETE"):
            query = {"duration": "60", "response_url": self.emsp.response_url("chargingprofiles")}
        return await caller.call(
            method, module, interface, *self._segments(module, shape), to=party_of(server), query=query,
            body=self._body(module, interface, method, shape),
        )  # fmt: skip

    def _server(self, module: str, interface: InterfaceRole) -> SamplePlatform:
        return self.cpo if "CPO" in serving(module, interface) else self.emsp

    def _segments(self, module: str, shape: str) -> list[str]:
        cpo, emsp = party_of(self.cpo), party_of(self.emsp)
        own = shape and not shape.startswith("o/")
        evse = self.location["evses"][0]
        values = {
            "o": [*(emsp if module == "tokens" else cpo)],
            "l": ["LOC0001" if own else self.location["id"]],
            "e": ["E0001-1" if own else evse["uid"]],
            "c": [evse["connectors"][0]["id"]],
            "s": ["S-0001" if own else self.session["id"]],
            "t": [self.tariff["id"]],
            "k": [bodies.token(self.emsp)["uid"]],
            "ref": [self.refs.get(module, "")],
        }
        return [segment for part in shape.split("/") if part for segment in values.get(part, [part])]

    def _body(self, module: str, interface: InterfaceRole, method: str, shape: str) -> Any:
        if method in ("GET", "DELETE"):
            return None
        if method == "PATCH":
            return {"last_updated": bodies.WHEN}
        evse = self.location["evses"][0]
        whole: dict[tuple[str, str], Any] = {
            ("locations", "o/l"): self.location,
            ("locations", "o/l/e"): evse,
            ("locations", "o/l/e/c"): evse["connectors"][0],
            ("tariffs", "o/t"): self.tariff,
            ("tokens", "o/k"): bodies.token(self.emsp),
            ("sessions", "o/s"): self.session,
            ("sessions", "s/charging_preferences"): {"profile_type": "CHEAP"},
            ("tokens", "k/authorize"): {"location_id": "LOC0001"},
            ("commands", "START_SESSION"): bodies.command(self.cpo, self.emsp, "START_SESSION"),
            ("commands", "START_SESSION/ref"): {"result": "ACCEPTED"},
            ("chargingprofiles", "result/ref"): {"result": "ACCEPTED"},
        }
        if (module, shape) == ("cdrs", ""):
            return bodies.cdr(self.cpo, self.emsp)
        if (module, shape) == ("chargingprofiles", "s"):
            if interface is SENDER:
                return {"start_date_time": bodies.WHEN, "charging_profile": bodies.PROFILE}
            return {
                "charging_profile": bodies.PROFILE,
                "response_url": self.emsp.response_url("chargingprofiles"),
            }
        return whole.get((module, shape), {})


def offered(catalogue: Catalogue) -> list[tuple[str, InterfaceRole]]:
    """The functional endpoints that a registry has."""
    return [(module, interface) for module, interface in catalogue.endpoints() if interface is not None]


def functional(catalogue: Catalogue) -> list[Row]:
    """The rows that reach parties."""
    return [row for row in catalogue.rows if row.interface is not None and row.module != VERSIONS]


_SEGMENTS: Final = {"commands": "START_SESSION", "chargingprofiles": "s"}


def _order(shape: tuple[str, InterfaceRole, str]) -> tuple[int, str, str]:
    module, interface, path = shape
    return _MODULES.index(module), interface, path

"""A module of a party's own: in the version details once its platform has registered, and passed on by TO."""

from __future__ import annotations

from connectors.catalogue import Row
from connectors.sample import SamplePlatform, sample_cpo, sample_emsp
from connectors.sample.inbound import Handler, Inbound
from connectors.sample.wire import Reply
from connectors.values import InterfaceRole
from tests.scenarios.parties import HUB, RECEIVER, SENDER, Parties, check, eventually, got, new_party, party_of

MODULE = "nltnm-queue"


def served(interface: InterfaceRole, *rows: tuple[str, str]) -> list[tuple[Row, Handler]]:
    """Endpoints of the module, each answering with what reached it."""

    def echo(call: Inbound) -> Reply:
        return Reply({"path": call.received.segments, "query": dict(call.query), "body": call.json})

    return [
        (Row(f"{method} {interface} {template}", MODULE, interface, method, template), echo)
        for method, template in rows
    ]


async def test_it_is_offered_when_it_is_registered_and_reaches_the_party_of_to_in_both_roles(parties: Parties) -> None:
    early = await parties.emsp()
    assert early.peer is not None
    assert (MODULE, "SENDER") not in early.peer.endpoints
    cpo: SamplePlatform = await parties.join(
        sample_cpo(new_party(), more=served(SENDER, ("GET", "{id}"), ("POST", "{id}/places"), ("DELETE", "{id}")))
    )
    emsp: SamplePlatform = await parties.join(sample_emsp(new_party(), more=served(RECEIVER, ("PUT", "{id}"))))
    peer = await early.rotate()
    assert {(MODULE, "SENDER"), (MODULE, "RECEIVER")} <= set(peer.endpoints)
    assert peer.endpoints[MODULE, "SENDER"] == f"{parties.hub.public_url}/ocpi/2.2.1/sender/{MODULE}/"

    read = await emsp.call("GET", MODULE, SENDER, "Q/1", to=party_of(cpo), query={"at": "now"})
    check(read, 200, 1000)
    assert read.data == {"path": ["Q/1"], "query": {"at": "now"}, "body": None}
    joined = await emsp.call("POST", MODULE, SENDER, "Q1", "places", to=party_of(cpo), body=[1, {"x": None}])
    check(joined, 200, 1000)
    assert joined.data["body"] == [1, {"x": None}]
    check(await emsp.call("DELETE", MODULE, SENDER, "Q1", to=party_of(cpo)), 200, 1000)
    assert {one.sender for one in got(cpo, MODULE)} == {party_of(emsp)}
    # What calls the CPO's own peer cannot know of a module that came later: its next look tells.
    await cpo.rotate()
    told = await cpo.call("PUT", MODULE, RECEIVER, "Q1", to=party_of(emsp), sender=party_of(cpo), body={"place": 1})
    check(told, 200, 1000)
    assert got(emsp, MODULE)[-1].json == {"place": 1}

    check(await emsp.call("GET", MODULE, SENDER, "Q1"), 200, 4001, MODULE)
    check(await emsp.call("GET", MODULE, SENDER, "Q1", to=HUB), 200, 4001, MODULE)
    check(await cpo.call("PUT", MODULE, RECEIVER, "Q1", to=party_of(early), body={}), 200, 4000, MODULE)


async def test_it_is_no_longer_offered_when_nobody_serves_it(parties: Parties) -> None:
    emsp = await parties.emsp()
    cpo = await parties.join(sample_cpo(new_party(), more=served(SENDER, ("GET", ""))))
    assert (MODULE, "SENDER") in (await emsp.rotate()).endpoints
    await cpo.unregister()

    async def gone() -> bool:
        return (MODULE, "SENDER") not in (await emsp.rotate()).endpoints

    await eventually(gone)

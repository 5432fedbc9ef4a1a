"""Two hubs in a row: who is behind another hub, who speaks for them, and that nothing goes round."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connectors.errors import InvalidParameters, NotConnected, UnknownReceiver
from connectors.v2_2_1.catalogue import CATALOGUE
from connectors.values import InterfaceRole, PartyId, Role
from routing import behind, resolve, resync
from routing.agreements import Agreement, Effect, Rules
from routing.behind import MAX_BEYOND, TooMany, learnt
from routing.clientinfo import Client, shown_to
from routing.directory import Beyond, Directory, Endpoint, Hosted, Party, Platform, PlatformSettings, Status
from routing.store.codec import decode_platform, encode_platform, held, platform_document, platform_of

S, R = InterfaceRole.SENDER, InterfaceRole.RECEIVER
HUB, HUB2, HUB3 = PartyId("NL", "HUB"), PartyId("DE", "HB2"), PartyId("FR", "HB3")
CPO, CP2, EMS, OTHER = PartyId("NL", "TNM"), PartyId("DE", "CP2"), PartyId("DE", "EMS"), PartyId("FR", "ABC")
MODULES = ("locations", "tokens", "sessions", "commands", "hubclientinfo")
ROWS = {row.id: row for row in CATALOGUE.rows}
ON = PlatformSettings(behind=True)


def beyond(id: PartyId, role: Role, status: Status = Status.CONNECTED, updated: int = 1) -> Beyond:
    return Beyond(id, role, status, updated)


def platform(id: str, *parties: tuple[PartyId, Role], created: int = 0, status: Status = Status.CONNECTED) -> Platform:
    endpoints = tuple(Endpoint(module, role, f"https://{id}/{module}") for module in MODULES for role in (S, R))
    made = tuple(Party(party, role) for party, role in parties)
    return Platform(id, status=status, parties=made, version="2.2.1", endpoints=endpoints, created=created)


def other_hub(*told: Beyond, id: str = "two", party: PartyId = HUB2, created: int = 1) -> Platform:
    return replace(platform(id, (party, Role.HUB), created=created), settings=ON, beyond=told)


def directory(*platforms: Platform, rules: Rules | None = None) -> Directory:
    return Directory(platforms, hub=HUB, agreements=rules)


HERE = platform("here", (CPO, Role.CPO))
TWO = other_hub(beyond(EMS, Role.EMSP), beyond(CP2, Role.CPO))


def test_a_party_behind_a_hub_is_found_by_to_and_its_platform_is_the_hubs() -> None:
    found = resolve.recipient(directory(HERE, TWO), "tokens", S, CPO, EMS)
    assert (found.platform.id, found.party.id, found.party.behind) == ("two", EMS, HUB2)


@pytest.mark.parametrize(
    "two",
    [
        replace(TWO, settings=PlatformSettings()),
        replace(TWO, parties=(Party(HUB2, Role.HUB, suspended=True),)),
        replace(TWO, parties=(Party(HUB2, Role.HUB, removed=True),)),
        replace(TWO, parties=(Party(HUB2, Role.CPO),)),
        replace(TWO, status=Status.SUSPENDED),
        replace(TWO, removed=True),
        replace(TWO, version=""),
    ],
    ids=["not allowed", "hub suspended", "hub party removed", "no hub", "suspended", "removed", "not registered"],
)
def test_nobody_is_behind_who_may_not_speak_for_them(two: Platform) -> None:
    known = directory(HERE, two)
    assert known.beyond("two") == () and known.hosted(EMS) == ()
    with pytest.raises(UnknownReceiver):
        resolve.recipient(known, "tokens", S, CPO, EMS)
    with pytest.raises(InvalidParameters):
        resolve.sender(two, ROWS["LOC-R4"], EMS, known.beyond("two"))
    assert Client(EMS, Role.EMSP) not in shown_to(known, HERE)


def test_who_is_here_is_never_reached_by_a_detour_nor_spoken_for() -> None:
    direct = platform("direct", (EMS, Role.EMSP))
    for known in (directory(HERE, direct, TWO), directory(TWO, direct, HERE)):
        assert resolve.recipient(known, "tokens", S, CPO, EMS).platform.id == "direct"
        with pytest.raises(InvalidParameters, match="not a party"):
            resolve.sender(TWO, ROWS["CMD-R1"], EMS, known.beyond("two"))
        with pytest.raises(InvalidParameters):
            resolve.check_owner(TWO, EMS, "the URL", known.beyond("two"))
        assert shown_to(known, HERE)[Client(EMS, Role.EMSP)] is Status.CONNECTED
    invited = Platform("invited", invited=((EMS, Role.EMSP),))
    assert directory(TWO, invited).hosted(EMS) == ()
    # one in another role here is here too, and the hub itself is nobody's party
    assert directory(platform("x", (EMS, Role.CPO)), TWO).beyond("two")[0].id == CP2
    assert directory(other_hub(beyond(HUB, Role.EMSP))).hosted(HUB) == ()


def test_a_platform_speaks_for_those_that_it_is_the_way_to_alone() -> None:
    three = other_hub(beyond(EMS, Role.EMSP), id="three", party=HUB3, created=2)
    known = directory(HERE, TWO, three)
    assert known.spoken_for("two", EMS) == (known.beyond("two")[0],)
    assert known.spoken_for("three", EMS) == (), "the older way is taken"
    assert known.spoken_for("here", CPO) == known.spoken_for("two", HUB2) == (), "their own are their own"
    assert known.spoken_for("two", OTHER) == known.spoken_for("two", None) == ()


def test_it_holds_nobody_so_a_party_may_register_here_itself() -> None:
    assert EMS not in {party for party, _ in held(TWO)}


def test_of_two_ways_the_open_one_is_taken_else_the_older() -> None:
    older, newer = (
        other_hub(beyond(EMS, Role.EMSP)),
        other_hub(beyond(EMS, Role.EMSP), id="three", party=HUB3, created=2),
    )
    assert directory(newer, older).hosted(EMS)[0].platform.id == "two"
    away = replace(older, status=Status.OFFLINE)
    gone = replace(older, beyond=(beyond(EMS, Role.EMSP, Status.SUSPENDED),))
    for closed in (away, gone):
        (found,) = directory(newer, closed).hosted(EMS)
        assert found.platform.id == "three"


def test_a_hub_speaks_for_those_behind_it() -> None:
    known = directory(HERE, TWO)
    spoken = known.beyond("two")
    assert resolve.sender(TWO, ROWS["CMD-R1"], EMS, spoken).id == EMS
    resolve.check_owner(TWO, EMS, "the URL", spoken)
    with pytest.raises(InvalidParameters):
        resolve.sender(TWO, ROWS["CMD-R1"], OTHER, spoken)


@pytest.mark.parametrize(
    ("said", "speaks"),
    [(Status.OFFLINE, True), (Status.CONNECTED, True), (Status.PLANNED, False), (Status.SUSPENDED, False)],
)
def test_what_its_hub_says_of_a_party_holds(said: Status, speaks: bool) -> None:
    two = other_hub(beyond(EMS, Role.EMSP, said))
    known = directory(HERE, two)
    assert shown_to(known, HERE)[Client(EMS, Role.EMSP)] is said
    assert behind.may_speak(known.beyond("two")[0]) is speaks
    if said is not Status.CONNECTED:
        with pytest.raises(NotConnected, match=f"{said} on DE-HB2"):
            resolve.recipient(known, "tokens", S, CPO, EMS)
        assert resolve.broadcast(known, HERE, HERE.parties[0], "locations") == ()


def test_those_behind_a_hub_that_is_away_are_offline() -> None:
    known = directory(HERE, replace(TWO, status=Status.OFFLINE))
    assert shown_to(known, HERE)[Client(EMS, Role.EMSP)] is Status.OFFLINE
    with pytest.raises(NotConnected):
        resolve.recipient(known, "tokens", S, CPO, EMS)


def test_no_hub_is_shown_who_is_behind_one() -> None:
    three = other_hub(beyond(OTHER, Role.CPO), id="three", party=HUB3)
    known = directory(HERE, TWO, three)
    assert set(shown_to(known, TWO)) == {Client(CPO, Role.CPO), Client(HUB3, Role.HUB)}
    assert {client.party for client in shown_to(known, HERE)} == {EMS, CP2, OTHER, HUB2, HUB3}


def test_nothing_goes_back_or_on_to_a_third_hub() -> None:
    third = PartyId("FR", "EM3")
    known = directory(HERE, TWO, other_hub(beyond(third, Role.EMSP), id="three", party=HUB3))
    for sender in (CP2, HUB2):
        for to in (EMS, third):
            with pytest.raises(UnknownReceiver, match="another hub"):
                resolve.recipient(known, "tokens", S, sender, to)
    with pytest.raises(UnknownReceiver, match="another hub"):
        resolve.recipient(known, "tokens", S, CP2, HUB2)
    assert resolve.recipient(known, "locations", S, EMS, CPO).platform.id == "here"


def test_a_broadcast_reaches_those_behind_a_hub_and_is_not_broadcast_to_another_again() -> None:
    three = other_hub(beyond(PartyId("FR", "EM3"), Role.EMSP), id="three", party=HUB3)
    near = platform("near", (OTHER, Role.EMSP))
    known = directory(HERE, TWO, three, near)
    ours = resolve.broadcast(known, HERE, HERE.parties[0], "locations")
    assert sorted(hosted.platform.id for hosted in ours) == ["near", "three", "two"]
    theirs = resolve.broadcast(known, TWO, Party(CP2, Role.CPO), "locations")
    assert [hosted.platform.id for hosted in theirs] == ["near"]
    assert resolve.broadcast(known, TWO, Party(HUB2, Role.HUB), "locations") == ()
    assert [hosted.party.id for hosted in resync.recipients(known, "two", CPO, "locations")] == [EMS]
    assert resync.may_have(known, "two", EMS)


def test_agreements_hold_for_those_behind_a_hub() -> None:
    rules = Rules((Agreement(Effect.DENY, CPO, EMS, (), 0),), Effect.ALLOW)
    known = directory(HERE, TWO, rules=rules)
    with pytest.raises(UnknownReceiver):
        resolve.recipient(known, "tokens", S, CPO, EMS)
    assert shown_to(known, HERE)[Client(EMS, Role.EMSP)] is Status.PLANNED


def test_the_newest_that_a_hub_said_holds_and_the_whole_list_ends_who_is_not_in_it() -> None:
    two = other_hub(beyond(EMS, Role.EMSP, updated=5))
    assert learnt(two, [beyond(EMS, Role.EMSP, Status.OFFLINE, 4)], whole=False) is two
    assert learnt(two, [beyond(EMS, Role.EMSP, Status.OFFLINE, 4)], whole=True) is two
    assert learnt(two, [beyond(EMS, Role.EMSP, Status.OFFLINE, 6)], whole=False).beyond[0].status is Status.OFFLINE
    both = learnt(two, [beyond(CP2, Role.CPO)], whole=False)
    assert {one.id for one in both.beyond} == {EMS, CP2}
    assert {one.id for one in learnt(both, [beyond(CP2, Role.CPO)], whole=True).beyond} == {CP2}


def test_what_is_not_to_be_learnt() -> None:
    own_or_hub = [beyond(HUB2, Role.CPO), beyond(HUB3, Role.HUB)]
    two = other_hub()
    assert learnt(two, own_or_hub, whole=True) is two
    off = replace(two, settings=PlatformSettings())
    assert learnt(off, [beyond(EMS, Role.EMSP)], whole=True) is off
    many = [beyond(PartyId("NL", f"{number:04}"), Role.CPO) for number in range(MAX_BEYOND + 1)]
    with pytest.raises(TooMany, match=str(MAX_BEYOND)):
        learnt(two, many, whole=True)


def test_it_is_kept_and_older_documents_lack_it() -> None:
    assert decode_platform(encode_platform(TWO)) == TWO
    document = platform_document(HERE)
    del document["beyond"], document["settings"]["behind"]
    assert platform_of(document) == HERE


def test_a_party_of_a_hub_is_hosted_by_the_hubs_platform() -> None:
    assert directory(TWO).hosted(EMS) == (Hosted(TWO, directory(TWO).beyond("two")[0]),)

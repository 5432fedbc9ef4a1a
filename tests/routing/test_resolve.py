"""Resolution: who a call is for and who it is from, by the directory alone."""

from __future__ import annotations

import pytest

from connectors.catalogue import Row
from connectors.errors import HubError, InvalidParameters, NotConnected, OcpiError, Unauthorized, UnknownReceiver
from connectors.v2_2_1.catalogue import CATALOGUE
from connectors.values import InterfaceRole, PartyId, Role
from routing.directory import Directory, Endpoint, Party, Platform, Status
from routing.resolve import broadcast, check_owner, recipient, sender

S, R = InterfaceRole.SENDER, InterfaceRole.RECEIVER
HUB = PartyId("NL", "HUB")
CPO = PartyId("NL", "TNM")
EMS = PartyId("DE", "EMS")
MODULES = ("locations", "tariffs", "tokens", "sessions", "cdrs", "commands", "chargingprofiles")
ROWS = {row.id: row for row in CATALOGUE.rows}


def party(text: str, role: Role, *, suspended: bool = False, removed: bool = False) -> Party:
    return Party(PartyId.parse(text), role, suspended=suspended, removed=removed)


def platform(
    id: str,
    *parties: Party,
    offers: tuple[str, ...] = MODULES,
    registered: bool = True,
    status: Status = Status.CONNECTED,
    removed: bool = False,
) -> Platform:
    endpoints = tuple(Endpoint(module, role, f"https://{id}/{module}") for module in offers for role in (S, R))
    return Platform(
        id, status=status, parties=parties, version="2.2.1" if registered else "", endpoints=endpoints, removed=removed
    )


def directory(*platforms: Platform, agreements: object = None) -> Directory:
    return Directory(platforms, hub=HUB, agreements=agreements)  # type: ignore[arg-type]


class Nobody:
    def allows(self, one: PartyId, other: PartyId, module: str) -> bool:
        del one, other, module
        return False


# --- who it is for ---------------------------------------------------------------------------------------------------


def test_the_party_of_to_is_found_on_its_platform() -> None:
    known = directory(platform("a", party("NL-TNM", Role.CPO)), platform("b", party("DE-EMS", Role.EMSP)))
    found = recipient(known, "locations", R, CPO, EMS)
    assert (found.platform.id, found.party.id) == ("b", EMS)


def test_an_unknown_party_is_4001_naming_the_headers() -> None:
    with pytest.raises(UnknownReceiver, match="OCPI-to-party-id"):
        recipient(directory(), "locations", R, CPO, EMS)


def test_a_party_without_an_agreement_is_4001_and_not_told_from_an_unknown_one() -> None:
    with pytest.raises(UnknownReceiver) as unknown:
        recipient(directory(), "locations", R, CPO, EMS)
    closed = directory(platform("b", party("DE-EMS", Role.EMSP)), agreements=Nobody())
    with pytest.raises(UnknownReceiver) as forbidden:
        recipient(closed, "locations", R, CPO, EMS)
    assert forbidden.value.message == unknown.value.message


def test_a_party_without_the_module_is_4000() -> None:
    known = directory(platform("b", party("DE-EMS", Role.EMSP), offers=("cdrs",)))
    with pytest.raises(HubError) as error:
        recipient(known, "locations", R, CPO, EMS)
    assert (error.value.status_code, type(error.value)) == (4000, HubError)


@pytest.mark.parametrize(
    "away",
    [
        platform("b", party("DE-EMS", Role.EMSP, suspended=True)),
        platform("b", party("DE-EMS", Role.EMSP), status=Status.SUSPENDED),
        platform("b", party("DE-EMS", Role.EMSP), status=Status.OFFLINE),
        platform("b", party("DE-EMS", Role.EMSP), registered=False, offers=()),
    ],
    ids=["party suspended", "platform suspended", "offline", "planned"],
)
def test_a_party_that_is_away_is_4003_and_told_that_nothing_was_sent(away: Platform) -> None:
    with pytest.raises(NotConnected, match=r"registered|nothing was sent"):
        recipient(directory(away), "locations", R, CPO, EMS)


def test_a_party_that_is_invited_and_has_not_registered_is_4003() -> None:
    invited = Platform("b", invited=((EMS, Role.EMSP),))
    with pytest.raises(NotConnected, match="not registered"):
        recipient(directory(invited), "locations", R, CPO, EMS)
    with pytest.raises(UnknownReceiver):
        recipient(directory(invited, agreements=Nobody()), "locations", R, CPO, EMS)
    left = Platform("b", invited=((EMS, Role.EMSP),), parties=(party("DE-EMS", Role.EMSP, removed=True),))
    with pytest.raises(UnknownReceiver):
        recipient(directory(left), "locations", R, CPO, EMS)


def test_a_removed_party_and_a_removed_platform_are_unknown() -> None:
    for gone in (
        platform("b", party("DE-EMS", Role.EMSP, removed=True)),
        platform("b", party("DE-EMS", Role.EMSP), removed=True),
    ):
        with pytest.raises(UnknownReceiver):
            recipient(directory(gone), "locations", R, CPO, EMS)


@pytest.mark.parametrize(
    ("module", "interface", "expected"),
    [
        ("locations", R, "emsp"), ("sessions", R, "emsp"), ("cdrs", R, "emsp"), ("tariffs", R, "emsp"),
        ("tokens", R, "cpo"), ("commands", R, "cpo"), ("chargingprofiles", R, "cpo"),
        ("locations", S, "cpo"), ("sessions", S, "cpo"), ("cdrs", S, "cpo"), ("tariffs", S, "cpo"),
        ("tokens", S, "emsp"), ("commands", S, "emsp"), ("chargingprofiles", S, "emsp"),
    ],
)  # fmt: skip
def test_the_interface_tells_which_role_of_a_party_is_meant(
    module: str, interface: InterfaceRole, expected: str
) -> None:
    both = directory(platform("cpo", party("DE-EMS", Role.CPO)), platform("emsp", party("DE-EMS", Role.EMSP)))
    assert recipient(both, module, interface, CPO, EMS).platform.id == expected


def test_a_role_that_does_not_offer_the_module_gives_way_to_one_that_does() -> None:
    known = directory(
        platform("cpo", party("DE-EMS", Role.CPO)), platform("emsp", party("DE-EMS", Role.EMSP), offers=("cdrs",))
    )
    assert recipient(known, "locations", R, CPO, EMS).platform.id == "cpo"


def test_two_platforms_that_fit_alike_are_ambiguous() -> None:
    known = directory(platform("a", party("DE-EMS", Role.NSP)), platform("b", party("DE-EMS", Role.NSP)))
    with pytest.raises(UnknownReceiver, match="more than one platform"):
        recipient(known, "locations", R, CPO, EMS)


def test_a_platform_that_is_left_behind_does_not_make_its_successor_ambiguous() -> None:
    known = directory(
        platform("old", party("DE-EMS", Role.EMSP), status=Status.SUSPENDED),
        platform("new", party("DE-EMS", Role.EMSP)),
    )
    assert recipient(known, "locations", R, CPO, EMS).platform.id == "new"


# --- broadcast -------------------------------------------------------------------------------------------------------

EVERYONE = [
    platform("p-cpo", party("NL-CPA", Role.CPO)),
    platform("p-emsp", party("DE-EMA", Role.EMSP)),
    platform("p-nsp", party("DE-NSA", Role.NSP)),
    platform("p-nap", party("FR-NAA", Role.NAP)),
    platform("p-oth", party("FR-OTA", Role.OTHER)),
    platform("p-scsp", party("FR-SCA", Role.SCSP)),
]


def reached(role: Role, module: str, *more: Platform, own: tuple[Party, ...] = ()) -> set[str]:
    mine = Party(PartyId("NL", "ME"), role)
    here = platform("mine", mine, *own)
    known = directory(here, *EVERYONE, *more)
    return {str(hosted.party.id) for hosted in broadcast(known, here, mine, module)}


@pytest.mark.parametrize(
    ("role", "module", "expected"),
    [
        (Role.CPO, "locations", {"DE-EMA", "DE-NSA", "FR-NAA", "FR-OTA"}),
        (Role.CPO, "tariffs", {"DE-EMA", "DE-NSA", "FR-NAA", "FR-OTA"}),
        (Role.NAP, "locations", {"DE-EMA", "DE-NSA", "FR-NAA", "FR-OTA"}),
        (Role.EMSP, "tokens", {"NL-CPA"}),
        (Role.OTHER, "tokens", {"NL-CPA"}),
        (Role.OTHER, "locations", {"NL-CPA"}),
    ],
)
def test_a_broadcast_reaches_the_opposite_roles(role: Role, module: str, expected: set[str]) -> None:
    assert reached(role, module) == expected


def test_a_broadcast_reaches_each_party_of_a_platform_once_whatever_its_roles() -> None:
    shared = platform(
        "shared",
        party("BE-ONE", Role.EMSP),
        party("BE-ONE", Role.NSP),
        party("BE-TWO", Role.EMSP),
        party("BE-ONE", Role.CPO),
    )
    here = platform("mine", party("NL-TNM", Role.CPO))
    known = directory(here, shared)
    found = [str(hosted.party.id) for hosted in broadcast(known, here, here.parties[0], "locations")]
    assert sorted(found) == ["BE-ONE", "BE-TWO"]


def test_a_broadcast_never_comes_back_to_the_senders_platform_or_party() -> None:
    again = platform("again", party("NL-ME", Role.EMSP))
    assert reached(Role.CPO, "locations", again, own=(party("NL-SIS", Role.EMSP),)) == {
        "DE-EMA", "DE-NSA", "FR-NAA", "FR-OTA",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("more", "counts"),
    [
        (platform("x", party("BE-X", Role.EMSP), status=Status.OFFLINE), True),
        (platform("x", party("BE-X", Role.EMSP), status=Status.SUSPENDED), False),
        (platform("x", party("BE-X", Role.EMSP, suspended=True)), False),
        (platform("x", party("BE-X", Role.EMSP, removed=True)), False),
        (platform("x", party("BE-X", Role.EMSP), removed=True), False),
        (platform("x", party("BE-X", Role.EMSP), registered=False), False),
        (platform("x", party("BE-X", Role.EMSP), offers=("tokens",)), False),
    ],
)
def test_a_broadcast_leaves_out_who_cannot_have_it_but_not_who_is_only_away(more: Platform, counts: bool) -> None:
    assert ("BE-X" in reached(Role.CPO, "locations", more)) is counts


def test_agreements_filter_a_broadcast() -> None:
    here = platform("mine", party("NL-TNM", Role.CPO))
    known = directory(here, *EVERYONE, agreements=Nobody())
    assert broadcast(known, here, here.parties[0], "locations") == ()


def test_recipients_are_found_once_a_snapshot() -> None:
    here = platform("mine", party("NL-TNM", Role.CPO))
    known = directory(here, *EVERYONE)
    assert broadcast(known, here, here.parties[0], "locations") is broadcast(known, here, here.parties[0], "locations")


# --- who it is from --------------------------------------------------------------------------------------------------


def says(row: str, *parties: Party, claimed: str | None = None) -> Party:
    return sender(platform("mine", *parties), ROWS[row], PartyId.parse(claimed) if claimed else None)


def test_p8_a_party_of_another_platform_cannot_be_claimed() -> None:
    with pytest.raises(InvalidParameters, match=r"OCPI-from.*NL-TNM"):
        says("LOC-R4", party("NL-TNM", Role.CPO), claimed="DE-EMS")


def test_from_is_derived_of_the_only_party() -> None:
    assert says("LOC-R4", party("NL-TNM", Role.CPO)).id == CPO
    assert says("TOK-R2", party("NL-TNM", Role.CPO)).id == CPO


@pytest.mark.parametrize(("row", "role"), [("LOC-R4", Role.CPO), ("TOK-R2", Role.EMSP), ("LOC-S1", Role.EMSP)])
def test_from_is_derived_of_the_only_party_whose_role_makes_such_calls(row: str, role: Role) -> None:
    found = says(row, party("NL-TNM", Role.CPO), party("DE-EMS", Role.EMSP))
    assert found.role is role


@pytest.mark.parametrize(("row", "role"), [("LOC-R4", Role.CPO), ("CMD-R1", Role.EMSP)])
def test_the_role_of_a_party_that_has_two_is_told_by_the_row(row: str, role: Role) -> None:
    parties = (party("NL-TNM", Role.EMSP), party("NL-TNM", Role.CPO))
    assert says(row, *parties).role is role
    assert says(row, *parties, claimed="NL-TNM").role is role


def test_from_that_could_be_two_parties_is_refused_naming_header_and_parties() -> None:
    with pytest.raises(InvalidParameters, match=r"OCPI-from-country-code.*DE-EMS.*NL-TNM"):
        says("LOC-R4", party("NL-TNM", Role.CPO), party("DE-EMS", Role.CPO))


def test_a_suspended_party_may_not_speak_and_another_is_not_taken_for_it() -> None:
    with pytest.raises(Unauthorized):
        says("LOC-R4", party("NL-TNM", Role.CPO, suspended=True))
    with pytest.raises(Unauthorized):
        says("LOC-R4", party("NL-TNM", Role.CPO, suspended=True), party("DE-EMS", Role.CPO), claimed="NL-TNM")
    assert says("LOC-R4", party("NL-TNM", Role.CPO, suspended=True), party("DE-EMS", Role.CPO)).id == EMS


def test_p8_an_owner_is_a_party_of_the_platform_in_whatever_role() -> None:
    mine = platform(
        "mine", party("NL-TNM", Role.CPO), party("DE-EMS", Role.EMSP), party("BE-OLD", Role.CPO, removed=True)
    )
    check_owner(mine, EMS, "the URL")
    for other in ("FR-XYZ", "BE-OLD"):
        with pytest.raises(InvalidParameters, match="the URL"):
            check_owner(mine, PartyId.parse(other), "the URL")


@pytest.mark.parametrize("row", CATALOGUE.rows, ids=lambda row: row.id)
def test_no_row_and_no_mixture_of_parties_raises_anything_but_the_hubs_own(row: Row) -> None:
    for parties in ((), (party("NL-TNM", Role.HUB),), (party("NL-TNM", Role.CPO), party("DE-EMS", Role.EMSP))):
        try:
            sender(platform("mine", *parties), row, None)
        except OcpiError:
            pass

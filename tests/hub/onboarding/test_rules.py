"""The rules of onboarding as functions of values: versions, endpoints, roles, and what each step makes of a record."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connectors.authorization import Form
from connectors.errors import InvalidParameters, MethodNotAllowed, NoMatchingEndpoints, UnsupportedVersion, UnusableApi
from connectors.values import InterfaceRole, PartyId, Role
from hub.onboarding import offers, records, rules
from hub.onboarding.offers import Offer
from routing.directory import Directory, Issued, Kind, Party, Platform, Status

HUB, TNM, EMS = PartyId("NL", "HUB"), PartyId("NL", "TNM"), PartyId("DE", "EMS")
NOW, LATER = 1_000, 2_000

FACTS = records.Facts(
    version="2.2.1",
    versions_url="https://a.example/versions",
    endpoints=(),
    origins=("https://a.example:443",),
    parties=(Party(TNM, Role.CPO),),
    presents=b"sealed",
    form=Form.RAW,
)


def test_the_latest_mutual_version_is_taken_and_unknown_ones_are_not_judged() -> None:
    offered = offers.versions_in(
        [
            {"version": "3.0", "url": 7},
            "nonsense",
            {"version": "2.2.1", "url": "https://a.example/2.2.1"},
            {"version": "2.1.1"},
        ]
    )
    assert offers.latest_mutual(offered) == Offer("2.2.1", "https://a.example/2.2.1")
    with pytest.raises(UnsupportedVersion, match=r"the hub speaks 2\.2\.1"):
        offers.latest_mutual(())
    with pytest.raises(UnsupportedVersion, match=r"version 2\.2\.1 is missing"):
        offers.exactly("2.2.1", ())


@pytest.mark.parametrize("url", [None, 7, "", "ftp://a/b", "https://user@a/b", "https://a.example/" + "x" * 255])
def test_a_version_without_a_usable_url_is_3001(url: object) -> None:
    with pytest.raises(UnusableApi, match=r"\$\.data\[0\]\.url"):
        offers.versions_in([{"version": "2.2.1", "url": url}])


def test_unknown_modules_are_kept_malformed_ones_of_them_left_out() -> None:
    endpoints = offers.endpoints_in(
        {
            "endpoints": [
                {"identifier": "credentials", "url": "https://a.example/c"},
                {"identifier": "nltnm-x", "role": "SENDER", "url": "https://b.example/x"},
                {"identifier": "nltnm-y", "role": "SIDEWAYS", "url": "https://b.example/y"},
                {"identifier": "n" * 65, "role": "SENDER", "url": "https://b.example/z"},
                {"identifier": "a\x1b[31m", "role": "SENDER", "url": "https://b.example/z"},
            ]
        },
        "2.2.1",
    )
    assert [(one.identifier, one.role) for one in endpoints] == [
        ("credentials", InterfaceRole.SENDER),
        ("nltnm-x", InterfaceRole.SENDER),
    ]
    assert offers.origins_of([one.url for one in endpoints]) == ("https://a.example:443", "https://b.example:443")
    assert offers.credentials_url(endpoints) == "https://a.example/c"


def test_without_a_credentials_endpoint_it_is_3003() -> None:
    with pytest.raises(NoMatchingEndpoints):
        offers.endpoints_in(
            {"endpoints": [{"identifier": "cdrs", "role": "SENDER", "url": "https://a.example/c"}]}, "2.2.1"
        )


@pytest.mark.parametrize("entry", [None, {}, {"identifier": 1}, {"identifier": "cdrs", "url": "https://a.example/c"}])
def test_an_endpoint_that_cannot_be_read_is_3001_with_its_path(entry: object) -> None:
    with pytest.raises(UnusableApi, match=r"\$\.data\.endpoints\[0\]"):
        offers.endpoints_in({"endpoints": [entry]}, "2.2.1")


def test_details_of_another_version_are_3002_and_of_none_are_taken() -> None:
    endpoints = [{"identifier": "credentials", "url": "https://a.example/c"}]
    for none in ({}, {"version": None}):
        assert len(offers.endpoints_in({"endpoints": endpoints} | none, "2.2.1")) == 1
    for said in ("2.1.1", 2.2, ["2.2.1"], "2" * 10_000):
        with pytest.raises(UnsupportedVersion, match=r"\$\.data\.version is ") as caught:
            offers.endpoints_in({"version": said, "endpoints": endpoints}, "2.2.1")
        assert len(caught.value.message) < 120


def test_more_endpoints_than_anybody_has_are_3001() -> None:
    endpoint = {"identifier": "credentials", "url": "https://a.example/c"}
    with pytest.raises(UnusableApi, match="201 entries"):
        offers.endpoints_in({"endpoints": [endpoint] * 201}, "2.2.1")


def test_roles_are_those_invited_each_once_and_never_the_hub() -> None:
    invited = ((TNM, Role.CPO), (EMS, Role.EMSP))
    rules.check_roles([Party(TNM, Role.CPO)], invited, HUB)
    for parties, said in (
        ([Party(TNM, Role.EMSP)], r"EMSP NL-TNM is not one of .*: CPO NL-TNM, EMSP DE-EMS"),
        ([Party(TNM, Role.CPO)] * 2, r"\$\.roles\[1\]: CPO NL-TNM is listed twice"),
        ([Party(HUB, Role.CPO)], "is the hub itself"),
    ):
        with pytest.raises(InvalidParameters, match=said):
            rules.check_roles(parties, invited, HUB)


def test_a_party_is_free_when_its_other_platform_or_itself_was_removed() -> None:
    holder = Platform("other", version="2.2.1", parties=(Party(TNM, Role.CPO),))
    for directory, free in (
        (Directory([holder], hub=HUB), False),
        (Directory([replace(holder, removed=True)], hub=HUB), True),
        (Directory([replace(holder, parties=(Party(TNM, Role.CPO, removed=True),))], hub=HUB), True),
    ):
        if free:
            rules.check_free([(TNM, Role.CPO)], directory, "mine")
        else:
            with pytest.raises(InvalidParameters, match="registered through another platform"):
                rules.check_free([(TNM, Role.CPO)], directory, "mine")
        rules.check_free([(TNM, Role.CPO)], directory, "other")
        rules.check_free([(TNM, Role.EMSP)], directory, "mine")


@pytest.mark.parametrize(
    ("method", "kind", "version", "allowed"),
    [
        ("GET", Kind.INVITATION, "", True),
        ("POST", Kind.INVITATION, "", True),
        ("POST", Kind.INVITATION, "2.2.1", True),
        ("POST", Kind.ACCESS, "2.2.1", False),
        ("PUT", Kind.INVITATION, "2.2.1", False),
        ("PUT", Kind.ACCESS, "2.2.1", True),
        ("PUT", Kind.ACCESS, "", False),
        ("DELETE", Kind.ACCESS, "2.2.1", True),
        ("DELETE", Kind.INVITATION, "", False),
        ("PATCH", Kind.ACCESS, "2.2.1", False),
    ],
)
def test_what_each_credential_may_do(method: str, kind: Kind, version: str, allowed: bool) -> None:
    platform, issued = Platform("p", version=version), Issued(b"d", kind, NOW)
    if allowed:
        rules.check_method(method, platform, issued)
    else:
        with pytest.raises(MethodNotAllowed):
            rules.check_method(method, platform, issued)


# --- records ---------------------------------------------------------------------------------------------------------


def invited() -> Platform:
    return records.invited("p", [(TNM, Role.CPO)], b"A", now=NOW, expires=NOW + 100)


def digests(platform: Platform) -> list[bytes]:
    return [issued.digest for issued in platform.issued]


def test_registering_keeps_the_invitation_until_the_first_use() -> None:
    platform = records.registered(invited(), FACTS, b"C1", now=LATER)
    assert platform.registered and platform.status is Status.CONNECTED
    again = records.registered(platform, FACTS, b"C2", now=LATER)
    assert digests(again) == [b"A", b"C1", b"C2"]
    assert records.ended_by_use(again, b"C2") == (b"A", b"C1")
    assert digests(records.used(again, b"C2")) == [b"C2"]
    assert records.ended_by_use(again, b"C1") == (b"A",)
    assert digests(records.used(again, b"C1")) == [b"C1", b"C2"]
    used = records.used(again, b"C2")
    assert records.used(used, b"C2") is used
    assert records.used(used, b"A") is used


def test_using_the_invitation_ends_nothing() -> None:
    platform = records.registered(invited(), FACTS, b"C1", now=LATER)
    assert records.ended_by_use(platform, b"A") == ()


def test_repeated_posts_do_not_pile_up_credentials() -> None:
    platform = invited()
    for number in range(20):
        platform = records.registered(platform, FACTS, b"C%d" % number, now=LATER)
    assert digests(platform) == [b"A", b"C16", b"C17", b"C18", b"C19"]


def test_repeated_puts_never_end_the_credential_that_asks() -> None:
    platform = records.used(records.registered(invited(), FACTS, b"C", now=NOW), b"C")
    for number in range(20):
        platform = records.renewed(platform, FACTS, b"N%d" % number, by=b"C", now=LATER, grace_ms=500)
    assert digests(platform) == [b"C", b"N17", b"N18", b"N19"]
    assert [issued.expires for issued in platform.issued] == [LATER + 500, LATER + 500, LATER + 500, None]


def test_a_second_put_does_not_prolong_the_grace() -> None:
    platform = records.registered(invited(), FACTS, b"C", now=NOW)
    platform = records.renewed(platform, FACTS, b"N1", by=b"C", now=NOW, grace_ms=500)
    platform = records.renewed(platform, FACTS, b"N2", by=b"C", now=NOW + 400, grace_ms=500)
    assert [issued.expires for issued in platform.issued] == [NOW + 500, NOW + 900, None]
    assert digests(records.renewed(platform, FACTS, b"N3", by=b"N1", now=NOW + 600, grace_ms=500)) == [
        b"N1",
        b"N2",
        b"N3",
    ]


def test_the_mark_of_first_use_does_not_undo_the_grace() -> None:
    platform = records.registered(invited(), FACTS, b"C", now=NOW)
    late = records.used(records.renewed(platform, FACTS, b"N", by=b"C", now=NOW, grace_ms=500), b"C")
    assert late.issued[0].expires == NOW + 500


def test_a_suspension_survives_being_left_out_and_named_again() -> None:
    two = replace(FACTS, parties=(Party(TNM, Role.CPO), Party(EMS, Role.EMSP)))
    platform = records.registered(invited(), two, b"C", now=NOW)
    platform = replace(platform, parties=(replace(platform.parties[0], suspended=True), platform.parties[1]))
    without = replace(FACTS, parties=(Party(EMS, Role.EMSP),))
    platform = records.renewed(platform, without, b"N1", by=b"C", now=NOW, grace_ms=1)
    assert platform.parties == (Party(EMS, Role.EMSP), Party(TNM, Role.CPO, suspended=True, removed=True))
    platform = records.renewed(platform, two, b"N2", by=b"N1", now=NOW, grace_ms=1)
    assert platform.parties == (Party(TNM, Role.CPO, suspended=True), Party(EMS, Role.EMSP))


def test_a_removed_platform_holds_no_secret_and_stays_listed() -> None:
    platform = records.removed(records.registered(invited(), FACTS, b"C", now=NOW), now=LATER)
    assert (platform.issued, platform.presents, platform.invited, platform.registered) == ((), None, (), False)
    assert platform.parties == (Party(TNM, Role.CPO, removed=True),)
    assert platform.status is Status.SUSPENDED


def test_no_record_shows_its_secret() -> None:
    assert "sealed" not in repr(FACTS)
    assert "sealed" not in repr(records.registered(invited(), FACTS, b"C", now=NOW))

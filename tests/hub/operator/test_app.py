"""The operator port over real HTTP: what is open, what needs the key, and parties from invitation to removal."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientSession

from connectors.authorization import digest
from connectors.sample.calls import SampleParty
from connectors.sample.platform import SamplePlatform
from connectors.values import InterfaceRole, PartyId, Role
from routing.directory import Platform
from routing.log.port import Position, TopicPartition
from routing.store.memory import MemoryStore
from routing.store.port import Mark
from tests.hub.onboarding.hubside import EMS, TNM
from tests.hub.operator.operating import KEY, Operating, operating

INVITE = {"parties": [{"country_code": "nl", "party_id": "tnm", "role": "CPO"}]}


@pytest.fixture
async def operator() -> AsyncIterator[Operating]:
    async with operating() as made:
        yield made


async def registered(operator: Operating, sample: SamplePlatform) -> str:
    """Register the sample; the id of its platform."""
    _, given = await operator.call("POST", "/api/parties/invite", INVITE)
    await sample.register(given["versions_url"], given["token"])
    return operator.hub.registry.directory.hosted(TNM)[0].platform.id


async def test_health_readiness_and_metrics_need_no_key(operator: Operating) -> None:
    assert await operator.call("GET", "/healthz", key=None) == (200, {"status": "alive"})
    assert await operator.call("GET", "/readyz", key=None) == (200, {"ready": True, "reasons": []})
    operator.troubles.append("the log is away")
    assert await operator.call("GET", "/readyz", key=None) == (503, {"ready": False, "reasons": ["the log is away"]})
    async with ClientSession() as session, session.get(f"{operator.base}/metrics") as response:
        assert await response.text() == "ocpi_hub_calls_total 1\n"
        assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")


@pytest.mark.parametrize("path", ["/api/parties", "/api/parties/invite", "/nowhere", "/healthz/x", "//healthz"])
@pytest.mark.parametrize("key", [None, "", "wrong", KEY[:-1], "é"])
async def test_everything_else_needs_it(operator: Operating, path: str, key: str | None) -> None:
    status, content = await operator.call("GET", path, key=key)
    assert status == 401
    assert "operator key" in content["error"]


async def test_every_no_is_json_with_a_sentence(operator: Operating) -> None:
    for method, path, body, status, said in (
        ("GET", "/api/nowhere", None, 404, "nothing at /api/nowhere"),
        ("DELETE", "/api/parties", None, 405, "it has GET"),
        ("GET", "/api/parties/DE/XYZ", None, 404, "does not know the party DE-XYZ"),
        ("POST", "/api/parties/DE/XYZ/suspend", None, 404, "DE-XYZ"),
        ("GET", "/api/parties/DEU/XYZ", None, 400, "country_code 'DEU'"),
        ("GET", "/api/parties?limit=0", None, 400, "limit of the query: "),
        ("GET", "/api/parties?limit=1&limit=2", None, 400, "limit more than once"),
        ("GET", "/api/agreements?fitler=x", None, 400, "fitler of the query: "),
        ("GET", "/api/platforms/none", None, 404, "no platform none"),
        ("POST", "/api/parties/invite", {"parties": []}, 400, "$.parties"),
        ("POST", "/api/parties/invite", {"parties": [{"country_code": "NL"}]}, 400, "$.parties[0].role"),
        ("POST", "/api/platforms/connect", {"versions_url": "x", "token": "canary canary"}, 400, "$.token"),
        ("POST", "/api/platforms/connect", {"versions_url": "x", "token": "canary"}, 502, "GET versions"),
        ("PATCH", "/api/platforms/none/settings", {"form": "raw"}, 404, "no platform none"),
        ("PATCH", "/api/platforms/none/settings", {"form": "hex"}, 400, "$.form"),
    ):
        got, content = await operator.call(method, path, body)
        assert (got, said in content["error"]) == (status, True), content
        assert "canary" not in content["error"]


async def test_an_invitation_is_a_token_and_a_versions_url(operator: Operating) -> None:
    status, given = await operator.call("POST", "/api/parties/invite", INVITE)
    assert status == 201
    assert given == {"token": given["token"], "versions_url": operator.hub.versions_url}
    assert await operator.hub.registry.lookup(digest(given["token"])) is not None
    _, page = await operator.call("GET", "/api/parties")
    assert page["total"] == 1
    row = page["parties"][0]
    assert (row["party"], row["role"], row["status"], row["registered"]) == ("NL-TNM", "CPO", "PLANNED", False)
    assert (await operator.call("POST", "/api/parties/NL/TNM/suspend"))[0] == 409


async def test_a_held_party_cannot_be_invited_again(operator: Operating) -> None:
    async with SamplePlatform([SampleParty(TNM, Role.CPO)]) as sample:
        await registered(operator, sample)
        status, content = await operator.call("POST", "/api/parties/invite", INVITE)
    assert (status, "CPO NL-TNM" in content["error"]) == (409, True)


async def test_a_party_is_shown_with_all_but_secrets(operator: Operating) -> None:
    async with SamplePlatform([SampleParty(TNM, Role.CPO, "Sample CPO")]) as sample:
        platform = await registered(operator, sample)
        mark = Mark(
            platform, TopicPartition("ocpi.tokens", 3), Position(1, 42), 1_700_000_000_000, "two attempts failed"
        )
        await operator.hub.store.save_mark(mark)
        _, shown = await operator.call("GET", "/api/parties/nl/tnm")
        stored = operator.hub.registry.directory.platforms[platform]
        assert sample.peer is not None
        for secret in (sample.peer.credential, *(issued.digest.hex() for issued in stored.issued)):
            assert secret not in str(shown)
    assert (shown["party"], shown["status"]) == ("NL-TNM", "CONNECTED")
    (told,) = shown["platforms"]
    assert told["version"] == "2.2.1"
    assert told["roles"][0]["name"] == "Sample CPO"
    assert {
        "identifier": "locations",
        "role": "SENDER",
        "url": sample.endpoint_url("locations", InterfaceRole.SENDER),
    } in told["endpoints"]
    assert told["settings"] == {
        "validate": "default", "form": None, "origins": [], "from": "hub", "page_limit": None, "user_agent": None,
        "resync": True, "rate": None, "behind": False, "custody": False, "deduplicates": False, "modules": {},
    }  # fmt: skip
    assert told["marks"] == [
        {
            "topic": "ocpi.tokens",
            "partition": 3,
            "position": {"epoch": 1, "offset": 42},
            "since": "2023-11-14T22:13:20.000Z",
            "reason": "two attempts failed",
            "resync": False,
            "party": None,
        }
    ]


async def test_suspend_resume_and_remove(operator: Operating) -> None:
    async with SamplePlatform([SampleParty(TNM, Role.CPO)]) as sample:
        platform = await registered(operator, sample)
        for action, status, suspended in (("suspend", "OFFLINE", True), ("resume", "CONNECTED", False)):
            for _ in range(2):
                got, shown = await operator.call("POST", f"/api/parties/NL/TNM/{action}")
                assert (got, shown["status"]) == (200, status)
            assert operator.hub.registry.directory.hosted(TNM)[0].party.suspended is suspended
        got, shown = await operator.call("POST", "/api/parties/NL/TNM/remove")
        assert (got, shown["status"], shown["platforms"][0]["issued"]) == (200, "SUSPENDED", [])
        assert operator.hub.registry.directory.hosted(TNM) == ()
        assert operator.hub.registry.directory.platforms[platform].removed
        assert (await operator.call("POST", "/api/parties/NL/TNM/remove"))[0] == 404
        await registered(operator, sample)
        assert (await operator.call("GET", "/api/parties/NL/TNM"))[1]["status"] == "CONNECTED"


async def test_removing_one_of_two_parties_leaves_the_other(operator: Operating) -> None:
    parties = [
        {"country_code": p.country_code, "party_id": p.party_id, "role": r} for p, r in ((TNM, "CPO"), (EMS, "EMSP"))
    ]
    _, given = await operator.call("POST", "/api/parties/invite", {"parties": parties})
    async with SamplePlatform([SampleParty(TNM, Role.CPO), SampleParty(EMS, Role.EMSP)]) as sample:
        await sample.register(given["versions_url"], given["token"])
        await operator.call("POST", "/api/parties/NL/TNM/remove")
        (hosted,) = operator.hub.registry.directory.hosted(EMS)
        assert operator.hub.registry.directory.hosted(TNM) == ()
        assert hosted.platform.invited == ((EMS, Role.EMSP),)


async def test_an_invitation_is_withdrawn_by_removing(operator: Operating) -> None:
    _, given = await operator.call("POST", "/api/parties/invite", INVITE)
    await operator.call("POST", "/api/parties/NL/TNM/remove")
    assert await operator.hub.registry.lookup(digest(given["token"])) is None
    assert (await operator.call("GET", "/api/parties"))[1]["total"] == 0


async def test_the_list_has_pages_and_a_filter(operator: Operating) -> None:
    for number in range(5):
        party = {"country_code": "NL", "party_id": f"A{number}", "role": "CPO"}
        await operator.call("POST", "/api/parties/invite", {"parties": [party]})
    _, page = await operator.call("GET", "/api/parties", offset="1", limit="2")
    assert ([row["party"] for row in page["parties"]], page["total"]) == (["NL-A1", "NL-A2"], 5)
    _, page = await operator.call("GET", "/api/parties", filter="a3")
    assert [row["party"] for row in page["parties"]] == ["NL-A3"]
    _, page = await operator.call("GET", "/api/platforms", filter="nl-a", offset="3", limit="5")
    assert ([row["parties"] for row in page["platforms"]], page["total"]) == ([["NL-A3"], ["NL-A4"]], 5)


async def test_a_page_says_how_many_there_are_and_where_the_next_one_is(operator: Operating) -> None:
    for number in range(3):
        party = {"one": f"NL-A{number}", "other": "any", "effect": "deny"}
        await operator.call("PUT", "/api/agreements", party)
    url, seen = "/api/agreements?limit=2&filter=de%6Ey", []
    async with ClientSession(headers={"Authorization": f"Bearer {KEY}"}) as session:
        while url:
            async with session.get(operator.base + url) as response:
                seen += [one["one"] for one in (await response.json())["agreements"]]
                assert response.headers["X-Total-Count"] == "3"
                url = response.headers.get("Link", "").partition(">")[0].removeprefix("<")
    assert seen == ["NL-A0", "NL-A1", "NL-A2"]


async def test_a_platform_is_shown_with_the_roles_of_all_its_parties(operator: Operating) -> None:
    parties = [
        {"country_code": p.country_code, "party_id": p.party_id, "role": r} for p, r in ((TNM, "CPO"), (EMS, "EMSP"))
    ]
    await operator.call("POST", "/api/parties/invite", {"parties": parties})
    _, page = await operator.call("GET", "/api/platforms")
    status, shown = await operator.call("GET", f"/api/platforms/{page['platforms'][0]['id']}")
    assert (status, [role["role"] for role in shown["roles"]]) == (200, ["CPO", "EMSP"])
    assert shown["parties"] == ["DE-EMS", "NL-TNM"]


async def test_the_hub_connects_to_a_platform(operator: Operating) -> None:
    async with SamplePlatform([SampleParty(EMS, Role.EMSP)]) as sample:
        body = {"versions_url": sample.versions_url, "token": sample.invite()}
        status, content = await operator.call("POST", "/api/platforms/connect", body)
    assert (status, [row["party"] for row in content["parties"]]) == (201, ["DE-EMS"])


async def test_settings_change_only_what_is_given(operator: Operating) -> None:
    async with SamplePlatform([SampleParty(TNM, Role.CPO)]) as sample:
        path = f"/api/platforms/{await registered(operator, sample)}/settings"
        url = sample.endpoint_url("locations", InterfaceRole.SENDER)
    expected: dict[str, Any] = {
        "validate": "default", "form": None, "origins": [], "from": "hub", "page_limit": None, "user_agent": None,
        "resync": True, "rate": None, "behind": False, "custody": False, "deduplicates": False, "modules": {},
    }  # fmt: skip
    for change in (
        {"form": "raw"},
        {"validate": "refuse"},
        {"resync": False},
        {"origins": ["https://files.example:443"]},
        {"form": None},
        {"from": "owner", "page_limit": 50, "user_agent": "hub/1"},
        {"modules": {url: "locations"}},
        {"user_agent": None},
        {},
    ):
        expected |= change
        status, answered = await operator.call("PATCH", path, change)
        revision = answered.pop("revision")
        assert (status, answered) == (200, expected)
        assert revision == next(iter(operator.hub.registry.directory.platforms.values())).revision
    status, content = await operator.call("PATCH", path, {"origins": ["gopher://x"]})
    assert (status, "$.origins" in content["error"]) == (400, True)
    status, content = await operator.call("PATCH", path, {"modules": {"https://elsewhere.example": "tokens"}})
    assert (status, "is not an endpoint that this platform advertised" in content["error"]) == (400, True)


async def test_what_another_process_did_is_known_at_once(operator: Operating) -> None:
    other = MemoryStore(operator.hub.store.data)
    await other.start()
    operator.hub.store.data.watchers.clear()  # nobody tells of changes
    party = (PartyId("NL", "NEW"), Role.CPO)
    await other.save_platform(Platform("new", invited=(party,)))
    assert [row["party"] for row in (await operator.call("GET", "/api/parties"))[1]["parties"]] == ["NL-NEW"]


async def test_a_store_that_is_away_is_503(operator: Operating) -> None:
    operator.hub.store.away = "gone"
    assert (await operator.call("POST", "/api/parties/invite", INVITE))[0] == 503

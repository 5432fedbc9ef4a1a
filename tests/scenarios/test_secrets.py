"""P11: canary credentials in every place where they can be; the harness searches each hub at its end.

What is found is judged by `RunningHub.search` whenever a hub ends: here every place is filled, on one hub.
"""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

import orjson
import pytest

from connectors.sample import Canned, Fault, RegistrationRefused, Rule, SamplePlatform, sample_cpo, sample_emsp
from connectors.values import Role
from tests.scenarios import bodies
from tests.scenarios.conftest import MakeHub
from tests.scenarios.hub import RunningHub
from tests.scenarios.parties import HUB, RECEIVER, SENDER, Parties, check, new_party, party_of
from tests.scenarios.raw import exchange, request
from tests.scenarios.vault import SecretFound, Vault, spellings


async def fill(hub: RunningHub, parties: Parties) -> None:
    """Put credentials wherever one can be put."""
    cpo, emsp = await parties.cpo(raw=True), await parties.emsp()
    for platform in (cpo, emsp):
        await platform.rotate()
    await _unknown_and_malformed(hub, emsp)
    await _echoed(parties, cpo, emsp)
    await _handshakes_that_fail(hub, parties)
    canary = hub.vault.add("canary-of-the-command-line")
    code, out, err = await hub.cli("party", "connect", "http://127.0.0.1:9/ocpi/versions", canary)
    assert code == 1 and canary not in out + err
    wrong = hub.vault.add("canary-of-a-wrong-operator-key")
    assert hub.ask("GET", "/api/parties", key=wrong)[0] == 401
    code, out, err = await hub.cli("party", "list", operator_key=wrong)
    assert code == 1 and wrong not in out + err
    await emsp.unregister()


async def _unknown_and_malformed(hub: RunningHub, emsp: SamplePlatform) -> None:
    canary = hub.vault.add("canary-that-nobody-issued")
    coded = b64encode(canary.encode()).decode()
    for header in (f"Token {canary}", f"Token {coded}", f"Bearer {canary}", canary, f"Token {canary} {canary}"):
        for target in ("/ocpi/versions", "/ocpi/2.2.1/sender/locations/L", "/nowhere"):
            answer = await exchange(hub, request(hub, target, headers={"Authorization": header}))
            assert answer.http_status == 401 and canary not in answer.body.decode()
    # In bodies of the credentials module that are not valid in one way or the other.
    token = (await hub.invite((new_party(), Role.EMSP))).token
    url = f"{hub.public_url}/ocpi/2.2.1/credentials"
    for body in (
        {"token": canary, "url": 5, "roles": []},
        {"token": [canary], "url": emsp.versions_url, "roles": []},
        {"token": canary * 9, "url": emsp.versions_url, "roles": [canary]},
        f'{{"token": "{canary}", '.encode(),
        {"token": canary, "url": f"http://user:{canary}@127.0.0.1:9/ocpi/versions", "roles": []},
    ):
        refused = await emsp.call_url("POST", url, body=body, credential=token)
        assert refused.status_code == 2001 and canary not in refused.body.decode(), refused.body


async def _echoed(parties: Parties, cpo: SamplePlatform, emsp: SamplePlatform) -> None:
    """A recipient that gives the hub's credential back, in an envelope and in HTML, and fails."""
    for platform, module in ((cpo, "locations"), (emsp, "locations")):
        given = platform.connection.issued[-1]
        page = f"<html>{given} {b64encode(given.encode()).decode()}</html>".encode()
        platform.faults.set(Rule(Fault.CANNED, module=module, canned=Canned(page, 502, {"Content-Type": "text/html"})))
    answer = await emsp.call("GET", "locations", SENDER, "LOC0001", to=party_of(cpo))
    check(answer, 200, 4000)
    assert cpo.connection.issued[-1] not in answer.body.decode()
    body = bodies.location(party_of(cpo))
    path = (*party_of(cpo), body["id"])
    check(await cpo.call("PUT", "locations", RECEIVER, *path, to=party_of(emsp), body=body), 200, 4000)
    other = body | {"id": bodies.new_id("L")}
    path = (*party_of(cpo), other["id"])
    check(await cpo.call("PUT", "locations", RECEIVER, *path, to=HUB, body=other), 200, 1000)
    for platform in (cpo, emsp):
        platform.faults.clear()


async def _handshakes_that_fail(hub: RunningHub, parties: Parties) -> None:
    for fault in (Fault.HTML, Fault.RESET, Fault.HTTP_401, Fault.NOT_JSON):
        platform = await parties.start(sample_emsp(new_party()))
        platform.faults.set(Rule(fault, module="versions"))
        invitation = await hub.invite((party_of(platform), Role.EMSP))
        with pytest.raises(RegistrationRefused):
            await platform.register(invitation.versions_url, invitation.token)
        token = platform.invite()
        status, told = await hub.operate(
            "POST", "/api/platforms/connect", {"versions_url": platform.versions_url, "token": token}
        )
        assert status == 502 and token not in told["error"]
    answering = await parties.start(sample_cpo(new_party()))
    token = answering.invite()
    data = {"token": hub.vault.add("canary in an answer"), "url": answering.versions_url, "roles": []}
    body = orjson.dumps({"status_code": 1000, "timestamp": bodies.WHEN, "data": data})
    answering.faults.set(Rule(Fault.CANNED, module="credentials", canned=Canned(body)))
    status, told = await hub.operate(
        "POST", "/api/platforms/connect", {"versions_url": answering.versions_url, "token": token}
    )
    assert status == 502 and "canary" not in told["error"]


@pytest.mark.parametrize(("level", "ending"), [("debug", "stop"), ("info", "kill")])
async def test_p11_no_credential_is_left_anywhere(make_hub: MakeHub, level: str, ending: str) -> None:
    with make_hub(logging_level=level, handshake_seconds=1) as hub:
        async with Parties(hub) as parties:
            await fill(hub, parties)
            if ending == "kill":
                hub.kill()
                await hub.start_again()
        assert len(hub.vault.secrets) > 15
        assert hub.output() and any(hub.data.iterdir())


async def test_p11_a_key_that_is_set_is_not_written_down(make_hub: MakeHub) -> None:
    key, ring = "canary-operator-key-that-is-set", b64encode(b"canary-of-the-key-ring-32-bytes!").decode()
    with make_hub(operator_key=key, keys=f"k1:{ring}") as hub:
        hub.vault.add(key)
        hub.vault.add(ring)
        async with Parties(hub) as parties:
            await parties.pair()
        code, out, err = await hub.cli("settings")
        assert code == 0 and key not in out + err and ring not in out + err
    assert not (hub.data / "operator.key").exists()


async def test_the_two_secret_files_are_for_their_owner_alone(hub: RunningHub) -> None:
    assert hub.data.stat().st_mode & 0o077 == 0
    for name in ("operator.key", "keys"):
        assert (hub.data / name).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("place", ["data/log.db", "data/new/file", "printed"])
def test_the_search_finds_what_it_is_for(tmp_path: Path, place: str) -> None:
    secret = "canary-that-must-be-found-0123456789"
    for before in (b"", b"x", b"xy"):
        for written in (
            secret.encode(), secret.encode().hex().encode(), b64encode(before + secret.encode() + b"tail"),
        ):  # fmt: skip
            vault = Vault()
            vault.add(secret)
            hub = RunningHub(tmp_path, vault)
            (tmp_path / "printed").write_bytes(b"")
            (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / place).write_bytes(b"before " + written + b" after")
            with pytest.raises(SecretFound):
                hub.search()
    assert len(set(spellings(secret))) >= 6

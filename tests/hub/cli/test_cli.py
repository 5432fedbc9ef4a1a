"""The command line: against a running operator port over real HTTP, and without one."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from typer.testing import CliRunner, Result

from connectors.authorization import digest
from connectors.sample.calls import SampleParty
from connectors.sample.platform import SamplePlatform
from connectors.values import InterfaceRole, Role
from hub.cli.main import app
from routing import complete
from routing.archive.filing import Keeping, file
from routing.exchanges import encode
from routing.log.port import Position, Record, TopicPartition
from routing.store.port import SetAside
from tests.hub.onboarding.hubside import EMS, TNM
from tests.hub.operator.operating import KEY, Operating, operating
from tests.hub.operator.test_deadletters import LETTER
from tests.routing.archive.relays import NOW, relay


@pytest.fixture
async def operator(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Operating]:
    # The hub of these tests runs in the same process, and so would log into the output of the command.
    with capture_logs():
        async with operating() as made:
            monkeypatch.setenv("HUB_DATA", str(tmp_path))
            monkeypatch.setenv("HUB_OPERATOR_URL", made.base)
            monkeypatch.setenv("HUB_OPERATOR_KEY", KEY)
            yield made


async def run(*words: str) -> Result:
    """The command in a thread of its own, so that the hub of this test can answer it."""
    return await asyncio.to_thread(lambda: CliRunner().invoke(app, list(words)))


async def output(*words: str) -> Any:
    """Its JSON; it must end well."""
    ended = await run(*words)
    assert ended.exit_code == 0, ended.output
    return json.loads(ended.stdout)


async def test_invite_prints_exactly_a_token_and_a_versions_url(operator: Operating) -> None:
    given = await output("party", "invite", "nl", "tnm", "cpo", "DE", "EMS", "EMSP", "--json")
    assert given == {"token": given["token"], "versions_url": operator.hub.versions_url}
    found = await operator.hub.registry.lookup(digest(given["token"]))
    assert found is not None and found[0].invited == ((TNM, Role.CPO), (EMS, Role.EMSP))
    people = await run("party", "invite", "NL", "AAA", "CPO")
    assert operator.hub.versions_url in people.stdout


async def test_the_life_of_a_party(operator: Operating) -> None:
    given = await output("party", "invite", "NL", "TNM", "CPO", "--json")
    async with SamplePlatform([SampleParty(TNM, Role.CPO)]) as sample:
        await sample.register(given["versions_url"], given["token"])
        assert [row["status"] for row in await output("party", "list", "--json")] == ["CONNECTED"]
        assert await output("party", "list", "--filter", "DE-", "--json") == []
        assert (await output("party", "show", "NL", "TNM", "--json"))["platforms"][0]["version"] == "2.2.1"
        assert (await output("party", "suspend", "NL", "TNM", "--json"))["status"] == "OFFLINE"
        assert (await output("party", "resume", "nl", "tnm", "--json"))["status"] == "CONNECTED"
        for words, said in (
            (("party", "list"), "NL-TNM"),
            (("party", "show", "NL", "TNM"), "resync marks: none"),
            (("party", "remove", "NL", "TNM"), "NL-TNM is SUSPENDED now"),
        ):
            ended = await run(*words)
            assert (ended.exit_code, said in ended.stdout) == (0, True), ended.output


async def test_an_owner_is_declared_complete_module_by_module_and_shown_so_until_it_is_taken_back_or_removed(
    operator: Operating,
) -> None:
    await output("party", "invite", "NL", "TNM", "CPO", "--json")
    told = await output("party", "complete", "nl", "tnm", "--module", "locations", "--module", "tariffs", "--json")
    assert list(told["complete"]) == ["locations", "tariffs"]
    assert (await complete.complete(operator.hub.store, "locations")).owners == {TNM}
    assert (await output("party", "show", "NL", "TNM", "--json"))["complete"] == told["complete"]
    again = await output("party", "complete", "NL", "TNM", "--json")
    assert list(again["complete"]) == list(complete.MODULES)
    assert again["complete"]["locations"] == told["complete"]["locations"], "it has been so since then"
    ended = await run("party", "complete", "NL", "TNM", "--module", "tokens", "--undo")
    assert "complete of NL-TNM: locations (since 20" in ended.stdout and "tokens" not in ended.stdout
    assert "complete in lists of everybody's: locations" in (await run("party", "show", "NL", "TNM")).stdout
    ended = await run("party", "complete", "NL", "TNM", "--module", "commands")
    assert (ended.exit_code, "$.modules[0]" in ended.stderr) == (1, True), ended.output
    ended = await run("party", "complete", "DE", "XYZ")
    assert (ended.exit_code, ended.stderr) == (1, "the hub does not know the party DE-XYZ\n")
    await run("party", "remove", "NL", "TNM")
    assert not (await complete.complete(operator.hub.store, "locations")).owners


async def test_connect_starts_the_handshake(operator: Operating) -> None:
    async with SamplePlatform([SampleParty(EMS, Role.EMSP)]) as sample:
        ended = await run("party", "connect", sample.versions_url, sample.invite())
    assert "connected with EMSP DE-EMS" in ended.stdout


@pytest.mark.parametrize("token", ["-lx93-s3cret-of-a-platform", "--s3cret-of-a-platform", "-h"])
async def test_a_token_that_begins_with_a_hyphen_is_a_token(operator: Operating, token: str) -> None:
    async with SamplePlatform([SampleParty(EMS, Role.EMSP)]) as sample:
        sample.connection.invitations.append(token)
        ended = await run("party", "connect", sample.versions_url, token)
    assert "connected with EMSP DE-EMS" in ended.stdout, ended.output


async def test_what_the_hub_refuses_is_its_sentence_and_exit_1(operator: Operating) -> None:
    ended = await run("party", "show", "DE", "XYZ", "--json")
    assert (ended.exit_code, ended.stdout) == (1, "")
    assert ended.stderr == "the hub does not know the party DE-XYZ\n"


async def test_the_key_file_in_the_data_folder_is_found(
    operator: Operating, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("HUB_OPERATOR_KEY")
    ended = await run("party", "list")
    assert (ended.exit_code, "there is no operator key" in ended.stderr) == (1, True)
    (tmp_path / "operator.key").write_text(KEY + "\n")
    assert await output("party", "list", "--json") == []
    monkeypatch.setenv("HUB_OPERATOR_KEY", "another-key-of-a-hub")
    ended = await run("party", "list")
    assert (ended.exit_code, "does not take the operator key" in ended.stderr) == (1, True)


async def test_the_key_of_a_demo_is_found_where_no_folder_is_named(
    operator: Operating, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("HUB_OPERATOR_KEY", "HUB_DATA"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "user"))
    monkeypatch.setattr("hub.cli.calling.demo_folder", lambda port: tmp_path / str(port))
    for folder in (tmp_path / "8081", tmp_path / "user" / "ocpi-hub"):
        folder.mkdir(parents=True)
    (tmp_path / "8081" / "operator.key").write_text("of-a-demo-that-ended-long-ago\n")
    (tmp_path / "user" / "ocpi-hub" / "operator.key").write_text(KEY + "\n")
    assert await output("party", "list", "--json") == [], "each of the two is tried"
    (tmp_path / "8081" / "operator.key").write_text(KEY + "\n")
    (tmp_path / "user" / "ocpi-hub" / "operator.key").unlink()
    assert await output("party", "list", "--json") == []


@pytest.mark.parametrize("key", ["", KEY])
async def test_a_hub_that_does_not_run_is_a_sentence_and_exit_1(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, key: str
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("HUB_DATA", str(tmp_path))
    monkeypatch.setenv("HUB_OPERATOR_KEY", key)
    monkeypatch.setenv("HUB_OPERATOR_PORT", str(port))
    monkeypatch.delenv("HUB_OPERATOR_URL", raising=False)
    ended = await run("party", "list", "--json")
    assert (ended.exit_code, ended.stdout) == (1, "")
    assert ended.stderr.startswith(f"no hub is running at http://127.0.0.1:{port}: start it with `ocpi-hub serve`")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("party", "invite", "NL", "TNM"), "COUNTRY PARTY ROLE"),
        (("party", "invite", "NL", "TNM", "BOSS"), "not a role"),
        (("party", "invite", "NLD", "TNM", "CPO"), "country_code"),
        (("simulate", "cpo", "--versions-url", "http://localhost/ocpi/versions"), "--token"),
        (("simulate", "emsp", "--party", "X"), "not a party"),
        (("simulate", "fault", "1", "nonsense"), "offline"),
    ],
)
async def test_a_wrong_word_is_exit_2(words: tuple[str, ...], said: str) -> None:
    ended = await run(*words)
    assert ended.exit_code == 2
    assert said in " ".join(ended.stderr.split())


async def test_a_fault_of_a_running_sample_party_is_switched() -> None:
    async with SamplePlatform([SampleParty(TNM, Role.CPO)], control=True) as sample:
        ended = await run("simulate", "fault", str(sample.port), "hang")
        assert (ended.exit_code, ended.stdout) == (0, "fault: hang\n")
        await sample.switch(None)


async def test_settings_are_shown_without_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_OPERATOR_KEY", "canary-canary-canary")
    monkeypatch.setenv("HUB_PARTY", "DE-ABC")
    shown = await output("settings", "--json")
    assert (shown["HUB_PARTY"], shown["HUB_OPERATOR_KEY"]) == ("DE-ABC", "(set, not shown)")
    assert "canary" not in (await run("settings")).output


async def test_policies_are_set_listed_shown_and_taken_back(operator: Operating) -> None:
    made = await output(
        "policy", "set", "--party", "de-ems", "--module", "tokens", "--attempts", "3", "--no-refused-again", "--json"
    )
    assert made == made | {"id": "DE-EMS/tokens", "attempts": 3, "refused_again": False, "backoff_seconds": None}
    assert (await run("policy", "set", "--attempt-seconds", "5")).stdout == "from now on: any/* attempt_seconds=5\n"
    listed = await output("policy", "list", "--json")
    assert [one["id"] for one in listed["policies"]] == ["DE-EMS/tokens", "any/*"]
    assert (listed["default"]["attempts"], listed["default"]["policies"]) == (2, [])
    assert "else: attempts=2 attempt_seconds=10 " in (await run("policy", "list")).stdout
    terms = operator.hub.registry.directory.policies.terms(EMS, "tokens")
    assert (terms.attempts, terms.attempt_seconds, terms.refused_again) == (3, 5.0, False)
    await output("party", "invite", "DE", "EMS", "EMSP", "--json")
    shown = await run("party", "show", "DE", "EMS")
    assert "delivery of tokens: attempts=3 attempt_seconds=5 " in shown.stdout
    assert "refused_again=no (DE-EMS/tokens, any/*)" in shown.stdout
    wrong = await run("policy", "set", "--attempts", "99")
    assert (wrong.exit_code, wrong.stderr.startswith("attempts is 99; a number of 1 to 20 belongs there")) == (1, True)
    wrong = await run("policy", "unset", "--party", "DE-EMS")
    assert (wrong.exit_code, wrong.stderr) == (1, "there is no policy DE-EMS/*; `ocpi-hub policy list` shows all\n")
    assert await output("policy", "unset", "--party", "DE-EMS", "--module", "tokens", "--json") == {
        "removed": "DE-EMS/tokens"
    }
    assert operator.hub.registry.directory.policies.terms(EMS, "tokens").attempts == 2


async def test_agreements_are_made_listed_and_taken_back(operator: Operating) -> None:
    made = await output("agreement", "deny", "nl-tnm", "DE-EMS", "--module", "tariffs", "--module", "cdrs", "--json")
    assert made == made | {"id": "DE-EMS/NL-TNM/cdrs,tariffs", "effect": "deny", "modules": ["cdrs", "tariffs"]}
    assert (await run("agreement", "allow", "any", "FR-ABC")).stdout == "from now on: allow FR-ABC any all\n"
    listed = await output("agreement", "list", "--json")
    assert ([one["id"] for one in listed["agreements"]], listed["default"]) == (
        ["DE-EMS/NL-TNM/cdrs,tariffs", "FR-ABC/any/*"],
        "allow",
    )
    assert [one["id"] for one in (await output("agreement", "list", "--filter", "fr-", "--json"))["agreements"]] == [
        "FR-ABC/any/*"
    ]
    assert "else: allow" in (await run("agreement", "list")).stdout
    assert not operator.hub.registry.directory.agreements.allows(TNM, EMS, "cdrs")
    wrong = await run("agreement", "remove", "NL-TNM", "DE-EMS")
    assert (wrong.exit_code, wrong.stderr) == (
        1,
        "there is no agreement DE-EMS/NL-TNM/*; `ocpi-hub agreement list` shows all\n",
    )
    await output("agreement", "remove", "DE-EMS", "NL-TNM", "--module", "cdrs", "--module", "tariffs", "--json")
    assert operator.hub.registry.directory.agreements.allows(TNM, EMS, "cdrs")
    assert "write COUNTRY-PARTY" in (await run("agreement", "allow", "Tulip", "any")).stderr


async def test_what_was_set_aside_is_listed_and_shown(operator: Operating) -> None:
    tp = TopicPartition("ocpi.locations", 3)
    headers = (("ce_id", b"e1"), ("ce_type", b"org.ocpi-hub.push.v9"))
    for offset, value in ((41, b'{"a": 1.10}'), (42, b"\xff\x00")):
        record = SetAside(tp, Position(1, offset), 1000, 2000 + offset, "its type is v9", b"NL*TNM", headers, value)
        await operator.hub.store.set_aside(record)
    listed = await output("poison", "list", "--json")
    assert [(row["topic"], row["partition"], row["offset"], row["bytes"]) for row in listed] == [
        ("ocpi.locations", 3, 42, 2),
        ("ocpi.locations", 3, 41, 11),
    ]
    assert len(await output("poison", "list", "--limit", "1", "--json")) == 1
    assert [row["offset"] for row in await output("poison", "list", "--offset", "1", "--json")] == [41]
    assert await output("poison", "list", "--filter", "tokens", "--json") == []
    text = await output("poison", "show", "ocpi.locations", "3", "41", "--json")
    assert (text["value"], text["reason"], text["key"]) == ('{"a": 1.10}', "its type is v9", "NL*TNM")
    assert text["headers"] == [["ce_id", "e1"], ["ce_type", "org.ocpi-hub.push.v9"]]
    assert (await output("poison", "show", "ocpi.locations", "3", "42", "--json"))["value_base64"] == "/wA="
    for words, said in (
        (("poison", "list"), "its type is v9"),
        (("poison", "show", "ocpi.locations", "3", "41"), '{"a": 1.10}'),
        (("poison", "show", "ocpi.locations", "3", "42"), "/wA="),
    ):
        ended = await run(*words)
        assert (ended.exit_code, said in ended.stdout) == (0, True)
    ended = await run("poison", "show", "ocpi.locations", "3", "7")
    assert (ended.exit_code, "poison list tells" in ended.stderr) == (1, True)


async def test_nothing_set_aside_is_said(operator: Operating) -> None:
    assert await output("poison", "list", "--json") == []
    assert "records set aside: none" in (await run("poison", "list")).stdout


async def test_dead_letters_are_listed_shown_sent_again_and_dropped(operator: Operating) -> None:
    assert await output("deadletter", "list", "--json") == []
    assert "dead letters: none" in (await run("deadletter", "list")).stdout
    for n in range(250):
        letter = replace(LETTER, id=f"l{n:03}", at=LETTER.at + n, object_id=f"L{n}")
        await operator.hub.store.letters.put(replace(letter, recipient=EMS) if n % 2 else letter)
    listed = await output("deadletter", "list", "--limit", "2", "--offset", "1", "--json")
    assert [one["id"] for one in listed] == ["l248", "l247"]
    assert len(await output("deadletter", "list", "--party", "DE-EMS", "--reason", "resync", "--json")) == 250
    assert await output("deadletter", "list", "--module", "cdrs", "--json") == []
    ended = await run("deadletter", "show", "l000")
    for said in ("dead letter l000", "PUT locations NL/TNM/L1, from NL-TNM to DE-EMS", "HTTP 500, OCPI 3000", "oh no"):
        assert said in ended.stdout
    for words in (("redrive",), ("redrive", "l001", "--module", "locations"), ("drop", "--all", "l001")):
        wrong = await run("deadletter", *words)
        assert (wrong.exit_code, wrong.stderr) == (1, "say which: ids, or filters, or --all\n")
    meant = await output("deadletter", "redrive", "--module", "locations", "--dry-run", "--json")
    assert [one["done"] for one in meant] == ["meant"] * 250
    ended = await run("deadletter", "redrive", "--module", "locations")
    assert "200 of 250\n250 of 250\n250 redriven\n" in ended.stdout
    assert "none" in (await run("deadletter", "redrive", "--all")).stdout, "all were sent again already"
    assert [one["done"] for one in await output("deadletter", "redrive", "l003", "--json")] == ["already"]
    assert "sent again at" in (await run("deadletter", "show", "l003")).stdout
    assert await output("deadletter", "drop", "l003", "l003", "l9", "--json") == [
        {"id": "l003", "done": "dropped", "why": ""},
        {"id": "l9", "done": "gone", "why": "there is none of this id any more"},
    ]
    assert "249 dropped" in (await run("deadletter", "drop", "--all")).stdout


async def test_exchanges_are_found_in_pages_and_one_is_drawn(operator: Operating) -> None:
    assert await output("exchanges", "find", "--json") == {"exchanges": [], "next": None}
    assert "exchanges: none" in (await run("exchanges", "find")).stdout
    batch = [relay(at=NOW + n, forwarded_id=f"f-{n}", path=(f"L{n}",)) for n in range(3)]
    batch[2] = batch[2]._replace(outcome="nobody listens", status_code=4003, http_status=0)
    record = Record("ocpi.exchanges", 0, Position(1, 1), NOW, b"edge", *encode(batch))
    await operator.hub.store.archive.file(file(record, Keeping(NOW)).parts)
    first = await output("exchanges", "find", "--limit", "2", "--json")
    assert [one["object"] for one in first["exchanges"]] == ["L2", "L1"]
    last = await output("exchanges", "find", "--page", first["next"], "--json")
    assert [one["object"] for one in last["exchanges"]] == ["L0"]
    assert f"--page {first['next']}" in (await run("exchanges", "find", "--limit", "2")).stdout
    (found,) = (await output("exchanges", "find", "--outcome", "not_sent", "--json"))["exchanges"]
    assert found["id"] == "relay-f-2"
    assert (await output("exchanges", "find", "--object", "locations/l1", "--json"))["exchanges"][0]["object"] == "L1"
    assert (await output("exchanges", "find", "--until", "2026-01-01", "--json"))["exchanges"] == []
    assert (await output("exchanges", "find", "--since", "1s", "--json"))["exchanges"] == []
    for words, code, said in (
        (("find", "--object", "L1"), 2, "MODULE/ID"),
        (("find", "--object", "locations/L1", "--module", "tariffs"), 2, "MODULE/ID"),
        (("find", "--since", "soon"), 1, "since of the query is no moment"),
        (("show", "none"), 1, "exchanges find tells"),
    ):
        ended = await run("exchanges", *words)
        assert (ended.exit_code, said in ended.stderr) == (code, True), ended.stderr
    drawn = (await run("exchanges", "show", "relay-f-2")).stdout
    for said in (
        "DE-EMS sent GET locations L2", "decided: relayed to NL-TNM", "-> NL-TNM: not_sent", "no answer, 4003",
        "answered to DE-EMS after 12.5 ms",
    ):  # fmt: skip
        assert said in drawn, drawn
    assert (await output("exchanges", "show", "relay-f-2", "--json"))["id"] == "relay-f-2"


async def test_what_a_platform_needs_is_set_shown_and_taken_back(operator: Operating) -> None:
    given = await output("party", "invite", "NL", "TNM", "CPO", "--json")
    async with SamplePlatform([SampleParty(TNM, Role.CPO)]) as sample:
        await sample.register(given["versions_url"], given["token"])
    url = sample.endpoint_url("tariffs", InterfaceRole.SENDER)
    words = ("--from", "owner", "--page-limit", "20", "--user-agent", "hub/1", "--module", f"nltnm-tariffs={url}")
    made = await output("party", "set", "NL", "TNM", *words, "--json")
    assert made == made | {"from": "owner", "page_limit": 20, "user_agent": "hub/1", "modules": {url: "nltnm-tariffs"}}
    shown = (await run("party", "show", "NL", "TNM")).stdout
    assert "from=owner" in shown and "page limit    20" in shown and f"nltnm-tariffs={url}" in shown
    back = await output("party", "set", "NL", "TNM", "--page-limit", "none", "--module", "none", "--json")
    assert back == back | {"from": "owner", "page_limit": None, "modules": {}}
    assert "page_limit  none" in (await run("party", "set", "NL", "TNM")).stdout
    assert (await run("party", "set", "NL", "TNM", "--module", "tariffs")).exit_code == 2

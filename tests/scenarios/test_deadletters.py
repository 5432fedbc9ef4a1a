"""Dead letters over HTTP: a result that cannot be delivered is told to its sender, kept for a look, and dropped."""

from __future__ import annotations

from typing import Any

import orjson

from tests.scenarios import bodies
from tests.scenarios.conftest import MakeHub
from tests.scenarios.hub import RunningHub
from tests.scenarios.parties import RECEIVER, Parties, check, got, party_of


async def said(hub: RunningHub, *words: str) -> Any:
    """What a command of `ocpi-hub deadletter` prints as JSON."""
    code, out, err = await hub.cli("deadletter", *words, "--json")
    assert code == 0, err
    return orjson.loads(out)


async def test_a_result_that_cannot_be_delivered_is_kept_for_a_look(make_hub: MakeHub) -> None:
    with make_hub(command_seconds=2) as hub:
        async with Parties(hub) as parties:
            cpo, emsp = await parties.pair()
            cpo.result_delay = 3600
            body = bodies.command(cpo, emsp, "STOP_SESSION")
            check(await emsp.call("POST", "commands", RECEIVER, "STOP_SESSION", to=party_of(cpo), body=body), 200, 1000)
            url = got(cpo, "commands")[0].json["response_url"]
            await emsp.offline()
            ids = {"X-Request-ID": "result-1", "X-Correlation-ID": "chain-1"}
            result = {"result": "FAILED", "message": [{"language": "en", "text": "nobody there"}]}
            answer = await cpo.call_url("POST", url, to=party_of(emsp), body=result, headers=ids)
            check(answer, 200, 4003)
            (row,) = await said(hub, "list", "--party", str(party_of(emsp)), "--reason", "result")
            assert (row["from"], row["to"], row["module"], row["object"], row["correlation_id"]) == (
                str(party_of(cpo)), str(party_of(emsp)), "commands", "STOP_SESSION", "chain-1",
            )  # fmt: skip
            shown = await said(hub, "show", row["id"])
            assert len(shown["tried"]) > 1
            assert {one["status_code"] for one in shown["tried"]} == {4003}
            assert orjson.loads(shown["body"]) == result
            assert body["response_url"] not in orjson.dumps(shown).decode()
            (done,) = await said(hub, "redrive", row["id"])
            assert (done["done"], "kept for a look" in done["why"]) == ("refused", True)
            assert hub.metrics()["ocpi_hub_dead_letters_total{reason=result}"] == 1
            hub.stop()
            await hub.start_again()
            assert [one["id"] for one in await said(hub, "list")] == [row["id"]]
            assert [one["done"] for one in await said(hub, "drop", "--party", str(party_of(cpo)))] == ["dropped"]
            assert await said(hub, "list") == []

"""Which parts a process may have on which engines."""

from __future__ import annotations

import pytest

from hub.engine_url import EngineUrl
from hub.processes.parts import ARCHIVE, EDGE, SERVE, WORKER, CannotServe, Parts, check
from hub.settings import Settings

KAFKA, MONGO = EngineUrl("kafka://h:9092"), EngineUrl("mongodb://h/hub")


def settings(*engines: EngineUrl) -> Settings:
    embedded = EngineUrl("embedded")
    return Settings(log=KAFKA if KAFKA in engines else embedded, store=MONGO if MONGO in engines else embedded)


@pytest.mark.parametrize("engines", [(), (KAFKA,), (MONGO,), (KAFKA, MONGO)])
def test_serve_in_one_process_runs_on_any_engines(engines: tuple[EngineUrl, ...]) -> None:
    check(SERVE, settings(*engines))


@pytest.mark.parametrize(("parts", "processes"), [(EDGE, 1), (WORKER, 1), (ARCHIVE, 1), (SERVE, 2), (EDGE, 3)])
def test_one_of_several_processes_needs_both_servers_and_says_what_to_set(parts: Parts, processes: int) -> None:
    check(parts, settings(KAFKA, MONGO), processes=processes)
    for engines, said in (
        ((), "set HUB_LOG=kafka://host:port and HUB_STORE=mongodb://host:port/name."),
        ((KAFKA,), "set HUB_STORE=mongodb://host:port/name."),
        ((MONGO,), "set HUB_LOG=kafka://host:port."),
    ):
        with pytest.raises(CannotServe) as caught:
            check(parts, settings(*engines), processes=processes)
        assert said in str(caught.value) and f"ocpi-hub {parts.command}`" in str(caught.value)

"""What `ocpi-hub serve`, `edge` and `worker` run: one process, or a supervisor and the processes it starts."""

from __future__ import annotations

import asyncio
import gc
import os
import sys

import structlog
import uvloop

from hub.logging import configure
from hub.processes.member import hold_name
from hub.processes.open_files import raise_open_files
from hub.processes.parts import CannotServe, Parts, check
from hub.processes.place import Place
from hub.settings import Settings


def run(settings: Settings, parts: Parts, processes: int | None = None) -> int:
    """The exit code. `processes`: so many, under a supervisor; None: this one alone."""
    configure(level=settings.logging_level, style=settings.logging_format)
    raise_open_files()
    try:
        check(parts, settings, processes=processes or 1)
        place = Place.found(os.environ)
        if place is not None:
            structlog.contextvars.bind_contextvars(process=place.number)
            _serve(settings, parts, place)
            return 0
        held = hold_name(settings) if parts.worker else None
        if processes is None or settings.log.embedded or settings.store.embedded:
            _serve(settings, parts)
        else:
            _supervise(settings, parts, processes, held)
    except CannotServe as reason:
        print(f"ocpi-hub: {reason}", file=sys.stderr)
        return 1
    return 0


def _serve(settings: Settings, parts: Parts, place: Place | None = None) -> None:
    gc.disable()  # what is imported is there to stay, so nothing is found by looking through it meanwhile
    from hub.processes.serving import serve  # noqa: PLC0415 - a supervisor does without its weight

    gc.enable()
    uvloop.run(serve(settings, parts, place))


def _supervise(settings: Settings, parts: Parts, processes: int, held: int | None) -> None:
    from hub.processes.supervisor import Supervisor  # noqa: PLC0415 - and a process alone without this

    asyncio.run(Supervisor(settings, parts, processes, held=held).run())

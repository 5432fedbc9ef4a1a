"""`ocpi-hub doctor`: looks at everything that a hub needs, and says what to do about what is wrong."""

from __future__ import annotations

import logging
from dataclasses import asdict

import typer

from hub.cli import output
from hub.cli.listing import Json


def doctor(json: Json = False) -> None:
    """Check settings, engines, topics, keys, clocks, the running hub and its public URL; exit code 1 if one is wrong.

    Changes nothing: what is missing is said, and what to do about it.
    """
    import asyncio  # noqa: PLC0415 - the other commands start without it

    from hub.doctor.examine import examine, healthy  # noqa: PLC0415 - as above

    logging.getLogger("aiokafka").addHandler(logging.NullHandler())  # one sentence is enough
    found = asyncio.run(examine())
    if json:
        output.as_json({"healthy": healthy(found), "findings": [asdict(one) for one in found]})
    else:
        for one in found:
            output.line(f"{one.state:<9}{one.what:<14}{one.found}")
            if one.do:
                output.line(f"{'':<23}-> {one.do}")
    if not healthy(found):
        raise typer.Exit(1)

"""Which parts a process has, and whether its engines allow that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hub.settings import Settings


class CannotServe(Exception):
    """Why the hub does not start, or cannot go on: a sentence with the way out."""


@dataclass(frozen=True, slots=True)
class Parts:
    """`command` is the word on the command line; `edge` takes calls, `worker` sends what the log has, `archive` keeps
    what passed to be found."""

    command: str
    edge: bool
    worker: bool
    archive: bool


SERVE: Final = Parts("serve", edge=True, worker=True, archive=True)
EDGE: Final = Parts("edge", edge=True, worker=False, archive=False)
WORKER: Final = Parts("worker", edge=False, worker=True, archive=False)
ARCHIVE: Final = Parts("archive", edge=False, worker=False, archive=True)


def check(parts: Parts, settings: Settings, *, processes: int = 1) -> None:
    """The embedded engines serve one process that is both edge and worker. Raises CannotServe for anything else."""
    if processes == 1 and parts.edge and parts.worker:
        return
    missing = []
    if settings.log.embedded:
        missing.append("HUB_LOG=kafka://host:port")
    if settings.store.embedded:
        missing.append("HUB_STORE=mongodb://host:port/name")
    if not missing:
        return
    what = f"`ocpi-hub {parts.command}`" + (f" with --processes {processes}" if processes > 1 else "")
    raise CannotServe(
        f"{what} is one of several processes, which share Kafka and MongoDB: set {' and '.join(missing)}. "
        "On the embedded engine `ocpi-hub serve` is the whole hub in one process"
    )

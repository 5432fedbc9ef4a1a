"""The name of a worker in its group, held on this machine: no other process has it before its last one has ended.

Kafka takes a second member of the same name for the first one, come back; so a process that still runs would be thrown
out, and two of them would do so to one another in turns.
"""

from __future__ import annotations

import fcntl
import os
import time
from hashlib import sha256
from pathlib import Path
from typing import Final

import structlog

from hub.processes.folder import run_root
from hub.processes.parts import CannotServe
from hub.settings import Settings

log = structlog.get_logger(__name__)

LOOK_SECONDS: Final = 0.1
SAY_SECONDS: Final = 3.0


def hold_name(settings: Settings, root: Path | None = None) -> int | None:
    """A descriptor that holds `HUB_MEMBER` until every process that inherits it has ended; None without a name.

    Waits for former processes to end, for `HUB_START_SECONDS` at most. Raises CannotServe.
    """
    if not settings.member or settings.log.embedded:
        return None
    group = sha256(f"{settings.log.get_secret_value()}\n{settings.member}".encode()).hexdigest()[:16]
    path = (root or run_root()) / f"ocpi-hub-{os.getuid()}-member-{group}"
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise CannotServe(f"{path}, which holds HUB_MEMBER, cannot be made: {error.strerror}") from error
    until = time.monotonic() + settings.start_seconds
    say = time.monotonic() + SAY_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            now = time.monotonic()
            if now >= until:
                os.close(lock)
                raise CannotServe(
                    f"another process on this machine is the member {settings.member!r} already: "
                    "end it, or set HUB_MEMBER to another name"
                ) from None
            if now >= say:
                say = now + SAY_SECONDS
                log.warning("waiting_at_start", waits_for=f"the former process of HUB_MEMBER {settings.member}")
            time.sleep(LOOK_SECONDS)
        else:
            return lock

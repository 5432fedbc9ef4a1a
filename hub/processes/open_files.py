"""How many files and connections a process may have open: as many as the system lets it."""

from __future__ import annotations

import resource


def raise_open_files() -> int:
    """Raise the limit to the hard one, without which a thousand callers use it up; what it is then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError):  # some systems name a hard limit that they do not allow
        return soft
    return hard

"""A port that cannot be listened on, said with the way out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from hub.processes.parts import CannotServe


@contextmanager
def listening(variable: str, host: str, port: int) -> Iterator[None]:
    """Turns the OSError of listening into CannotServe; `variable` is the setting of the port."""
    try:
        yield
    except OSError as error:
        raise CannotServe(
            f"{host}:{port} cannot be listened on ({os.strerror(error.errno or 0)}): "
            f"end what uses it, or set {variable} to another port"
        ) from error

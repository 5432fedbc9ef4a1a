"""The settings of a demo: those of this environment, and where it says nothing, what suits one machine."""

from __future__ import annotations

import os
import socket
from collections.abc import MutableMapping
from typing import Self

from hub.demo.folder import demo_folder
from hub.settings import Settings, load_or_exit

LOOPBACK = "127.0.0.0/8,::1/128"
_NEXT_PORTS = 10


class PortTaken(Exception):
    """A port that the demo needs cannot be listened on; the sentence says which, why, and the way out."""


def prepare(environment: MutableMapping[str, str] = os.environ) -> Settings:
    """The demo's settings, also put into `environment`, where the hub finds them. Exits with 2 for wrong ones."""

    def default(name: str, value: str) -> None:
        if not environment.get(name):
            environment[name] = value

    settings = load_or_exit()
    for name, port in (("HUB_PORT", settings.port), ("HUB_OPERATOR_PORT", settings.operator_port)):
        environment[name] = str(port or _any_port())
    default("HUB_ALLOW_NETWORKS", LOOPBACK)
    default("HUB_PUBLIC_URL", f"http://localhost:{environment['HUB_PORT']}")
    default("HUB_DATA", str(demo_folder(int(environment["HUB_OPERATOR_PORT"]))))
    environment.pop("HUB_OPERATOR_URL", None)  # the hub that this demo starts is meant
    environment["HUB_LOGGING_FORMAT"] = "json"  # what the demo reads warnings from
    return load_or_exit()


def check_ports(settings: Settings, *, command: str) -> None:
    """Whether both ports can be listened on. Raises PortTaken; `command` is what is typed to try again."""
    wanted = (
        ("HUB_PORT", settings.host, settings.port),
        ("HUB_OPERATOR_PORT", settings.operator_host, settings.operator_port),
    )
    with _Held() as held:
        troubles = [(name, host, port, why) for name, host, port in wanted if (why := held.take(host, port))]
        if not troubles:
            return
        sentences = "; ".join(f"port {port} on {host} cannot be used ({why})" for _, host, port, why in troubles)
        others = " ".join(f"{name}={held.free(host, port + _NEXT_PORTS)}" for name, host, port, _ in troubles)
    raise PortTaken(f"{sentences}. End what uses it, or take another: {others} {command}")


class _Held:
    """Listens on ports for a moment, to find out whether it can."""

    def __init__(self) -> None:
        self._sockets: list[socket.socket] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for one in self._sockets:
            one.close()

    def take(self, host: str, port: int) -> str | None:
        """Why it cannot be listened on there, None where it can."""
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            one = socket.socket(family, kind, protocol)
            self._sockets.append(one)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.bind(address)
            one.listen(1)
        except OSError as wrong:
            return (wrong.strerror or str(wrong)).lower()
        return None

    def free(self, host: str, port: int) -> int:
        """The first port from this one on that can be listened on there; this one where none can."""
        return next((one for one in range(port, min(port + 200, 65536)) if self.take(host, one) is None), port)


def _any_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])

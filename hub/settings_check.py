"""Whether the environment makes the hub that is meant: what keeps it from starting, and what somebody may be sorry for.

Nothing is reached for it: no engine, no file, no network (`ocpi-hub doctor` does that).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from hub.keys import Keys, KeysError
from hub.settings import PREFIX, Settings, SettingsError, described, load

_NOT_SETTINGS: Final = ("HUB_TEST_",)
_LOCAL: Final = frozenset(("localhost", "ip6-localhost"))


@dataclass(frozen=True, slots=True)
class Judged:
    """`wrong` keeps a hub from starting or from doing what was meant, `warnings` do not; a sentence each."""

    wrong: tuple[str, ...]
    warnings: tuple[str, ...] = ()


def judge(environment: Mapping[str, str]) -> Judged:
    """What is wrong with these variables; `load` reads those of this process, so they must be the same."""
    misspelt, unknown = _no_settings(environment)
    try:
        settings = load()
    except SettingsError as error:
        return Judged((*error.sentences, *misspelt), tuple(unknown))
    return Judged((*_wrong(settings), *misspelt), (*unknown, *_warnings(settings)))


def _no_settings(environment: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """Variables that are named almost like a setting, and those that are only named like settings."""
    names = [one.name for one in described()]
    misspelt, unknown = [], []
    for given in sorted(environment):
        name = given.upper()
        if not name.startswith(PREFIX) or name in names or name.startswith(_NOT_SETTINGS):
            continue
        if close := get_close_matches(name, names, n=1, cutoff=0.8):
            misspelt.append(f"{given} is no setting, so it does nothing: {close[0]} is meant, it seems.")
        else:
            unknown.append(f"{given} is no setting, so it does nothing; `ocpi-hub settings` shows those that are.")
    return misspelt, unknown


def _wrong(settings: Settings) -> Iterator[str]:
    if settings.keys is not None:
        try:
            Keys.parse(settings.keys.get_secret_value())
        except KeysError as error:
            yield f"{error}."
    if settings.port and (settings.port, settings.host) == (settings.operator_port, settings.operator_host):
        yield f"HUB_PORT and HUB_OPERATOR_PORT are both {settings.port} on {settings.host}: give them different ones."


def _warnings(settings: Settings) -> Iterator[str]:
    yield from _of_the_url(settings)
    if settings.log.embedded != settings.store.embedded:
        shared, own = ("HUB_STORE", "HUB_LOG") if settings.log.embedded else ("HUB_LOG", "HUB_STORE")
        yield f"{shared} is shared and {own} is embedded: only one process can be this hub; set {own} too for several."
    if not settings.log.embedded and not settings.store.embedded:
        for name, value in (("HUB_KEYS", settings.keys), ("HUB_OPERATOR_KEY", settings.operator_key)):
            if value is None:
                yield (
                    f"{name} is not set, so it is made in HUB_DATA ({settings.data_folder}): "
                    "processes on other machines need the same, set it for all of them."
                )
    if settings.platform_inflight_bytes > settings.max_inflight_bytes:
        yield "HUB_PLATFORM_INFLIGHT_BYTES is more than HUB_MAX_INFLIGHT_BYTES: one platform can take all of it."
    largest = min(settings.platform_inflight_bytes, settings.max_inflight_bytes)
    bodies = (("HUB_MAX_BODY_BYTES", settings.max_body_bytes), ("HUB_MAX_ANSWER_BYTES", settings.max_answer_bytes))
    for name, size in bodies:
        if size > largest:
            yield f"{name} is {size} bytes, and only {largest} may be in flight: what is larger is always 429."


def _of_the_url(settings: Settings) -> Iterator[str]:
    parts = urlsplit(settings.public_url)
    host = parts.hostname or ""
    if _is_local(host):
        port = parts.port or (443 if parts.scheme == "https" else 80)
        if settings.port and port != settings.port:
            yield (
                f"HUB_PUBLIC_URL is {settings.public_url} and HUB_PORT is {settings.port}: "
                f"unless something passes port {port} on, parties will not find the hub."
            )
        else:
            yield f"HUB_PUBLIC_URL is {settings.public_url}: only parties on this machine will find the hub."
    elif parts.scheme == "http":
        yield (
            f"HUB_PUBLIC_URL is {settings.public_url}, without TLS: credentials cross the network readable; "
            "put a proxy with a certificate in front, and write https."
        )


def _is_local(host: str) -> bool:
    if host in _LOCAL or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False

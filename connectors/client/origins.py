"""Origins of URLs that parties give: who is spoken to, apart from what is asked for.

Only what every parser reads the same way passes: printable ASCII, http or https, a plain host and port. So the
origin that was judged here is the one that is connected to later.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final

from connectors.errors import InvalidParameters

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_URL: Final = re.compile(r"([A-Za-z]+)://([^/?#]*)([^#]*)")
_AUTHORITY: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?")
_USER_INFO: Final = re.compile(r"//[^/?#]*@")
_LABEL: Final = re.compile(r"[A-Za-z0-9_-]{1,63}")
_NUMBER: Final = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")


def origin_of(url: str) -> str:
    """The origin of a URL as `scheme://host:port`: lower case, the port always written.

    Raises InvalidParameters, saying what to mend, for anything but an absolute http or https URL without user info
    and fragment, in printable ASCII, whose host is a name or an address in its usual spelling.
    """
    if not url.isascii() or not url.isprintable() or " " in url:
        raise InvalidParameters(
            f"URL {_shown(url)} has characters that must be percent-encoded (or a host in punycode)"
        )
    parts = _URL.fullmatch(url)
    if parts is None:
        raise InvalidParameters(f"URL {_shown(url)} is not scheme://host/path without a fragment (write # as %23)")
    return _normal(parts[1], parts[2])


def known(url: str, origins: Collection[str]) -> bool:
    """Whether a URL's origin is one of `origins` (each as origin_of gives it); raises InvalidParameters like it."""
    return origin_of(url) in origins


@lru_cache(maxsize=4096)
def _normal(scheme: str, authority: str) -> str:
    scheme = scheme.lower()
    shown = _shown(f"{scheme}://{authority}")
    if scheme not in _DEFAULT_PORTS:
        raise InvalidParameters(f"URL {shown}...: the scheme must be https (http only inside HUB_ALLOW_NETWORKS)")
    if "@" in authority:
        raise InvalidParameters(f"URL {shown}...: user info before the host is not allowed; remove it up to the @")
    if not authority:
        raise InvalidParameters(f"URL {shown}...: the host lacks")
    parts = _AUTHORITY.fullmatch(authority)
    if parts is None:
        raise InvalidParameters(f"URL {shown}...: the host and port are not a name or address and a number")
    port = _DEFAULT_PORTS[scheme] if parts[2] is None else int(parts[2])
    if not 0 < port < 65536:
        raise InvalidParameters(f"URL {shown}...: the port is not one of 1 to 65535")
    return f"{scheme}://{_host(parts[1], shown)}:{port}"


def _host(host: str, shown: str) -> str:
    if host.startswith("["):
        try:
            return f"[{IPv6Address(host[1:-1])}]"
        except AddressValueError:
            raise InvalidParameters(f"URL {shown}...: the host is not an IPv6 address") from None
    labels = host.removesuffix(".").split(".")
    if len(host) > 253 or not all(map(_LABEL.fullmatch, labels)):
        raise InvalidParameters(f"URL {shown}...: the host is not a name: labels of 1 to 63 characters, 253 in all")
    if _NUMBER.fullmatch(labels[-1]):
        # 2130706433, 0x7f.1 and 127.1 all reach 127.0.0.1 through the C library: one spelling only.
        try:
            return str(IPv4Address(host))
        except AddressValueError:
            raise InvalidParameters(f"URL {shown}...: write the IPv4 address as four decimal numbers") from None
    return host.lower()


def _shown(url: str) -> str:
    plain = _USER_INFO.sub("//", url)
    return ascii(plain if len(plain) <= 120 else plain[:120] + "...")

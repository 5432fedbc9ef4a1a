"""The judgement of addresses: no way inside (promise 12). Pure: knows addresses and schemes, no sockets, no DNS."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

_GLOBAL_UNICAST: Final = IPv6Network("2000::/3")
_NAT64: Final = IPv6Network("64:ff9b::/96")
# What ipaddress of some Python releases takes for global although the IANA registries do not.
_NOT_GLOBAL: Final[tuple[IPv4Network | IPv6Network, ...]] = (
    IPv4Network("192.0.0.0/24"),
    IPv4Network("192.88.99.0/24"),
    IPv6Network("3fff::/20"),
)


class Guard:
    """Says which addresses may be connected to.

    Inside `allow_networks` http and private addresses are fine. Outside only https to globally routable addresses.
    An IPv6 address that stands for an IPv4 one (mapped, NAT64, 6to4) is judged as that one too.
    """

    __slots__ = ("_networks",)

    def __init__(self, allow_networks: Sequence[IPv4Network | IPv6Network] = ()) -> None:
        self._networks = tuple(allow_networks)

    def refusal(self, address: str, scheme: str) -> str | None:
        """Why `address` (numeric, as connected to) may not be spoken to by `scheme`, as a clause; None if it may."""
        try:
            plain = ip_address(address)
        except ValueError:
            return "not an address"
        target = _target(plain)
        if any(plain in network or target in network for network in self._networks):
            return None
        kind = _kind(target)
        if kind is not None:
            return f"{kind} and not inside HUB_ALLOW_NETWORKS"
        if scheme != "https":
            return "outside HUB_ALLOW_NETWORKS, where only https is allowed"
        return None


def _target(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    if isinstance(address, IPv6Address):
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFFFFFF)
        return address.ipv4_mapped or address.sixtofour or address
    return address


def _kind(address: IPv4Address | IPv6Address) -> str | None:
    kinds = (
        ("the unspecified address", address.is_unspecified),
        ("a loopback address", address.is_loopback),
        ("a link-local address", address.is_link_local),
        ("a multicast address", address.is_multicast),
        ("a private address", address.is_private),
        ("a reserved address", address.is_reserved or any(address in network for network in _NOT_GLOBAL)),
        ("not a globally routable address", not address.is_global),
        ("not a global unicast address", address.version == 6 and address not in _GLOBAL_UNICAST),
    )
    return next((kind for kind, holds in kinds if holds), None)

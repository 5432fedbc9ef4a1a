"""P12, the pure part: which addresses may be connected to."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.client.guard import Guard

PUBLIC = ["93.184.216.34", "8.8.8.8", "2606:2800:220:1:248:1893:25c8:1946", "::ffff:8.8.8.8", "64:ff9b::808:808"]
FORBIDDEN = [
    "127.0.0.1",
    "127.1.2.3",
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "100.100.100.200",
    "169.254.169.254",
    "192.0.0.8",
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.1",
    "203.0.113.5",
    "224.0.0.1",
    "239.1.2.3",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::10.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:0:10.0.0.1",
    "64:ff9b::a00:1",
    "64:ff9b:1::1",
    "2002:a00:1::1",
    "2002:7f00:1::",
    "2001:0:a00::1",
    "2001:db8::1",
    "3fff::1",
    "5f00::1",
    "100::1",
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
    "localhost",
    "2130706433",
    "",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_p12_outside_only_https(address: str) -> None:
    guard = Guard([ip_network("10.0.0.0/8")])
    assert guard.refusal(address, "https") is None
    assert "only https" in (guard.refusal(address, "http") or "")


@pytest.mark.parametrize("address", FORBIDDEN)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_p12_nothing_that_is_not_global(address: str, scheme: str) -> None:
    assert Guard().refusal(address, scheme) is not None


def test_p12_inside_allowed_networks_both_schemes_in_any_spelling() -> None:
    guard = Guard([ip_network("10.1.0.0/16"), ip_network("fd00::/8"), ip_network("127.0.0.1/32")])
    for address in ("10.1.2.3", "::ffff:10.1.2.3", "fd00::5", "127.0.0.1"):
        assert guard.refusal(address, "http") is None
        assert guard.refusal(address, "https") is None
    for address in ("10.2.0.1", "::ffff:10.2.0.1", "127.0.0.2", "::1", "fe80::5"):
        assert guard.refusal(address, "https") is not None


@given(st.integers(0, 2**32 - 1))
def test_p12_an_address_in_ipv6_clothes_is_judged_as_itself(number: int) -> None:
    guard, plain = Guard([ip_network("192.168.7.0/24")]), IPv4Address(number)
    for clothes in (0xFFFF << 32, 0x64FF9B << 96):
        dressed = str(IPv6Address(clothes | number))
        assert guard.refusal(dressed, "https") == guard.refusal(str(plain), "https")


@given(st.integers(0, 2**128 - 1).map(IPv6Address) | st.integers(0, 2**32 - 1).map(IPv4Address))
def test_p12_what_may_be_reached_is_global(address: IPv6Address | IPv4Address) -> None:
    if Guard().refusal(str(address), "https") is None:
        assert address.is_global
        assert not address.is_multicast
    assert Guard().refusal(str(address), "http") is not None

"""Which addresses a machine on the internet cannot dial."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leitstand.core.reach import (
    LOOPBACK,
    PLAIN_HTTP,
    PRIVATE,
    RULES,
    UNRESOLVABLE,
    unreachable,
    unreachable_nearby,
)

URL = "https://leitstand.example:8443"


@pytest.mark.parametrize(
    ("addresses", "rule"),
    [
        ((), UNRESOLVABLE),
        (("127.0.0.1",), LOOPBACK),
        (("::1",), LOOPBACK),
        (("0.0.0.0",), LOOPBACK),
        (("::",), LOOPBACK),
        (("::ffff:127.0.0.1",), LOOPBACK),
        (("10.1.2.3",), PRIVATE),
        (("172.16.0.1",), PRIVATE),
        (("192.168.1.10",), PRIVATE),
        (("127.0.1.1", "192.168.1.10"), PRIVATE),
        (("100.64.0.7",), PRIVATE),
        (("169.254.1.1",), PRIVATE),
        (("fe80::1%eth0",), PRIVATE),
        (("fd00::7",), PRIVATE),
        (("::ffff:10.0.0.1",), PRIVATE),
        (("224.0.0.1",), PRIVATE),
        (("ff02::1",), PRIVATE),
        (("192.0.2.1",), PRIVATE),
        (("93.184.216.34",), None),
        (("2606:2800:220:1::1",), None),
        (("::ffff:93.184.216.34",), None),
        (("10.0.0.1", "93.184.216.34"), None),
    ],
)
def test_what_a_name_resolves_to_decides(addresses: tuple[str, ...], rule: str | None) -> None:
    assert unreachable(URL, addresses) == rule


@pytest.mark.parametrize(
    ("addresses", "rule"),
    [
        ((), UNRESOLVABLE),
        (("127.0.0.1",), LOOPBACK),
        (("192.168.1.10",), None),
        (("127.0.1.1", "192.168.1.10"), None),
        (("93.184.216.34",), None),
    ],
)
def test_the_own_network_reaches_private_addresses_too(
    addresses: tuple[str, ...], rule: str | None
) -> None:
    assert unreachable_nearby(URL, addresses) == rule


@pytest.mark.parametrize("url", ["http://leitstand.example", "leitstand.example:8443", ""])
def test_nothing_but_https_is_dialled(url: str) -> None:
    assert unreachable(url, ("93.184.216.34",)) == PLAIN_HTTP


@given(st.lists(st.ip_addresses().map(str), max_size=4))
def test_every_address_has_a_verdict_and_order_does_not_matter(addresses: list[str]) -> None:
    verdict = unreachable(URL, addresses)
    assert verdict is None or verdict in RULES
    assert unreachable(URL, addresses[::-1]) == verdict
    assert unreachable(URL, [*addresses, "93.184.216.34"]) is None

"""The rules of a machine that only works, as one file for nftables: it dials the control plane and
nothing else, and nobody dials it.

For virtual machines and own hosts whose administrator is root; an unprivileged container may load
no rules (docs/security.md §7).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

WORKER_UID = 10001
"""Of whoever works. From 1000 on nobody may ask a name server: names can carry data away."""
_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class Way:
    """A place that may be dialled: what it is called, where it is, and at which port."""

    host: str
    addresses: tuple[str, ...]
    port: int
    protocol: Literal["tcp", "udp"] = "tcp"


def way(url: str, addresses: Sequence[str]) -> Way:
    """The way to an origin, whose name leads to these addresses. Raises ValueError where there is
    none."""
    parts = urlsplit(url)
    if not parts.hostname or parts.scheme not in _PORTS or not addresses:
        raise ValueError(f"there is no way to {url}")
    return Way(parts.hostname, tuple(addresses), parts.port or _PORTS[parts.scheme])


def nftables(ways: Sequence[Way], admins: Iterable[str] = ()) -> str:
    """For `nft -f`, which takes all of it or nothing. `admins`: networks that may come in by SSH.

    It replaces its own table and touches no other. Beside the ways stay open: addresses (DHCP,
    neighbours), and the security updates of Debian and Ubuntu, which `_apt` fetches; system users
    may ask for names. What is refused is counted: `nft list counters table inet leitstand`.

    Raises ValueError on what is no address.
    """
    found = [
        (ipaddress.ip_address(at), one.protocol, one.port) for one in ways for at in one.addresses
    ]
    names = [f"#   {at} {one.host}" for one in ways for at in one.addresses if at != one.host]
    networks = [ipaddress.ip_network(text) for text in admins]
    sets = []
    for version in (4, 6):
        open_to = [f"{at} . {how} . {port}" for at, how, port in found if at.version == version]
        let_in = [str(network) for network in networks if network.version == version]
        sets += [
            _set(f"ways{version}", f"ipv{version}_addr . inet_proto . inet_service", "", open_to),
            _set(f"admins{version}", f"ipv{version}_addr", "flags interval; auto-merge; ", let_in),
        ]
    return _RULES.replace("SETS", "\n".join(sets)).replace("NAMES", "\n".join(names))


def hosts(ways: Iterable[Way]) -> str:
    """`/etc/hosts` of a machine that asks nobody for names."""
    lines = ["127.0.0.1 localhost", "::1 localhost"]
    lines += [f"{at} {one.host}" for one in ways for at in one.addresses if at != one.host]
    return "\n".join(lines) + "\n"


def _set(name: str, kind: str, flags: str, elements: Iterable[str]) -> str:
    listed = ", ".join(sorted(set(elements)))
    filled = f"elements = {{ {listed} }}; " if listed else ""
    return f"    set {name} {{ type {kind}; {flags}{filled}}}"


_RULES = """#!/usr/sbin/nft -f
# A machine that works for Leitstand: it dials what stands in ways4 and ways6, nobody dials it.
# Its worker may ask nobody for names; these belong into /etc/hosts:
NAMES

table inet leitstand
delete table inet leitstand

table inet leitstand {
SETS

    counter refused_in { }
    counter refused_out { }
    counter refused_through { }

    chain in {
        type filter hook input priority filter; policy drop;
        ct state established,related accept
        iif lo accept
        ip6 hoplimit 255 icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert } accept
        udp sport 67 udp dport 68 accept
        ip6 saddr fe80::/10 udp sport 547 udp dport 546 accept
        ip saddr @admins4 tcp dport 22 accept
        ip6 saddr @admins6 tcp dport 22 accept
        counter name refused_in
    }

    chain out {
        type filter hook output priority filter; policy drop;
        ct state established,related accept
        oif lo meta skuid >= 1000 meta l4proto { tcp, udp } th dport 53 goto refuse_out
        oif lo accept
        ip daddr . meta l4proto . th dport @ways4 accept
        ip6 daddr . meta l4proto . th dport @ways6 accept
        icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit } accept
        udp sport 68 udp dport 67 accept
        ip6 daddr { fe80::/10, ff02::1:2 } udp sport 546 udp dport 547 accept
        meta skuid < 1000 meta l4proto { tcp, udp } th dport 53 accept
        meta skuid "_apt" tcp dport { 80, 443 } accept
        goto refuse_out
    }

    chain refuse_out {
        counter name refused_out
        reject with icmpx admin-prohibited
    }

    chain through {
        type filter hook forward priority filter; policy drop;
        ct state established,related accept
        ip daddr . meta l4proto . th dport @ways4 accept
        ip6 daddr . meta l4proto . th dport @ways6 accept
        counter name refused_through
    }
}
"""

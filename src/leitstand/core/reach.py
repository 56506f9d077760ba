"""Whether a machine elsewhere can dial the control plane, as far as an address can tell."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from urllib.parse import urlsplit

LOOPBACK = "address-loopback"
PRIVATE = "address-private"
UNRESOLVABLE = "address-unresolvable"
PLAIN_HTTP = "address-http"
RULES = (LOOPBACK, PRIVATE, UNRESOLVABLE, PLAIN_HTTP)


def unreachable(url: str, addresses: Sequence[str]) -> str | None:
    """The rule that `url` fails for a machine on the internet; None where nothing speaks against it.

    `addresses` is what its name resolves to. One public address is enough: whoever dials tries them
    all. That a port is open shows only when somebody dials it; admission measures the route.
    """
    parts = urlsplit(url)
    if parts.scheme != "https":
        return PLAIN_HTTP
    found = [_address(text) for text in addresses]
    if not parts.hostname or not found:
        return UNRESOLVABLE
    if any(one.is_global and not one.is_multicast for one in found):
        return None
    here = all(one.is_loopback or one.is_unspecified for one in found)
    return LOOPBACK if here else PRIVATE


def unreachable_nearby(url: str, addresses: Sequence[str]) -> str | None:
    """The same for another machine of the same network, which reaches private addresses too."""
    rule = unreachable(url, addresses)
    return None if rule == PRIVATE else rule


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """An IPv4 address in the clothes of IPv6 (RFC 4291 §2.5.5.2) counts as what it is."""
    found = ipaddress.ip_address(text.partition("%")[0])
    return getattr(found, "ipv4_mapped", None) or found

"""Which addresses are public: the IANA special-purpose registries as data.

The tables are written out because ``ipaddress.is_global`` changes with the Python release and calls
NAT64, 6to4, IPv4-compatible, site-local and multicast addresses global.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# RFC 6890 and the IANA IPv4 Special-Purpose Address Registry.
_IPV4_SPECIAL = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",  # this network
            "10.0.0.0/8",  # private, RFC 1918
            "100.64.0.0/10",  # carrier-grade NAT, RFC 6598
            "127.0.0.0/8",  # loopback
            "169.254.0.0/16",  # link-local; cloud metadata lives here
            "172.16.0.0/12",  # private, RFC 1918
            "192.0.0.0/24",  # IETF protocol assignments
            "192.0.2.0/24",  # documentation
            "192.88.99.0/24",  # 6to4 relays, RFC 7526
            "192.168.0.0/16",  # private, RFC 1918
            "198.18.0.0/15",  # benchmarks, RFC 2544
            "198.51.100.0/24",  # documentation
            "203.0.113.0/24",  # documentation
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",  # reserved and broadcast
        ),
    )
)

# RFC 4291 §2.4: what is global unicast today. Everything outside it is refused, which covers
# loopback, NAT64 (64:ff9b::/96), IPv4-compatible, unique-local, link-local, site-local, multicast.
_IPV6_GLOBAL_UNICAST = IPv6Network("2000::/3")
_IPV6_SPECIAL = tuple(
    map(
        IPv6Network,
        (
            "2001::/23",  # IETF protocol assignments, Teredo among them
            "2001:db8::/32",  # documentation
            "2002::/16",  # 6to4: an IPv4 address in disguise
            "3fff::/20",  # documentation, RFC 9637
        ),
    )
)


def parse_address(text: str) -> Address | None:
    """Return the address in its plainest form, or None if it is none or has a zone (RFC 4007).

    An IPv4-mapped IPv6 address (RFC 4291 §2.5.5.2) becomes the IPv4 address that it reaches.
    """
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv4Address):
        return address
    return None if address.scope_id is not None else address.ipv4_mapped or address


def is_public(address: Address) -> bool:
    """Tell whether an address, as ``parse_address`` gives it, is a public unicast one."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _IPV4_SPECIAL)
    return address in _IPV6_GLOBAL_UNICAST and not any(
        address in network for network in _IPV6_SPECIAL
    )

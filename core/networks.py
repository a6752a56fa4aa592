"""Which network addresses are public, said once: for the one way out, and for the jail, which imports nothing else."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

# Written out, because `ipaddress.is_global` changes its mind between Python releases. The last one is Azure's metadata
# and DNS service: https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16
# https://www.iana.org/assignments/iana-ipv4-special-registry  https://www.iana.org/assignments/iana-ipv6-special-registry
SPECIAL_V4 = """
0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 192.31.196.0/24
192.52.193.0/24 192.88.99.0/24 192.168.0.0/16 192.175.48.0/24 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4
240.0.0.0/4 168.63.129.16/32
"""
CLOSED_V4 = [IPv4Network(block) for block in SPECIAL_V4.split()]
OPEN_V6 = IPv6Network("2000::/3")
# 2001::/23 holds Teredo, benchmarking and ORCHID; 2002::/16 is 6to4, which carries an IPv4 address of anyone's choice.
CLOSED_V6 = [IPv6Network(b) for b in ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")]
NAT64 = IPv6Network("64:ff9b::/96")


def is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv4Address):
        return not any(address in block for block in CLOSED_V4)
    if address in NAT64:
        return is_public(IPv4Address(int(address) & 0xFFFFFFFF))
    return address in OPEN_V6 and not any(address in block for block in CLOSED_V6)

"""Where a program is reached, for IPv4 and IPv6 alike: sockets to serve on, and addresses as URLs spell them."""

import socket


def authority(host: str, port: int | str) -> str:
    """Host and port as in a URL.

    >>> authority("10.0.0.1", 443), authority("fd00::1", 443), authority("kubernetes", "443")
    ('10.0.0.1:443', '[fd00::1]:443', 'kubernetes:443')
    """
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens there; without a host on every address of both families, as far as the machine has them.

    Raises OSError.
    """
    if not host:
        both = socket.has_dualstack_ipv6()
        family = socket.AF_INET6 if both else socket.AF_INET
        return socket.create_server(("", port), family=family, dualstack_ipv6=both)
    family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    return socket.create_server((host, port), family=family)

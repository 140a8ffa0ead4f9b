"""Finds the process that serves a port of this machine."""

from __future__ import annotations

import ipaddress
import os
import socket
import time

import psutil

_PROXIES = {"docker-proxy", "rootlessport"}
"""They listen for a server in a container, whose own process is not to be found by the port."""

_LOOKS = 5
"""A process that a server is about to start has the server's sockets for a moment, and may be gone at the next one; and
the system's table of sockets changes while it is read, so that one of them may be missed."""
_PAUSE_SECONDS = 0.05
"""Between two looks: what made the one fail, such as a burst of connections, is over at the next."""

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def find_server(host: str, port: int) -> int | None:
    """The id of the process to watch: with those below it, the server at a TCP port of this machine.

    Where the listening process is one of several that a parent has started, as a front beside its workers, it is that
    parent: the highest process above the listener in the listener's process group, but none that this process, too,
    was started by.

    None if the host is not this machine, or who listens is not to be seen: another user's process, or a container's.
    """
    wanted = _own_addresses(host)
    for look in range(_LOOKS if wanted else 0):
        if look:
            time.sleep(_PAUSE_SECONDS)
        try:
            found = _watchable(wanted, port)
        except (psutil.NoSuchProcess, ProcessLookupError):
            continue
        except psutil.Error:
            return None
        if found is not None:
            return found
    return None


def is_this_machine(host: str) -> bool:
    """Whether one of the host's addresses is this machine's."""
    return bool(_own_addresses(host))


def _watchable(wanted: set[_Address], port: int) -> int | None:
    listening: list[tuple[bool, int | None]] = []
    for connection in psutil.net_connections("tcp"):
        if connection.status == psutil.CONN_LISTEN:
            text, listens_at = connection.laddr or ("", 0)
            address = _address(text)
            if listens_at == port and (address.is_unspecified or address in wanted):
                listening.append((address.is_unspecified, connection.pid))
    # Who listens at the address itself gets its connections before who listens at all.
    pids = [pid for _, pid in sorted(listening, key=lambda pair: pair[0])]
    if not pids or pids[0] is None:
        return None
    listener = psutil.Process(pids[0])
    return None if listener.name() in _PROXIES else _starter(listener).pid


def _own_addresses(host: str) -> set[_Address]:
    """Those of the host's addresses that are this machine's."""
    try:
        found = {_address(str(entry[4][0])) for entry in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    except OSError:
        return set()
    families = (socket.AF_INET, socket.AF_INET6)
    own = {
        _address(entry.address)
        for entries in psutil.net_if_addrs().values()
        for entry in entries
        if entry.family in families
    }
    return {address for address in found if address.is_loopback or address in own}


def _address(text: str) -> _Address:
    """Without the name of a network card, and of IPv4 in IPv6 that of IPv4."""
    address = ipaddress.ip_address(text.partition("%")[0])
    return getattr(address, "ipv4_mapped", None) or address


def _starter(listener: psutil.Process) -> psutil.Process:
    ours = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    group, found = os.getpgid(listener.pid), listener
    for parent in listener.parents():
        if parent.pid in ours or os.getpgid(parent.pid) != group:
            break
        found = parent
    return found

"""Which port may a test's daemon listen on? One that no other test of this machine has chosen, and that no outgoing connection is given.

A port that the system gave away once (bind to 0) is free for anybody again until the daemon listens on it: another test's daemon, or
the local end of any connection, since both come from the same range. Here the choice is held, by a name that dies with this process.
"""

from __future__ import annotations

import random
import socket
from collections import deque
from contextlib import suppress

BELOW_THE_SYSTEMS = range(20_000, 32_000)  # Linux gives connections ports from 32768 on (net.ipv4.ip_local_port_range)
HELD: deque[socket.socket] = deque()
KEPT: list[socket.socket] = []  # for as long as the process lives: a server that is stopped comes back to its port
AT_ONCE = 64  # ports that one process holds: more than any test uses, fewer than it may have files open
_CHANCE = random.Random()


def free_port() -> int:
    """A port that is this process's to use."""
    port, name = _chosen()
    HELD.append(name)
    if len(HELD) > AT_ONCE:
        HELD.popleft().close()
    return port


def kept_port() -> int:
    """A port that is this process's to use until it ends, for a server of all its tests."""
    port, name = _chosen()
    KEPT.append(name)
    return port


def _chosen() -> tuple[int, socket.socket]:
    while True:
        port = _CHANCE.choice(BELOW_THE_SYSTEMS)
        name = socket.socket(socket.AF_UNIX)
        with suppress(OSError), socket.socket() as one:
            name.bind(f"\0labmw-test-port-{port}")
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.bind(("127.0.0.1", port))
            return port, name
        name.close()

"""How is a serial port kept to ourselves? The kernel is told to let nobody else open it, beside the lock that only polite programs look at."""

from __future__ import annotations

import contextlib
import fcntl
import os
import termios
from typing import Final

_PSEUDO: Final = range(136, 144)  # majors of the far ends of pseudo-terminals (Linux: devices.txt)


def hold_alone(descriptor: int) -> None:
    """Let nobody else open this port until it is closed (TIOCEXCL; root is let in all the same).

    A pseudo-terminal is left out: it keeps the mark when it is closed, and a labmw that was killed could not open it again. A port that knows no such mark
    has the lock alone.
    """
    with contextlib.suppress(OSError):
        if os.major(os.fstat(descriptor).st_rdev) not in _PSEUDO:
            fcntl.ioctl(descriptor, termios.TIOCEXCL)

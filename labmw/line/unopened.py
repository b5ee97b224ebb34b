"""Why can a wire not be opened? From what the system says to a sentence with a remedy, in the reader's language.

What the system says is kept beside it, as it says it: it is what one searches for.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from typing import Final

from labmw.errors import LinkError, WireHeld
from labmw.phrases import say

_PORT: Final[Mapping[int, str]] = {
    errno.ENOENT: "serial-missing",
    errno.ENODEV: "serial-missing",
    errno.ENXIO: "serial-missing",
    errno.EACCES: "serial-forbidden",
    errno.EPERM: "serial-forbidden",
    errno.ENOTTY: "serial-no-port",
    errno.EISDIR: "serial-no-port",
}
_PEER: Final[Mapping[int, str]] = {errno.ECONNREFUSED: "tcp-refused"}


def serial_unopened(device: str, error: BaseException) -> LinkError:
    """A serial port that cannot be opened: missing, forbidden, held, no port at all, or refused for a reason of its own."""
    number = _number(error)
    if number in (errno.EBUSY, errno.EAGAIN):
        return serial_held(device)
    code = _PORT.get(number, "serial-unopened")
    if "://" in device:  # a device server: the errors are those of its network
        code = "tcp-timeout" if isinstance(error, TimeoutError) else _PEER.get(number, "serial-unopened")
    facts = {"place": device, "why": _why(error)}
    return LinkError(say(code, "en", **facts), code, facts)


def serial_held(device: str) -> WireHeld:
    """A serial port that another program has."""
    facts = {"place": device}
    return WireHeld(say("wire-held-other", "en", **facts), "wire-held-other", facts)


def tcp_unreached(place: str, error: BaseException) -> LinkError:
    """An analyzer that listens and cannot be reached."""
    code = "tcp-timeout" if isinstance(error, TimeoutError) else _PEER.get(_number(error), "tcp-unreached")
    facts = {"place": place, "why": _why(error)}
    return LinkError(say(code, "en", **facts), code, facts)


def _number(error: BaseException) -> int:
    """The system's number for it; serialx puts its own error around that of the system."""
    seen: BaseException | None = error
    while seen is not None:
        number = getattr(seen, "errno", None)
        if isinstance(number, int):
            return number
        if seen.args and isinstance(seen.args[0], int):  # termios.error
            return seen.args[0]
        seen = seen.__cause__ or seen.__context__
    return 0


def _why(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__

"""Does a running labmw have this port or device? By the configuration, so also while it waits for an adapter to come back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from labmw.config import Config, address
from labmw.errors import StoreError
from labmw.store.lock import holder

_ANY = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 - compared, not bound


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that has it, and for which line."""

    process: int
    link: str


def holder_of(config: Config, place: str) -> Holder | None:
    """Who has a port ("4102", "host:4102") or a serial device; None when no labmw of this configuration runs, or none of its lines has it."""
    link = _link_at(config, place)
    if link is None:
        return None
    try:
        process = holder(config.store.url)
    except StoreError:
        return None
    return Holder(process, link) if process is not None else None


def _link_at(config: Config, place: str) -> str | None:
    host, _, port = place.rpartition(":")
    if port.isascii() and port.isdecimal() and "/" not in place:
        listening = [(link.name, link.listen) for link in config.link if link.listen]
        if config.lis is not None and config.lis.listen:
            listening.append((config.lis.feed, config.lis.listen))
        for name, text in listening:
            theirs, number = address("the configuration", name, text)
            if number == int(port) and (theirs == host or {theirs, host} & _ANY):
                return name
        return None
    device = _real(place)
    return next((link.name for link in config.link if link.serial and _real(link.serial.device) == device), None)


def _real(device: str) -> str:
    if "://" in device:
        return device
    try:
        return str(Path(device).resolve())
    except OSError:
        return device

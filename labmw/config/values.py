"""Can a value be what it is written for: an address, a network, a time zone, a character set?"""

from __future__ import annotations

import ipaddress
import re
import zoneinfo
from collections.abc import Iterable

from labmw.errors import ConfigError


def address(file: str, key: str, text: str) -> tuple[str, int]:
    """Split "host:port"; raises ConfigError."""
    host, _, port = text.rpartition(":")
    if not host or not (port.isascii() and port.isdecimal()) or not 0 <= int(port) <= 65535:
        shown = f"***@{text.rpartition('@')[2]}" if "@" in text else text  # what stands before an @ may be a password
        raise ConfigError(
            file, key, f"{shown!r} is not host:port", 'write it like "127.0.0.1:4001"', "config-address", found=shown
        )
    return host.strip("[]"), int(port)


def check_allowed(file: str, key: str, allow: Iterable[str], name: str = "allow") -> None:
    """Check a list of addresses and networks; raises ConfigError."""
    for text in allow:
        try:
            ipaddress.ip_network(text, strict=False)
        except ValueError:
            raise ConfigError(
                file,
                f"{key}.{name}",
                f"{text!r} is not an address or network",
                'write it like "192.0.2.7" or "192.0.2.0/24"',
                "config-network",
                found=text,
            ) from None


def check_zone(file: str, key: str, name: str) -> None:
    """Check the name of a time zone; raises ConfigError."""
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        raise ConfigError(
            file, key, f"{name!r} is not a time zone", 'write it like "Europe/Paris"', "config-time-zone", found=name
        ) from None


def check_encoding(file: str, key: str, name: str) -> None:
    """Check the name of a character set: one in which frames and segments can be found; raises ConfigError."""
    remedy = 'write one that contains ASCII, like "latin-1", "cp1252" or "utf-8"'
    try:
        contains_ascii = "MSH|^~\\&\r".encode(name) == b"MSH|^~\\&\r"
    except LookupError:
        raise ConfigError(file, key, f"{name!r} is not a character set", remedy, "config-charset", found=name) from None
    if not contains_ascii:  # UTF-16, say: neither frames nor segments could be found in it
        raise ConfigError(file, key, f"{name!r} does not contain ASCII", remedy, "config-not-ascii", found=name)


def check_loinc(file: str, key: str, code: str) -> None:
    """Check the form of a LOINC code; raises ConfigError."""
    if not re.fullmatch(r"\d{1,7}-\d", code):
        raise ConfigError(
            file, key, f"{code!r} is not a LOINC code", 'write it like "14749-6"', "config-loinc", found=code
        )

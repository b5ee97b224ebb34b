"""What can be set about TLS on a line or towards the LIS?"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

import msgspec

from labmw.errors import ConfigError

_LABEL = "[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_DNS_NAME = re.compile(rf"(?=.{{1,253}}\Z)(?!.*\.[0-9]+\Z){_LABEL}(?:\.{_LABEL})*", re.ASCII)


class Tls(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """TLS on one line, or towards the LIS. Who dials checks the listener always; who listens asks for a certificate unless `mutual` is false."""

    certificate: str = ""  # PEM file: our certificate, then those between it and its authority; needed to listen
    key: str = ""  # PEM file of its private key, without passphrase; "" = in the file of the certificate
    trusted: str = ""  # PEM file: authorities that we believe, or the peer's own certificates
    revoked: str = ""  # PEM file: revocation lists of those authorities; "" = none is looked at
    peer_name: str = ""  # DNS name that the peer's certificate has to carry; "" = any that `trusted` vouches for
    mutual: bool = True  # where labmw listens: the peer has to show a certificate too
    minimum: Literal["1.2", "1.3"] = "1.2"  # oldest version of TLS that is spoken; older ones never are (RFC 8996)
    warn_days: int = 30  # days before a certificate ends from which `labmw status` says so

    def resolved(self, found: Callable[[str], str]) -> Tls:
        """The same with the paths as `found` makes them."""
        return msgspec.structs.replace(
            self,
            certificate=found(self.certificate),
            key=found(self.key),
            trusted=found(self.trusted),
            revoked=found(self.revoked),
        )


def check(file: str, key: str, tls: Tls, *, listens: bool) -> None:
    """Whether the settings can work together; raises ConfigError."""
    if listens and not tls.certificate:
        raise ConfigError(
            file,
            f"{key}.certificate",
            "is not set",
            "name the PEM file of labmw's certificate: who listens shows one",
            "tls-config-certificate",
        )
    if (not listens or tls.mutual) and not tls.trusted:
        remedy = "name the PEM file of the authority, or of the peer's own certificate"
        if listens:
            remedy += "; or set mutual = false, and anybody may connect"
        code = "tls-config-trusted-listens" if listens else "tls-config-trusted"
        raise ConfigError(file, f"{key}.trusted", "is not set", remedy, code)
    if tls.revoked and not tls.trusted:
        raise ConfigError(
            file,
            f"{key}.revoked",
            "is of no use without trusted",
            "set trusted too, or leave the lists out",
            "tls-config-revoked",
        )
    if tls.key and not tls.certificate:
        raise ConfigError(
            file,
            f"{key}.key",
            "is a key without certificate",
            "set certificate too, or leave the key out",
            "tls-config-key",
        )
    if listens and tls.peer_name and not tls.mutual:
        raise ConfigError(
            file,
            f"{key}.peer_name",
            "nobody shows a name when mutual = false",
            "set mutual = true, or leave it out",
            "tls-config-mutual",
        )
    if tls.peer_name and not _DNS_NAME.fullmatch(tls.peer_name):
        raise ConfigError(
            file,
            f"{key}.peer_name",
            f"{tls.peer_name!r} is no DNS name",
            'write it like "analyzer-7.lab.example"',
            "tls-config-name",
            name=tls.peer_name,
        )
    if not 0 <= tls.warn_days <= 3650:
        raise ConfigError(
            file,
            f"{key}.warn_days",
            f"{tls.warn_days} is out of bounds",
            "give a number from 0 to 3650",
            "tls-config-days",
            days=str(tls.warn_days),
        )

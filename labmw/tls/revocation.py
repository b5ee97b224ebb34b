"""Until when do the revocation lists of a file hold? Each authority says when it is to be replaced (nextUpdate, RFC 5280 § 5.1.2.5).

What a list names is for OpenSSL alone, in the handshake. Here it is only watched that somebody still fetches it: on an old list nobody is let in.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509

from labmw.tls.certificate import name_of
from labmw.tls.unusable import unreadable, unusable

_PEM = re.compile(rb"-----BEGIN X509 CRL-----.*?-----END X509 CRL-----", re.DOTALL)
_LARGEST_FILE = 64 << 20  # bytes; lists of large public authorities have some
_LEFT = 4  # a list is replaced well before its end: in the last quarter of its life somebody has not fetched the next


@dataclass(frozen=True, slots=True)
class RevocationList:
    """The list of one authority."""

    authority: str
    begins: datetime
    ends: datetime | None  # None: it does not say

    def warned_from(self, warn_days: int) -> datetime | None:
        """From when on a person is told that it ends: in its last quarter, and not more than so many days before."""
        if self.ends is None:
            return None
        return self.ends - min((self.ends - self.begins) / _LEFT, timedelta(days=warn_days))


def read_lists(path: str | Path) -> list[RevocationList]:
    """Every list of a PEM file, in its order; raises CertificateError when it cannot be read, or holds one that is none."""
    try:
        with Path(path).open("rb") as file:
            data = file.read(_LARGEST_FILE + 1)
    except OSError as error:
        raise unreadable(path, error) from None
    if len(data) > _LARGEST_FILE:
        raise unusable("tls-file-too-large", file=path)
    try:
        found = [x509.load_pem_x509_crl(block) for block in _PEM.findall(data)]
        return [RevocationList(name_of(one.issuer), one.last_update_utc, one.next_update_utc) for one in found]
    except (ValueError, TypeError) as error:
        raise unusable("tls-file-bad-list", file=path, words=error) from None

"""What does a certificate say: whose it is, who vouches for it, and until when? Read from PEM and DER.

Only what a person is told and what is watched is read here (X.509, RFC 5280 § 4.1). Whether a certificate is to be believed is
decided by OpenSSL alone, in the handshake.
"""

from __future__ import annotations

import hashlib
import re
import ssl
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import NameOID

from labmw.errors import CertificateError
from labmw.tls.unusable import unreadable, unusable

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
_LARGEST_FILE = 4 << 20  # bytes; a file with every authority of a browser has a quarter of that
_NAMES = {NameOID.COMMON_NAME: "CN", NameOID.ORGANIZATION_NAME: "O", NameOID.ORGANIZATIONAL_UNIT_NAME: "OU"}


@dataclass(frozen=True, slots=True)
class Certificate:
    """One certificate, as far as people are told of it."""

    subject: str
    issuer: str
    names: tuple[str, ...]  # DNS names
    begins: datetime
    ends: datetime
    fingerprint: str  # SHA-256, in hexadecimal

    @property
    def title(self) -> str:
        """What it is called: its subject, else its first DNS name, else the beginning of its fingerprint."""
        return self.subject or next(iter(self.names), "") or self.fingerprint[:16]

    def left(self, now: datetime) -> timedelta:
        """How long it is still valid."""
        return self.ends - now


def read_file(path: str | Path) -> list[Certificate]:
    """Every certificate of a PEM file, in its order.

    Raises: CertificateError when the file cannot be read, holds none, or holds one that cannot be decoded.
    """
    try:
        with Path(path).open("rb") as file:
            data = file.read(_LARGEST_FILE + 1)
    except OSError as error:
        raise unreadable(path, error) from None
    if len(data) > _LARGEST_FILE:
        raise unusable("tls-file-too-large", file=path)
    found = []
    for block in _PEM.findall(data.decode("latin-1")):
        try:
            found.append(read_der(ssl.PEM_cert_to_DER_cert(block)))
        except (ValueError, CertificateError):
            raise unusable("tls-file-bad-certificate", file=path) from None
    if not found:
        raise unusable("tls-file-no-certificate", file=path)
    return found


def read_der(data: bytes) -> Certificate:
    """The certificate in these bytes; raises CertificateError for bytes that are none."""
    try:
        found = x509.load_der_x509_certificate(data)
        return Certificate(
            name_of(found.subject), name_of(found.issuer), _dns_names(found), found.not_valid_before_utc, found.not_valid_after_utc,
            hashlib.sha256(data).hexdigest(),
        )  # fmt: skip
    except (ValueError, TypeError, x509.UnsupportedGeneralNameType, x509.DuplicateExtension) as error:
        raise unusable("tls-no-certificate") from error


def name_of(name: x509.Name) -> str:
    """CN, O and OU of a distinguished name, for people."""
    parts = [(_NAMES[one.oid], one.value) for one in name if one.oid in _NAMES]
    return ", ".join(f"{what}={value if isinstance(value, str) else value.decode('latin-1')}" for what, value in parts)


def _dns_names(found: x509.Certificate) -> tuple[str, ...]:
    try:
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return tuple(names.get_values_for_type(x509.DNSName))

"""What does a certificate say: whose it is, who vouches for it, and until when? Read from PEM and DER.

Only what a person is told and what is watched is read here (X.509, RFC 5280 § 4.1; DER, X.690). Whether a certificate is to be
believed is decided by OpenSSL alone, in the handshake.
"""

from __future__ import annotations

import hashlib
import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from labmw.errors import CertificateError

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
_LARGEST_FILE = 4 << 20  # bytes; a file with every authority of a browser has a quarter of that
_SEQUENCE, _SET, _OID, _VERSION, _EXTENSIONS = 0x30, 0x31, 0x06, 0xA0, 0xA3
_UTC_TIME, _GENERALIZED_TIME = 0x17, 0x18
_DNS_NAME = 0x82  # [2] in GeneralName
_NAMES = {bytes.fromhex("550403"): "CN", bytes.fromhex("55040a"): "O", bytes.fromhex("55040b"): "OU"}
_ALTERNATIVE_NAMES = bytes.fromhex("551d11")
_BMP_STRING = 0x1E


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
        raise CertificateError(
            f"{path} cannot be read ({error.strerror or error}); check the path and its permissions"
        ) from None
    if len(data) > _LARGEST_FILE:
        raise CertificateError(f"{path} is too large for a file of certificates; give a PEM file")
    found = []
    for block in _PEM.findall(data.decode("latin-1")):
        try:
            found.append(read_der(ssl.PEM_cert_to_DER_cert(block)))
        except (ValueError, CertificateError):
            raise CertificateError(f"{path} holds a certificate that cannot be read; copy it again") from None
    if not found:
        raise CertificateError(f"{path} holds no certificate; give a PEM file, with -----BEGIN CERTIFICATE-----")
    return found


def read_der(data: bytes) -> Certificate:
    """The certificate in these bytes; raises CertificateError for bytes that are none."""
    try:
        return _certificate(data)
    except (ValueError, IndexError) as error:
        raise CertificateError("this is no X.509 certificate; ask its owner for it in DER or PEM") from error


def _certificate(data: bytes) -> Certificate:
    [(tag, whole)] = list(_values(data))
    _expect(tag, _SEQUENCE)
    tag, signed = next(_values(whole))
    _expect(tag, _SEQUENCE)
    fields = list(_values(signed))
    if fields[0][0] == _VERSION:
        fields = fields[1:]
    _serial, _algorithm, (_, issuer), (_, validity), (_, subject) = fields[:5]
    begins, ends = (_time(tag, value) for tag, value in _values(validity))
    names = [name for tag, value in fields[5:] if tag == _EXTENSIONS for name in _dns_names(value)]
    return Certificate(_name(subject), _name(issuer), tuple(names), begins, ends, hashlib.sha256(data).hexdigest())


def _values(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and content of each value; raises ValueError when a length does not fit (X.690 § 8.1.3)."""
    at = 0
    while at < len(data):
        tag, size = data[at], data[at + 1]
        at += 2
        if size & 0x80:
            count = size & 0x7F
            if not 1 <= count <= 4:
                raise ValueError("a length that DER does not have")
            size = int.from_bytes(data[at : at + count])
            at += count
        if at + size > len(data):
            raise ValueError("it ends too early")
        yield tag, data[at : at + size]
        at += size


def _expect(tag: int, wanted: int) -> None:
    if tag != wanted:
        raise ValueError(f"tag {tag:02x} where {wanted:02x} belongs")


def _time(tag: int, value: bytes) -> datetime:
    """RFC 5280 § 4.1.2.5: UTCTime through 2049, GeneralizedTime from 2050, both in UTC and to the second."""
    text = value.decode("ascii")
    if tag == _UTC_TIME:
        text = ("20" if int(text[:2]) < 50 else "19") + text
    elif tag != _GENERALIZED_TIME:
        raise ValueError(f"tag {tag:02x} where a time belongs")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)


def _name(data: bytes) -> str:
    """CN, O and OU of a distinguished name, for people."""
    parts = []
    for _, relative in _values(data):
        for _, pair in _values(relative):
            (tag, oid), (kind, value) = _values(pair)
            _expect(tag, _OID)
            if oid in _NAMES:
                text = value.decode("utf-16-be" if kind == _BMP_STRING else "utf-8", "replace")
                parts.append(f"{_NAMES[oid]}={text}")
    return ", ".join(parts)


def _dns_names(data: bytes) -> Iterator[str]:
    [(_, extensions)] = _values(data)
    for _, extension in _values(extensions):
        parts = list(_values(extension))
        if parts[0][1] == _ALTERNATIVE_NAMES:
            [(_, names)] = _values(parts[-1][1])
            yield from (value.decode("latin-1") for tag, value in _values(names) if tag == _DNS_NAME)

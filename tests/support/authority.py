"""Certificates made for one test: an authority, what it vouches for, and certificates that are wrong in one way each."""

from __future__ import annotations

import datetime as dt
import functools
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from labmw.tls.settings import Tls

DAY = dt.timedelta(days=1)
NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)


@dataclass(slots=True)
class Pair:
    """The files of one certificate and its key."""

    certificate: Path
    key: Path


@dataclass(slots=True)
class Authority:
    """Makes certificates in a folder."""

    folder: Path
    ca: trustme.CA = field(default_factory=trustme.CA)

    @property
    def file(self) -> Path:
        path = self.folder / f"authority-{id(self.ca)}.pem"
        self.ca.cert_pem.write_to_path(path)
        return path

    def issue(self, name: str, *, days: float = 365, since: float = 1, file: str = "", **more: Any) -> Pair:
        """A certificate for a DNS name or address that ends in so many days."""
        made = self.ca.issue_cert(
            name, common_name=name, not_before=NOW - since * DAY, not_after=NOW + days * DAY, **more
        )
        pair = Pair(self.folder / f"{file or name}.pem", self.folder / f"{file or name}.key")
        chain = b"".join(blob.bytes() for blob in made.cert_chain_pems)
        pair.certificate.write_bytes(chain)
        pair.key.write_bytes(made.private_key_pem.bytes())
        pair.key.chmod(0o600)
        return pair

    def revocations(self, *pairs: Pair, ends: float = 30, file: str = "revoked.pem") -> Path:
        """The authority's list of revoked certificates, which is to be replaced in so many days."""
        key = serialization.load_pem_private_key(self.ca.private_key_pem.bytes(), None)
        issuer = x509.load_pem_x509_certificate(self.ca.cert_pem.bytes()).subject
        made = x509.CertificateRevocationListBuilder().issuer_name(issuer).last_update(NOW - 60 * DAY)
        made = made.next_update(NOW + ends * DAY)
        for pair in pairs:
            number = x509.load_pem_x509_certificates(pair.certificate.read_bytes())[0].serial_number
            one = x509.RevokedCertificateBuilder().serial_number(number).revocation_date(NOW - DAY).build()
            made = made.add_revoked_certificate(one)
        path = self.folder / file
        signed = made.sign(key, hashes.SHA256())  # type: ignore[arg-type]
        path.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        return path

    def server(self, name: str = "analyzer.lab.example", **settings: Any) -> Tls:
        """The settings of labmw listening with a certificate for `name`."""
        pair = self.issue(name)
        return Tls(certificate=str(pair.certificate), key=str(pair.key), trusted=str(self.file), **settings)

    def client(self, pair: Pair | None = None, **settings: Any) -> Tls:
        """The settings of somebody who dials, with or without a certificate."""
        if pair:
            settings |= {"certificate": str(pair.certificate), "key": str(pair.key)}
        return Tls(trusted=str(self.file), **settings)


@functools.cache
def _key(bits: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def self_signed(folder: Path, name: str, *, bits: int = 2048, passphrase: bytes = b"", until: dt.datetime | None = None) -> Pair:  # fmt: skip
    """A certificate that vouches for itself, as analyzers make them."""
    key = _key(bits)
    title = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, name),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Hôpital d'essai"),
        ]
    )
    made = (
        x509.CertificateBuilder()
        .subject_name(title)
        .issuer_name(title)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - DAY)
        .not_valid_after(until or NOW + 365 * DAY)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pair = Pair(folder / f"{name}-self.pem", folder / f"{name}-self.key")
    pair.certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    pair.key.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, secret))
    pair.key.chmod(0o600)
    return pair

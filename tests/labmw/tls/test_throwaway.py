"""Certificates made for a demonstration: OpenSSL believes each one directly, and two sides shake hands with them."""

from __future__ import annotations

import contextlib
import ssl
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from labmw.tls.credentials import build
from labmw.tls.settings import Tls
from labmw.tls.throwaway import make

NOW = datetime.now(UTC)


def shake(client: ssl.SSLContext, server: ssl.SSLContext) -> str | None:
    ends = [ssl.MemoryBIO() for _ in range(4)]
    there = server.wrap_bio(ends[0], ends[1], server_side=True)
    here = client.wrap_bio(ends[2], ends[3], server_hostname="lab-b")
    for _ in range(6):
        for side in (here, there):
            with contextlib.suppress(ssl.SSLWantReadError):
                side.do_handshake()
        ends[0].write(ends[3].read())
        ends[2].write(ends[1].read())
    return here.version()


def test_two_laboratories_shake_hands(tmp_path: Path) -> None:
    a, b = make(tmp_path, "lab-a", NOW), make(tmp_path, "lab-b", NOW)
    client = build(Tls(certificate=str(a[0]), key=str(a[1]), trusted=str(b[0]), peer_name="lab-b"), server=False)
    server = build(Tls(certificate=str(b[0]), key=str(b[1]), trusted=str(a[0])), server=True)
    assert shake(client, server) == "TLSv1.3"
    stranger = make(tmp_path, "stranger", NOW)
    other = build(Tls(certificate=str(stranger[0]), key=str(stranger[1]), trusted=str(b[0])), server=False)
    with pytest.raises(ssl.SSLError):
        shake(other, server)


def test_what_is_written_is_what_the_standard_says(tmp_path: Path) -> None:
    pem, key = make(tmp_path, "lab-a", NOW)
    certificate = x509.load_pem_x509_certificate(pem.read_bytes())
    public = certificate.public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    signature = certificate.signature
    public.verify(signature, certificate.tbs_certificate_bytes, ec.ECDSA(hashes.SHA256()))
    assert certificate.not_valid_before_utc < NOW < certificate.not_valid_after_utc
    assert key.stat().st_mode & 0o077 == 0

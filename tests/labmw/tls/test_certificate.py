"""Is read from a certificate what it says, and is anything else refused with a sentence?"""

from __future__ import annotations

import datetime as dt
import ssl
from pathlib import Path

import pytest
from authority import NOW, Authority, self_signed
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from hypothesis import given
from hypothesis import strategies as st

from labmw.errors import CertificateError
from labmw.tls.certificate import Certificate, read_der, read_file


def other(path: Path) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(path.read_bytes())


def agrees(mine: Certificate, theirs: x509.Certificate) -> None:
    assert mine.begins == theirs.not_valid_before_utc
    assert mine.ends == theirs.not_valid_after_utc
    assert mine.fingerprint == theirs.fingerprint(hashes.SHA256()).hex()
    names = theirs.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert list(mine.names) == names.get_values_for_type(x509.DNSName)
    for attribute in (*theirs.subject, *theirs.issuer):
        if attribute.rfc4514_attribute_name in ("CN", "O", "OU"):
            assert str(attribute.value) in f"{mine.subject} {mine.issuer}"


def test_what_it_says_is_read(tmp_path: Path) -> None:
    made = [
        Authority(tmp_path).issue("analyzer-7.lab.example").certificate,
        Authority(tmp_path).issue("192.0.2.7", file="address").certificate,
        self_signed(tmp_path, "lis.example").certificate,
        self_signed(tmp_path, "far.example", until=dt.datetime(2077, 5, 4, 3, 2, 1, tzinfo=dt.UTC)).certificate,
    ]
    for path in made:
        [mine], [theirs] = read_file(path), other(path)
        agrees(mine, theirs)


def test_a_file_holds_a_chain(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    path = tmp_path / "chain.pem"
    path.write_bytes(
        b"a comment\n" + authority.issue("a.example").certificate.read_bytes() + authority.file.read_bytes()
    )
    first, second = read_file(path)
    assert first.names == ("a.example",)
    assert second.subject == first.issuer
    assert first.title == first.subject
    assert first.left(NOW) == first.ends - NOW


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "holds no certificate"),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "holds no certificate"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "cannot be read; copy it again"),
        ("-----BEGIN CERTIFICATE-----\nA\n-----END CERTIFICATE-----\n", "cannot be read"),
    ],
)
def test_what_is_no_certificate_is_told(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "x.pem"
    path.write_text(text)
    with pytest.raises(CertificateError, match=why):
        read_file(path)


def test_a_file_that_is_not_there_or_is_no_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(CertificateError, match="check the path"):
        read_file(tmp_path / "none.pem")
    with pytest.raises(CertificateError, match="check the path"):
        read_file(tmp_path)
    (tmp_path / "big.pem").write_bytes(b"x" * (5 << 20))
    with pytest.raises(CertificateError, match="too large"):
        read_file(tmp_path / "big.pem")


@given(st.data())
def test_damaged_bytes_are_refused_or_read_never_a_traceback(data: st.DataObject) -> None:
    der = bytearray(_DER)
    for at in data.draw(st.lists(st.integers(0, len(der) - 1), max_size=4)):
        der[at] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(der)))
    try:
        read_der(bytes(der[:cut]))
    except CertificateError as error:
        assert "ask its owner" in str(error)


def _example() -> bytes:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        return ssl.PEM_cert_to_DER_cert(self_signed(Path(folder), "x.example").certificate.read_text())


_DER = _example()

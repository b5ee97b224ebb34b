"""How are certificates for a demonstration made, without an authority and without a package for it? Self-signed, P-256, valid for two days.

For demonstrations alone: the arithmetic is plain and takes different times for different keys, which somebody who listens closely could use. Source: SEC 1
(elliptic curves), FIPS 186-4 D.1.2.3 (P-256), RFC 5280 (certificates), RFC 5915 (private keys).
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import secrets
from datetime import datetime, timedelta
from pathlib import Path

_P = 2**256 - 2**224 + 2**192 + 2**96 - 1
_N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
_Point = tuple[int, int] | None

_EC_KEY, _P256, _ECDSA_SHA256 = (
    b"\x2a\x86\x48\xce\x3d\x02\x01",
    b"\x2a\x86\x48\xce\x3d\x03\x01\x07",
    b"\x2a\x86\x48\xce\x3d\x04\x03\x02",
)
_NAME, _ALTERNATIVE, _CONSTRAINTS = b"\x55\x04\x03", b"\x55\x1d\x11", b"\x55\x1d\x13"


def make(folder: Path, name: str, now: datetime, days: int = 2) -> tuple[Path, Path]:
    """Write `<name>.pem` and `<name>.key` for a name and this machine; return both paths."""
    key = secrets.randbelow(_N - 1) + 1
    point = _times(key, _G)
    assert point is not None
    public = b"\x04" + point[0].to_bytes(32, "big") + point[1].to_bytes(32, "big")
    certificate = _certificate(name, key, public, now, days)
    private = _seq(_int(1), _tlv(4, key.to_bytes(32, "big")), _tlv(0xA0, _oid(_P256)), _tlv(0xA1, _bits(public)))
    files = folder / f"{name}.pem", folder / f"{name}.key"
    files[0].write_text(_pem("CERTIFICATE", certificate), encoding="ascii")
    files[1].touch(mode=0o600)
    files[1].write_text(_pem("EC PRIVATE KEY", private), encoding="ascii")
    return files


def _certificate(name: str, key: int, public: bytes, now: datetime, days: int) -> bytes:
    who = _seq(_tlv(0x31, _seq(_oid(_NAME), _tlv(0x0C, name.encode()))))
    names = _seq(
        _tlv(0x82, name.encode()), _tlv(0x82, b"localhost"), _tlv(0x87, ipaddress.ip_address("127.0.0.1").packed)
    )
    extensions = _seq(
        _seq(_oid(_ALTERNATIVE), _tlv(4, names)),
        _seq(_oid(_CONSTRAINTS), _tlv(1, b"\xff"), _tlv(4, _seq(_tlv(1, b"\xff")))),
    )
    algorithm = _seq(_oid(_ECDSA_SHA256))
    valid = _seq(_time(now - timedelta(hours=1)), _time(now + timedelta(days=days)))
    body = _seq(
        _tlv(0xA0, _int(2)),
        _int(secrets.randbits(120) | 1),
        algorithm,
        who,
        valid,
        who,
        _seq(_seq(_oid(_EC_KEY), _oid(_P256)), _bits(public)),
        _tlv(0xA3, extensions),
    )
    return _seq(body, algorithm, _bits(_signed(key, body)))


def _signed(key: int, data: bytes) -> bytes:
    """ECDSA with SHA-256 (SEC 1, 4.1.3)."""
    digest = int.from_bytes(hashlib.sha256(data).digest(), "big")
    while True:
        nonce = secrets.randbelow(_N - 1) + 1
        point = _times(nonce, _G)
        r = point[0] % _N if point else 0
        s = pow(nonce, -1, _N) * (digest + r * key) % _N
        if r and s:
            return _seq(_int(r), _int(s))


def _plus(one: _Point, other: _Point) -> _Point:
    if one is None or other is None:
        return other if one is None else one
    if one[0] == other[0] and (one[1] + other[1]) % _P == 0:
        return None
    if one == other:
        slope = (3 * one[0] * one[0] - 3) * pow(2 * one[1], -1, _P) % _P
    else:
        slope = (other[1] - one[1]) * pow(other[0] - one[0], -1, _P) % _P
    x = (slope * slope - one[0] - other[0]) % _P
    return x, (slope * (one[0] - x) - one[1]) % _P


def _times(count: int, point: _Point) -> _Point:
    found: _Point = None
    while count:
        if count & 1:
            found = _plus(found, point)
        point, count = _plus(point, point), count >> 1
    return found


def _tlv(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 128:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def _seq(*parts: bytes) -> bytes:
    return _tlv(0x30, b"".join(parts))


def _int(number: int) -> bytes:
    return _tlv(2, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def _oid(encoded: bytes) -> bytes:
    return _tlv(6, encoded)


def _bits(content: bytes) -> bytes:
    return _tlv(3, b"\x00" + content)


def _time(moment: datetime) -> bytes:
    return _tlv(0x17, moment.strftime("%y%m%d%H%M%SZ").encode())


def _pem(kind: str, content: bytes) -> str:
    text = base64.b64encode(content).decode()
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return "\n".join([f"-----BEGIN {kind}-----", *lines, f"-----END {kind}-----", ""])

"""Are contexts as BCP 195 wants them, renewed when files change, and is every file that cannot be used told?"""

from __future__ import annotations

import os
import re
import ssl
from pathlib import Path

import pytest
from authority import Authority, self_signed

from labmw.errors import CertificateError, ConfigError
from labmw.tls import settings
from labmw.tls.credentials import Credentials, build
from labmw.tls.settings import Tls


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.mark.parametrize("server", [True, False])
def test_settings_are_those_of_bcp_195(authority: Authority, server: bool) -> None:
    context = build(authority.server(), server=server)
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.options & ssl.OP_NO_COMPRESSION
    assert context.options & ssl.OP_NO_RENEGOTIATION
    names = {cipher["name"] for cipher in context.get_ciphers()}
    assert all(name.startswith(("TLS_", "ECDHE-", "DHE-")) for name in names), "forward secrecy"
    assert all(("GCM" in name or "CHACHA20" in name) and "DSS" not in name for name in names), (
        "authenticated encryption"
    )
    # ITI-19, STX: TLS 1.2 floor using BCP195
    assert names >= {"DHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256", "DHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384"}  # fmt: skip
    assert build(authority.server(minimum="1.3"), server=server).minimum_version is ssl.TLSVersion.TLSv1_3


def test_only_a_line_that_says_so_lets_anybody_in(authority: Authority) -> None:
    assert build(authority.server(mutual=False), server=True).verify_mode is ssl.CERT_NONE
    assert build(authority.server(mutual=False), server=False).verify_mode is ssl.CERT_REQUIRED


def test_names_are_checked_when_one_is_set(authority: Authority) -> None:
    assert not build(authority.client(), server=False).check_hostname
    named = authority.client(peer_name="lis.example")
    assert build(named, server=False).check_hostname
    assert Credentials(named, server=False).server_name("192.0.2.1") == "lis.example"
    assert Credentials(authority.client(), server=False).server_name("lis.example") == "lis.example"
    assert Credentials(authority.client(), server=False).server_name("192.0.2.1") is None
    assert Credentials(authority.client(), server=False).server_name("fe80::1%eth0") is None


def test_a_renewed_file_is_taken_and_only_then(authority: Authority) -> None:
    tls = authority.server("a.example")
    credentials = Credentials(tls, server=True)
    first = credentials.context()
    assert credentials.context() is first
    assert not credentials.refresh()
    authority.issue("a.example", days=700)
    assert credentials.refresh()
    assert credentials.context() is not first
    assert credentials.problem == ""


def test_a_link_that_is_turned_to_another_folder_counts_as_renewed(authority: Authority, tmp_path: Path) -> None:
    """As Kubernetes and certbot do it: the files are the same age, the name leads elsewhere."""
    pairs = [authority.issue(f"{n}.example") for n in ("one", "two")]
    for path in tmp_path.glob("*.example.*"):
        os.utime(path, (1, 1))
    for name, target in (("live.pem", pairs[0].certificate), ("live.key", pairs[0].key)):
        (tmp_path / name).symlink_to(target)
    tls = Tls(certificate=str(tmp_path / "live.pem"), key=str(tmp_path / "live.key"), trusted=str(authority.file))
    credentials = Credentials(tls, server=True)
    credentials.context()
    for name, target in (("live.pem", pairs[1].certificate), ("live.key", pairs[1].key)):
        (tmp_path / name).unlink()
        (tmp_path / name).symlink_to(target)
    assert credentials.refresh()


def test_files_that_cannot_be_used_leave_the_old_ones_in_use(authority: Authority) -> None:
    tls = authority.server("a.example")
    credentials = Credentials(tls, server=True)
    first = credentials.context()
    other = authority.issue("b.example")
    Path(tls.certificate).write_bytes(other.certificate.read_bytes())  # the key will follow, but has not yet
    assert not credentials.refresh()
    assert "does not belong" in credentials.problem
    assert credentials.context() is first
    Path(tls.key).write_bytes(other.key.read_bytes())
    assert credentials.refresh()
    assert credentials.problem == ""
    Path(tls.certificate).unlink()
    assert not credentials.refresh()
    assert "check the path" in credentials.problem
    credentials.context()


def test_without_files_there_is_no_context_and_it_says_why(authority: Authority, tmp_path: Path) -> None:
    credentials = Credentials(Tls(certificate=str(tmp_path / "none.pem"), trusted=str(authority.file)), server=True)
    for _ in range(2):
        with pytest.raises(CertificateError, match=r"none\.pem cannot be read"):
            credentials.context()


def broken(authority: Authority, folder: Path, what: str) -> Tls:
    tls = authority.server("a.example")
    garbage = folder / "garbage.pem"
    garbage.write_text("not PEM")
    if what == "trusted-absent":
        return Tls(certificate=tls.certificate, key=tls.key, trusted=str(folder / "none.pem"))
    if what == "trusted-garbage":
        return Tls(certificate=tls.certificate, key=tls.key, trusted=str(garbage))
    if what == "key-absent":
        return Tls(certificate=tls.certificate, key=str(folder / "none.key"), trusted=tls.trusted)
    if what == "key-garbage":
        return Tls(certificate=tls.certificate, key=str(garbage), trusted=tls.trusted)
    if what == "key-of-another":
        return Tls(certificate=tls.certificate, key=str(authority.issue("b.example").key), trusted=tls.trusted)
    pair = self_signed(folder, "weak.example", bits=1024 if what == "weak" else 2048, passphrase=b"secret" if what == "encrypted" else b"")  # fmt: skip
    return Tls(certificate=str(pair.certificate), key=str(pair.key), trusted=tls.trusted)


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ("trusted-absent", "check the path"),
        ("trusted-garbage", "holds no certificates"),
        ("key-absent", "check the path"),
        ("key-garbage", "cannot be used"),
        ("key-of-another", "does not belong"),
        ("encrypted", "is encrypted, and labmw starts without anybody"),
        ("weak", "too weak"),
    ],
)
def test_each_file_that_cannot_be_used_is_told_with_its_remedy(authority: Authority, tmp_path: Path, what: str, why: str) -> None:  # fmt: skip
    with pytest.raises(CertificateError, match=why):
        build(broken(authority, tmp_path, what), server=True)


def test_certificate_and_key_may_share_a_file(authority: Authority, tmp_path: Path) -> None:
    pair = authority.issue("a.example")
    both = tmp_path / "both.pem"
    both.write_bytes(pair.key.read_bytes() + pair.certificate.read_bytes())
    build(Tls(certificate=str(both), trusted=str(authority.file)), server=True)


@pytest.mark.parametrize(
    ("tls", "listens", "key"),
    [
        (Tls(trusted="ca.pem"), True, "certificate"),
        (Tls(certificate="c.pem"), True, "trusted"),
        (Tls(), False, "trusted"),
        (Tls(certificate="c.pem", mutual=False), False, "trusted"),
        (Tls(key="k.pem", trusted="ca.pem"), False, "key"),
        (Tls(certificate="c.pem", mutual=False, peer_name="a.example"), True, "peer_name"),
        (Tls(trusted="ca.pem", peer_name="192.0.2.1"), False, "peer_name"),
        (Tls(trusted="ca.pem", peer_name="a b"), False, "peer_name"),
        (Tls(trusted="ca.pem", warn_days=-1), False, "warn_days"),
    ],
)
def test_settings_that_cannot_work_are_refused(tls: Tls, listens: bool, key: str) -> None:
    with pytest.raises(ConfigError) as refused:
        settings.check("labmw.toml", "tls", tls, listens=listens)
    assert refused.value.key == f"tls.{key}"
    assert refused.value.remedy


@pytest.mark.parametrize(
    ("tls", "listens"),
    [
        (Tls(trusted="ca.pem"), False),
        (Tls(certificate="c.pem", mutual=False), True),
        (Tls(certificate="c.pem", trusted="ca.pem", peer_name="analyzer_7.lab.example"), True),
    ],
)
def test_settings_that_can_work_are_let_pass(tls: Tls, listens: bool) -> None:
    settings.check("labmw.toml", "tls", tls, listens=listens)


def test_a_file_that_holds_no_revocation_list_is_told(authority: Authority, tmp_path: Path) -> None:
    for name, content, word in (
        ("none", None, "cannot be read"), ("cert", authority.file.read_bytes(), "holds no revocation list"),
        ("cut", authority.revocations().read_bytes()[:-80], "cannot be read (") ,
    ):  # fmt: skip
        path = tmp_path / f"{name}.crl"
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(CertificateError, match=re.escape(word)):
            build(authority.server(revoked=str(path)), server=True)
    with pytest.raises(ConfigError, match="without trusted"):
        settings.check("f", "tls", Tls(certificate="a", mutual=False, revoked="b"), listens=True)

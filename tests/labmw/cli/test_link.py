"""Does `labmw link test` say step by step what works, in a sentence what does not and what to do, in both languages?"""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from authority import Authority, Pair, self_signed
from stage import free_port
from typer.testing import CliRunner, Result

from labmw.cli.link import _begun, app
from labmw.phrases import codes, facts_of, read
from labmw.store import migrate
from labmw.store.lock import hold
from labmw.watch import link_trial

HOST = "127.0.0.1"
ROOT = Path(__file__).parents[3]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def configured(folder: Path, *tables: str) -> Path:
    path = folder / "labmw.toml"
    path.write_text('[site]\nid = "T"\n[store]\nurl = "sqlite:///labmw.db"\n' + "\n".join(tables), encoding="utf-8")
    return path


def tls(**settings: str | bool) -> str:
    return "tls = { " + ", ".join(f"{name} = {json.dumps(value)}" for name, value in settings.items()) + " }"


def lis(port: int, *more: str) -> str:
    return "\n".join((f'[lis]\nconnect = "{HOST}:{port}"', *more))


def run(config: Path, name: str, *more: str) -> Result:
    return CliRunner().invoke(app, ["test", name, "--config", str(config), *more], catch_exceptions=False)


def found(config: Path, name: str, *more: str) -> tuple[int, list[str]]:
    """The exit code and the codes of what was said; the same run is said in both languages without a missing fact."""
    for language in ("en", "fr"):
        shown = run(config, name, "-l", language, *more)
        assert "…" not in shown.output, "a fact is missing"
    done = run(config, name, "--json", *more)
    return done.exit_code, [row["code"] for row in json.loads(done.output)["findings"]]


@contextlib.contextmanager
def listener(pair: Pair | None = None, *, asks: Path | None = None) -> Iterator[int]:
    """An analyzer or LIS that listens and says nothing by itself."""
    context = None
    if pair:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.certificate, pair.key)
        if asks:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(asks)
    listening = socket.create_server((HOST, 0))

    def serve() -> None:
        while True:
            try:
                plain, _ = listening.accept()
            except OSError:
                return
            with plain, contextlib.suppress(OSError):
                plain.settimeout(20)
                if context is None:
                    plain.recv(1)
                else:
                    with context.wrap_socket(plain, server_side=True) as secured:
                        secured.recv(1)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join(30)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_trial, "AFTERWARDS", 0.2)


def test_all_is_well_with_tls(authority: Authority, tmp_path: Path) -> None:
    ours = authority.issue("labmw.example")
    with listener(authority.issue("lis.example", days=200), asks=authority.file) as port:
        own = tls(
            trusted=str(authority.file), certificate=str(ours.certificate), key=str(ours.key), peer_name="lis.example"
        )
        config = configured(tmp_path, lis(port, own))
        assert found(config, "LIS") == (
            0,
            ["certificate-good", "link-name-good", "link-connect-good", "link-tls-good", "link-certificate"],
        )
        said = run(config, "LIS", "-l", "en").output
        assert "agree on TLSv1.3, TLS_AES_256_GCM_SHA384" in said
        assert "lis.example" in said
        assert "SHA-256" in said
        assert said.rstrip().endswith("LIS: nothing is wrong as far as can be seen from here.")
        assert "s'accordent sur TLSv1.3" in run(config, "LIS", "-l", "fr").output  # fmt: skip


def test_a_partner_and_a_further_receiver_are_tried_like_the_lis(authority: Authority, tmp_path: Path) -> None:
    ours = authority.issue("labmw.example")
    with listener(authority.issue("spe.example", days=200), asks=authority.file) as port:
        own = tls(trusted=str(authority.file), certificate=str(ours.certificate), key=str(ours.key))
        there = f'connect = "{HOST}:{port}"\n{own}'
        partner, register = f'[[partners]]\nname = "SPE"\n{there}', f'[[destination]]\nname = "REGISTER"\n{there}'
        config = configured(tmp_path, partner, register)
        good = ["certificate-good", "link-name-good", "link-connect-good", "link-tls-good", "link-certificate"]
        for name in ("SPE", "REGISTER"):
            assert found(config, name) == (0, good)
    dials = '[[partners]]\nname = "DIALS"\nlisten = "127.0.0.1:4999"'
    assert found(configured(tmp_path, dials), "DIALS") == (0, ["link-test-nobody"])
    files = '[[partners]]\nname = "FILES"\nfiles = { out = "out", into = "into" }'
    assert run(configured(tmp_path, files), "FILES").exit_code == 2  # there is no line to it


def test_without_tls_it_says_so(tmp_path: Path) -> None:
    with listener() as port:
        config = configured(tmp_path, lis(port))
        assert found(config, "LIS") == (0, ["link-name-good", "link-connect-good", "link-test-plain"])


def test_without_a_certificate_of_ours_and_one_that_ends_soon(authority: Authority, tmp_path: Path) -> None:
    with listener(authority.issue("lis.example", days=12)) as port:
        config = configured(tmp_path, lis(port, tls(trusted=str(authority.file))))
        assert found(config, "LIS") == (
            0,
            ["certificate-good", "link-name-good", "link-connect-good", "link-tls-good", "link-certificate", "peer-certificate-ends", "link-test-no-certificate"],
        )  # fmt: skip


@pytest.mark.parametrize(("made", "code"), [({"days": -1, "since": 9}, "tls-expired"), ({"since": -5}, "tls-not-yet")])
def test_a_certificate_that_does_not_hold_is_shown_with_its_dates(authority: Authority, tmp_path: Path, made: dict[str, float], code: str) -> None:  # fmt: skip
    with listener(authority.issue("lis.example", **made)) as port:  # type: ignore[arg-type]
        config = configured(tmp_path, lis(port, tls(trusted=str(authority.file))))
        assert found(config, "LIS") == (1, ["certificate-good", "link-name-good", "link-connect-good", code, "link-certificate"])  # fmt: skip
        assert "check the clocks of both machines" in " ".join(run(config, "LIS", "-l", "en").output.split())


def test_a_certificate_that_nobody_vouches_for(authority: Authority, tmp_path: Path) -> None:
    with listener(Authority(tmp_path).issue("lis.example")) as port:
        config = configured(tmp_path, lis(port, tls(trusted=str(authority.file))))
        assert found(config, "LIS")[1][-2:] == ["tls-untrusted", "link-certificate"]
        assert "put its authority" in " ".join(run(config, "LIS", "-l", "en").output.split())
        assert "mettre son autorité" in " ".join(run(config, "LIS", "-l", "fr").output.split())


def test_a_receiver_that_wants_our_certificate_only_says_so_afterwards(authority: Authority, tmp_path: Path) -> None:
    with listener(authority.issue("lis.example"), asks=authority.file) as port:
        config = configured(tmp_path, lis(port, tls(trusted=str(authority.file))))
        assert found(config, "LIS") == (1, ["certificate-good", "link-name-good", "link-connect-good", "tls-wants-ours"])  # fmt: skip


def test_a_receiver_without_tls(authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("labmw.line.dialling.HANDSHAKE", 0.2)
    monkeypatch.setattr(link_trial, "HANDSHAKE", 0.2)
    with listener() as port:
        config = configured(tmp_path, lis(port, tls(trusted=str(authority.file))))
        code, said = found(config, "LIS")
        assert (code, said[-1]) in ((1, "tls-silent"), (1, "tls-hung-up"))


def test_nobody_listens_and_no_such_host(tmp_path: Path) -> None:
    config = configured(tmp_path, lis(free_port()))
    assert found(config, "LIS") == (1, ["link-name-good", "link-connect-refused"])
    config = configured(tmp_path, '[lis]\nconnect = "localhost:1"')
    assert found(config, "LIS")[1][-1] == "link-connect-refused"
    config = configured(tmp_path, f'[lis]\nconnect = "{"a" * 70}.invalid:2575"')
    assert found(config, "LIS") == (1, ["link-name-unknown"])


def test_no_answer_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*_: object, **__: object) -> None:
        raise TimeoutError

    async def no_route(*_: object, **__: object) -> None:
        raise OSError(113, "Connect call failed ('192.0.2.1', 1)")

    config = configured(tmp_path, lis(free_port()))
    monkeypatch.setattr(link_trial, "dial", never)
    assert found(config, "LIS") == (1, ["link-name-good", "link-connect-silent"])
    monkeypatch.setattr(link_trial, "dial", no_route)
    assert found(config, "LIS") == (1, ["link-name-good", "link-connect-failed"])
    assert "No route to host" in run(config, "LIS", "-l", "en").output


def test_our_own_files_are_looked_at_first(authority: Authority, tmp_path: Path) -> None:
    config = configured(tmp_path, lis(free_port(), tls(trusted=str(tmp_path / "none.pem"))))
    assert found(config, "LIS") == (1, ["certificate-unusable"])
    ours = authority.issue("labmw.example", days=-1, since=9)
    config = configured(tmp_path, lis(free_port(), tls(trusted=str(authority.file), certificate=str(ours.certificate), key=str(ours.key))))  # fmt: skip
    assert found(config, "LIS")[1][0] == "certificate-ended"


def test_a_link_that_listens_is_tested_as_far_as_it_can_be(authority: Authority, tmp_path: Path) -> None:
    pair = authority.issue("labmw.example")
    secured = tls(certificate=str(pair.certificate), key=str(pair.key), trusted=str(authority.file))
    config = configured(tmp_path, f'[[link]]\nname = "hears"\nlisten = "{HOST}:{free_port()}"\n{secured}')
    assert found(config, "hears") == (0, ["certificate-good", "link-test-nobody"])
    migrate(f"sqlite:///{tmp_path}/labmw.db")
    with hold(f"sqlite:///{tmp_path}/labmw.db"):
        assert found(config, "hears") == (0, ["certificate-good", "link-test-listens"])


def test_the_second_connection_of_law_is_dialled_too(tmp_path: Path) -> None:
    with listener() as port:
        law = f'driver = "law"\nprotocol = "law"\nlisten = "{HOST}:{free_port()}"\norders = "{HOST}:{port}"'
        config = configured(tmp_path, f'[[link]]\nname = "two"\n{law}')
        assert found(config, "two") == (
            0,
            ["link-test-nobody", "link-name-good", "link-connect-good", "link-test-plain"],
        )


def test_a_serial_port_has_no_network_and_is_opened(tmp_path: Path) -> None:
    config = configured(tmp_path, '[[link]]\nname = "cable"\nserial = { device = "/dev/no-such" }')
    assert found(config, "cable") == (1, ["link-test-serial", "wire-not-opened"])


def test_an_analyzer_is_not_dialled_twice(tmp_path: Path) -> None:
    migrate(f"sqlite:///{tmp_path}/labmw.db")
    with listener() as port, hold(f"sqlite:///{tmp_path}/labmw.db"):
        config = configured(tmp_path, f'[[link]]\nname = "dials"\nconnect = "{HOST}:{port}"', lis(port))
        assert found(config, "dials") == (0, ["link-test-running"])
        forced = found(config, "dials", "--force", "--no-call", "--seconds", "0.1")
        assert forced == (1, ["link-name-good", "link-connect-good", "link-test-plain", "wire-nothing"])
        assert found(config, "LIS")[0] == 0


def test_wrong_usage(tmp_path: Path) -> None:
    config = configured(tmp_path, '[[link]]\nname = "one"\nlisten = "127.0.0.1:1"')
    done = run(config, "two", "-l", "en")
    assert done.exit_code == 2
    assert "there are: one" in done.output
    assert run(tmp_path / "none.toml", "one").exit_code == 2


def test_every_sentence_is_used_somewhere() -> None:
    source = (ROOT / "labmw" / "watch" / "link_trial.py").read_text() + (ROOT / "labmw" / "cli" / "link.py").read_text()
    for code in read([ROOT / "labmw" / "phrases" / "link.toml"]):
        assert f'"{code}"' in source
        assert facts_of(code)
    assert {"link-tls-good", "link-test-good"} <= codes()


def test_a_line_keeps_its_name_at_the_beginning_of_a_sentence() -> None:
    assert _begun("rs is a serial port", "rs") == "rs is a serial port"
    assert _begun("labmw ne tourne pas", "rs") == "labmw ne tourne pas"
    assert _begun("the analyzer answers", "rs") == "The analyzer answers"


@contextlib.contextmanager
def speaking(context: ssl.SSLContext | None, says: bytes = b"") -> Iterator[int]:
    """A receiver with a TLS context of its own, or one that says something in clear to whatever comes."""
    listening = socket.create_server((HOST, 0))

    def serve() -> None:
        while True:
            try:
                plain, _ = listening.accept()
            except OSError:
                return
            with plain, contextlib.suppress(OSError):
                plain.settimeout(20)
                if context is None:
                    plain.recv(1)
                    plain.sendall(says)
                    plain.recv(64)
                else:
                    with context.wrap_socket(plain, server_side=True) as secured:
                        secured.recv(1)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join(30)


def serving(pair: Pair) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    return context


def old(pair: Pair) -> ssl.SSLContext:
    context = serving(pair)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


def without_forward_secrecy(pair: Pair) -> ssl.SSLContext:
    context = serving(pair)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("AES128-SHA256:@SECLEVEL=0")
    return context


def test_every_way_in_which_a_handshake_fails_is_said_in_both_languages(authority: Authority, tmp_path: Path) -> None:
    pair = authority.issue("lis.example")
    by = {"trusted": str(authority.file)}
    revoked = str(authority.revocations(pair))
    cases: list[tuple[ssl.SSLContext | None, bytes, dict[str, str], str, str, str]] = [
        (serving(pair), b"", {**by, "peer_name": "other.example"}, "tls-name", "correct peer_name", "corriger peer_name"),
        (serving(pair), b"", {**by, "revoked": revoked}, "tls-revoked", "has been revoked", "a été révoqué"),
        (old(pair), b"", by, "tls-version", "no version of TLS in common", "aucune version de TLS en commun"),
        (without_forward_secrecy(pair), b"", by, "tls-cipher", "agree on no encryption", "s'accordent sur aucun chiffrement"),
        (None, b"\x0bMSH|^~\\&|LIS\r\x1c\r", by, "tls-plain", "does not speak TLS", "ne parle pas TLS"),
        (None, b"HTTP/1.1 400 Bad Request\r\n\r\n", by, "tls-plain", "does not speak TLS", "ne parle pas TLS"),
    ]  # fmt: skip
    for context, says, own, code, english, french in cases:
        with speaking(context, says) as port:
            config = configured(tmp_path, lis(port, tls(**own)))
            assert code in found(config, "LIS")[1], code
            assert english in " ".join(run(config, "LIS", "-l", "en").output.split())
            assert french in " ".join(run(config, "LIS", "-l", "fr").output.split())


def test_a_receiver_of_tls_on_a_line_without_is_recognised(authority: Authority, tmp_path: Path) -> None:
    with speaking(serving(authority.issue("lis.example"))) as port:
        config = configured(tmp_path, lis(port))
        assert found(config, "LIS") == (1, ["link-name-good", "link-connect-good", "link-test-plain", "link-test-tls-there", "link-certificate"])  # fmt: skip
        assert "ajouter une table tls" in " ".join(run(config, "LIS", "-l", "fr").output.split())


def test_each_file_of_ours_that_cannot_be_used_is_said_in_french(authority: Authority, tmp_path: Path) -> None:
    ours, other = authority.issue("a.example"), authority.issue("b.example")
    secret = self_signed(tmp_path, "locked.example", passphrase=b"secret")
    weak = self_signed(tmp_path, "weak.example", bits=1024)
    garbage = tmp_path / "garbage.pem"
    garbage.write_text("not PEM")
    good = {"trusted": str(authority.file)}
    cases: list[tuple[dict[str, object], str]] = [
        ({"trusted": tmp_path / "none.pem"}, "est illisible"),
        ({"trusted": garbage}, "ne contient pas de certificats"),
        ({**good, "certificate": ours.certificate, "key": other.key}, "n'est pas celle du premier certificat"),
        ({**good, "certificate": secret.certificate, "key": secret.key}, "est chiffré"),
        ({**good, "certificate": weak.certificate, "key": weak.key}, "est trop faible"),
        ({**good, "certificate": garbage, "key": ours.key}, "sont inutilisables"),
        ({**good, "revoked": garbage}, "aucune liste de révocation"),
    ]
    for settings, french in cases:
        config = configured(tmp_path, lis(free_port(), tls(**{key: str(value) for key, value in settings.items()})))
        assert found(config, "LIS") == (1, ["certificate-unusable"])
        said = " ".join(run(config, "LIS", "-l", "fr").output.split())
        assert french in said and "TLS est impossible" in said

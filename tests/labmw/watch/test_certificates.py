"""What is said of certificates, of a line that TLS keeps closed, and of a wire that is tried with TLS."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from authority import DAY, NOW, Authority

from labmw.config import Config, Link, Lis, Site
from labmw.phrases import Language, codes, read
from labmw.store.transaction import row_type
from labmw.tls.settings import Tls
from labmw.watch.attempt import attempts
from labmw.watch.certificates import certificates, ends_of, of_one
from labmw.watch.finding import Weight
from labmw.watch.snapshot import Snapshot
from labmw.watch.trouble import Telling, troubles

ROOT = Path(__file__).parents[3]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def test_a_certificate_is_warned_of_in_time_and_its_chain_too(authority: Authority) -> None:
    tls = authority.server(warn_days=30)
    assert [one.code for one in of_one("x", tls, NOW, server=True)] == ["certificate-good"]
    later = list(of_one("x", tls, NOW + 340 * DAY, server=True))
    assert [(one.code, one.weight, one.facts["days"]) for one in later] == [("certificate-ends", Weight.WARNING, 25)]
    ended = list(of_one("x", tls, NOW + 366 * DAY, server=True))
    assert [(one.code, one.weight) for one in ended] == [("certificate-ended", Weight.ERROR)]


def test_a_revocation_list_is_warned_of_when_the_next_one_is_due_and_when_it_has_ended(authority: Authority) -> None:
    tls = authority.server(warn_days=30, revoked=str(authority.revocations(ends=20)))  # it holds 80 days in all

    def told(days: float, tls: Tls = tls) -> list[tuple[str, Weight]]:
        return [(one.code, one.weight) for one in of_one("x", tls, NOW + days * DAY, server=True)]

    assert told(-1) == [("certificate-good", Weight.GOOD)]
    assert told(0.5) == [("revocations-end", Weight.WARNING)]
    assert told(20) == [("revocations-ended", Weight.ERROR)]
    # The timer works again.
    authority.revocations(ends=200)
    assert told(20) == [("certificate-good", Weight.GOOD)]
    late = authority.server(warn_days=3, revoked=tls.revoked)
    assert told(196, late) == [("certificate-good", Weight.GOOD)] and told(198, late) == [
        ("revocations-end", Weight.WARNING)
    ]
    Path(tls.revoked).write_bytes(b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n")
    assert told(0) == [("certificate-unusable", Weight.ERROR)]


def test_every_line_and_the_lis_are_looked_at(authority: Authority, tmp_path: Path) -> None:
    secured, gone = authority.server(), Tls(trusted=str(tmp_path / "none.pem"))
    config = Config(
        site=Site(id="T"),
        link=[Link(name="hears", listen="127.0.0.1:0", tls=secured), Link(name="dials", connect="127.0.0.1:1", tls=gone), Link(name="plain", listen="127.0.0.1:0")],
        lis=Lis(connect="127.0.0.1:1", tls=authority.client()),
    )  # fmt: skip
    found = [(one.subject, one.code) for one in certificates(config, NOW)]
    assert found == [("hears", "certificate-good"), ("dials", "certificate-unusable"), ("LIS", "certificate-good")]


def test_when_the_first_ends_of_those_that_can_be_read(authority: Authority, tmp_path: Path) -> None:
    early, late = authority.issue("early.example", days=5), authority.issue("late.example", days=50)
    both = tmp_path / "both.pem"
    both.write_bytes(late.certificate.read_bytes() + early.certificate.read_bytes())
    tls = Tls(certificate=str(tmp_path / "none.pem"), trusted=str(both))
    assert ends_of(tls) == {"trusted": NOW + 5 * DAY}


@pytest.mark.parametrize(("language", "words"), [("en", "needs a new one there"), ("fr", "il en faut un nouveau")])
@pytest.mark.parametrize(("link", "code"), [("counter", "unreachable"), ("LIS", "lis-unreachable"), ("counter", "unsafe")])  # fmt: skip
def test_why_tls_failed_is_said_in_the_readers_language(language: Language, words: str, link: str, code: str) -> None:
    facts = {"reason": "tls-expired", "peer": "192.0.2.1:1", "words": "certificate has expired", "why": "English", "destination": "LIS"}  # fmt: skip
    at = datetime(2026, 1, 15, 8, 0, tzinfo=UTC)
    columns = {"link": link, "connected": 0, "peer": "", "heard_at": None, "message_at": None, "trouble": code, "facts": json.dumps({code: facts}), "updated_at": "2026-01-15T07:59:58.000000Z"}  # fmt: skip
    row = row_type(tuple(columns))(tuple(columns.values()))
    config = Config(
        site=Site(id="T"), link=[Link(name="counter", listen="127.0.0.1:0")], lis=Lis(connect="127.0.0.1:1")
    )
    snapshot = Snapshot(served_by=42, links=(row,), outbox=(), work=(), held=(), quarantine=(), tubes={}, alerts=())
    told = [one for one in troubles(config, snapshot, Telling(language, at, ZoneInfo("UTC"))) if one.code == code]
    assert words in told[0].sentence(language)
    assert told[0].weight is (Weight.WARNING if code == "unsafe" else Weight.ERROR)


def test_a_wire_is_tried_with_its_tls(authority: Authority) -> None:
    pair = authority.issue("lis.example")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        for _ in range(2):
            plain, _ = listening.accept()
            try:
                with context.wrap_socket(plain, server_side=True) as secured:
                    secured.recv(1)
            except OSError:
                plain.close()

    thread = threading.Thread(target=serve)
    thread.start()
    place = f"127.0.0.1:{listening.getsockname()[1]}"
    try:
        for trusted, code in (
            (authority.file, "check-live-good"),
            (Authority(authority.folder).file, "check-live-failed"),
        ):
            lis = Lis(connect=place, tls=Tls(trusted=str(trusted)))
            config = Config(site=Site(id="T"), link=[Link(name="x", connect=place, tls=lis.tls)])
            [attempt] = [one for one in attempts(config) if one.subject == "x"]
            assert attempt.make().code == code
    finally:
        listening.close()
        thread.join(10)


def test_every_sentence_about_tls_is_used() -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "labmw").rglob("*.py"))
    for code in read([ROOT / "labmw" / "phrases" / "tls.toml"]):
        assert f'"{code}"' in sources
    assert "tls-expired" in codes()

"""What is not as it should be in a recording of the network, or in a huge or accented capture, is said in the reader's language and bounded."""

from __future__ import annotations

import json
import struct
import subprocess
from pathlib import Path

import forked
import pytest
from typer.testing import CliRunner, Result

from labmw.cli.driver import app as driver_app
from labmw.cli.link import app as link_app
from labmw.driver.draft import slug
from labmw.line.registry import load

RECORDING = Path(__file__).parents[3] / "tests" / "data" / "new-analyzer" / "morning.astm"
HEAD = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101)


def packet(data: bytes, sequence: int = 1, source: bytes = b"\x0a\0\0\1", target: bytes = b"\x0a\0\0\2") -> bytes:
    tcp = struct.pack(">HHIIBBHHH", 4000, 5000, sequence, 0, 5 << 4, 0x18, 1024, 0, 0) + data
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0, source, target) + tcp
    return struct.pack("<IIII", 0, 0, len(ip), len(ip)) + ip


def labmw(*words: str) -> subprocess.CompletedProcess[str]:
    return forked.run(*words)


def replay(*words: str) -> Result:
    return CliRunner().invoke(link_app, ["replay", *words], catch_exceptions=False)


@pytest.mark.parametrize(
    ("data", "en", "fr"),
    [
        (bytes.fromhex("0a0d0d0a") + bytes(40), "is pcapng", "est au format pcapng"),
        (HEAD[:9], "no recording", "n'est pas un enregistrement"),
        (HEAD + struct.pack("<IIII", 0, 0, 2**32 - 1, 2**32 - 1), "is damaged", "est endommagé"),
        (HEAD[:20] + struct.pack("<I", 147), "link type 147", None),
    ],
)
def test_a_recording_that_cannot_be_read_is_told_in_both_languages(
    tmp_path: Path, data: bytes, en: str, fr: str | None
) -> None:
    file = tmp_path / "line.pcap"
    file.write_bytes(data)
    for language, words in (("en", en), ("fr", fr or "de type 147")):
        for done in (
            replay(str(file), "--language", language),
            CliRunner().invoke(driver_app, ["new", str(file), "--out", str(tmp_path / "x.py"), "--language", language]),
        ):
            assert (done.exit_code, words in done.output) == (2, True), done.output
    assert not (tmp_path / "x.py").exists()


def test_a_driver_is_drafted_from_a_recording_of_the_network(tmp_path: Path) -> None:
    data = RECORDING.read_bytes()
    answers = packet(b"\x06", source=b"\x0a\0\0\2", target=b"\x0a\0\0\1")
    (tmp_path / "line.pcap").write_bytes(HEAD + packet(data[:700]) + answers + packet(data[700:], 701))
    done = CliRunner().invoke(
        driver_app, ["new", str(tmp_path / "line.pcap"), "--out", str(tmp_path / "x.py"), "--language", "en"]
    )
    assert done.exit_code == 0, done.output
    assert load(tmp_path / "x.py").name == "acme-x100"


def test_a_name_with_accents_is_kept_readable() -> None:
    assert slug("Éléphant Hémato^1") == "elephant-hemato"
    assert slug("東京^1") == "new-analyzer"


@pytest.mark.parametrize(("language", "words"), [("en", "991 more records"), ("fr", "991 autres enregistrements")])
def test_a_huge_capture_is_shown_in_part_and_says_so(tmp_path: Path, language: str, words: str) -> None:
    file = tmp_path / "huge.astm"
    results = "".join(f"R|{n}|^^^K|4.1|mmol/L||N||F\r" for n in range(997))
    file.write_text(f"H|\\^&|||X\rP|1\rO|1|T1||^^^K|R\r{results}L|1|N\r")
    done = replay(str(file), "--most", "10", "--language", language)
    assert words in done.output
    assert len(done.output.splitlines()) < 50
    assert "more records" not in replay(str(file), "--language", "en").output  # all of them fit


@pytest.mark.parametrize("language", ["en", "fr"])
def test_decode_takes_a_recording_of_the_network_apart_as_replay_does(tmp_path: Path, language: str) -> None:
    data = RECORDING.read_bytes()
    whole, broken = tmp_path / "line.pcap", tmp_path / "other.pcap"
    whole.write_bytes(HEAD + packet(data[:700]) + packet(data[700:1400], 701) + packet(b"\x05later", 9000))
    broken.write_bytes(bytes.fromhex("0a0d0d0a") + bytes(40))
    done = labmw("decode", str(whole), "--json", "--language", language)
    assert "10.0.0.1:4000" in done.stderr  # packets are missing, and where
    shown = json.loads(done.stdout)
    assert shown["file"] == f"{whole} 10.0.0.1:4000 → 10.0.0.2:5000"
    assert shown["messages"][0]["sender"].startswith("ACME X100")
    refused = labmw("decode", str(broken), "--language", language)
    words = "is pcapng" if language == "en" else "est au format pcapng"
    assert (refused.returncode, words in " ".join(refused.stdout.split())) == (1, True), refused.stdout


@pytest.mark.parametrize("language", ["en", "fr"])
def test_what_cannot_be_opened_or_holds_nothing_is_told_in_the_language(tmp_path: Path, language: str) -> None:
    (tmp_path / "call").write_bytes(b"\x05")
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "refused").write_bytes(b"MSH|^~\\&|\r")
    told = {
        ("link", "replay", "."): (2, "is a folder", "est un dossier"),
        ("link", "replay", "gone"): (2, "there is no file", "il n'y a pas de fichier"),
        ("link", "replay", "call"): (0, "No message in it", "Aucun message dedans"),
        ("link", "replay", "empty"): (1, "The file is empty", "Le fichier est vide"),
        ("link", "replay", "refused"): (1, "refused: 1", "refusés : 1"),
        ("driver", "new", ".", "--out", "x.py"): (1, "The file is empty", "Le fichier est vide"),
        ("driver", "new", "gone", "--out", "x.py"): (2, "no such file", "pas de fichier ou de dossier"),
        ("driver", "new", "empty", "--out", "x.py"): (1, "The file is empty", "Le fichier est vide"),
    }
    for (noun, verb, file, *more), (code, en, fr) in told.items():
        out = [str(tmp_path / one) if one == "x.py" else one for one in more]
        done = labmw(noun, verb, str(tmp_path / file), *out, "--language", language)
        said = " ".join((done.stdout + done.stderr).split())
        assert (done.returncode, (en if language == "en" else fr) in said) == (code, True), said


def test_a_file_too_large_for_any_line_is_told_and_not_taken_for_a_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("decoder", "network_file"):
        monkeypatch.setattr(f"labmw.cli.{module}.LARGEST", 1000)
    file = tmp_path / "huge.astm"
    file.write_bytes(b"H|\\^&\r" + b"C|1\r" * 300)
    for language, words in (("en", "is larger than 1000 bytes"), ("fr", "dépasse 1000 octets")):
        done = replay(str(file), "--language", language)
        assert (done.exit_code, words in " ".join(done.output.split())) == (1, True), done.output

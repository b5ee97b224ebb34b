"""What is not as it should be in a recording of the network, or in a huge or accented capture, is said in the reader's language and bounded."""

from __future__ import annotations

import struct
from pathlib import Path

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

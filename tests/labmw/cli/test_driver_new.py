"""Does `labmw driver new` write a file from a capture, and say clearly when it does not?"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from labmw.cli.driver import app
from labmw.line.registry import load
from protocols.capture import FROM_INSTRUMENT, Piece, dumps

ROOT = Path(__file__).parents[3]
RECORDING = ROOT / "tests" / "data" / "new-analyzer" / "morning.astm"
ORU = b"MSH|^~\\&|NEWBOX|LAB|||20260310||ORU^R01|1|P|2.5.1\rPID|1\rOBR|1||S1|X\rOBX|1|NM|718-7^HGB^LN||140|g/L||N|||F\r"


def new(capture: Path, out: Path, *more: str) -> Result:
    return CliRunner().invoke(app, ["new", str(capture), "--out", str(out), *more], catch_exceptions=False)


@pytest.mark.parametrize("language", ["en", "fr"])
def test_a_file_is_written_and_loads(language: str, tmp_path: Path) -> None:
    done = new(RECORDING, tmp_path / "acme_x100.py", "-l", language)
    assert done.exit_code == 0, done.output
    assert "…" not in done.output
    driver = load(tmp_path / "acme_x100.py")
    assert driver.name == "acme-x100"
    again = new(RECORDING, tmp_path / "acme_x100.py", "-l", language)
    assert again.exit_code == 2


def test_a_wire_recording_and_hl7_will_do(tmp_path: Path) -> None:
    wire = tmp_path / "line.wire"
    wire.write_text(dumps([Piece(Decimal("0.1"), FROM_INSTRUMENT, RECORDING.read_bytes())], "a line"))
    assert new(wire, tmp_path / "a.py").exit_code == 0
    for name, data in (("b", ORU), ("c", b"\x0b" + ORU + b"\x1c\r")):
        (tmp_path / f"{name}.hl7").write_bytes(data)
        assert new(tmp_path / f"{name}.hl7", tmp_path / f"{name}.py").exit_code == 0
        driver = load(tmp_path / f"{name}.py")
        assert (driver.name, driver.protocol) == ("newbox", "hl7")
        assert "# LOINC candidate, sent by the analyzer itself: 718-7" in (tmp_path / f"{name}.py").read_text()


@pytest.mark.parametrize(
    ("data", "code", "said"),
    [
        (b"", 1, "is empty"),
        (b"hello world", 1, "no capture"),
        (b"0.0 > zz\n0.1 > 05\n", 1, "no capture"),
        (b"0.0 > 05\n0.1 ? 05\n", 2, "cannot be read"),
        (b"H|\\^&|||X1\rL|1|N\r", 1, "no result"),
    ],
)
def test_what_is_no_capture_with_results_is_said(data: bytes, code: int, said: str, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(data)
    done = new(tmp_path / "x", tmp_path / "x.py", "-l", "en")
    assert (done.exit_code, said in done.output) == (code, True), done.output
    assert not (tmp_path / "x.py").exists()


def test_a_family_that_is_known_is_not_drafted_beside_its_driver(tmp_path: Path) -> None:
    capture = ROOT / "tests" / "captures" / "sysmex-xn" / "composed-cbc.astm"
    done = new(capture, tmp_path / "x.py", "-l", "en")
    assert done.exit_code == 2
    assert "is read by sysmex-xn already" in done.output
    assert new(capture, tmp_path / "x.py", "--name", "sysmex-xn").exit_code == 0
    assert new(RECORDING, tmp_path / "y.py", "--name", "sysmex-xn").exit_code == 2
    assert new(RECORDING, tmp_path / "y.py", "--name", "Sysmex XN").exit_code == 2
    assert new(tmp_path / "missing", tmp_path / "y.py").exit_code == 2


def test_several_files_or_a_folder_are_one_recording(tmp_path: Path) -> None:
    folder = tmp_path / "recorded"
    folder.mkdir()
    assert new(folder, tmp_path / "none.py", "-l", "en").exit_code == 1
    (folder / "monday.astm").write_bytes(RECORDING.read_bytes())
    (folder / "tuesday.astm").write_bytes(RECORDING.read_bytes() + b"\r")
    done = new(folder, tmp_path / "whole.py", "-l", "en")
    assert done.exit_code == 0, done.output
    alone = new(folder / "monday.astm", tmp_path / "alone.py", str(folder / "monday.astm"), "-l", "en")
    assert alone.exit_code == 0, alone.output
    (folder / "empty.astm").write_bytes(b"\x05\x04")  # a session in which nothing was said
    assert new(folder, tmp_path / "silent.py").exit_code == 0
    (folder / "empty.astm").unlink()
    assert "2 captures, monday.astm to tuesday.astm" in (tmp_path / "whole.py").read_text()
    assert "the capture monday.astm" in (tmp_path / "alone.py").read_text()  # named twice, read once
    (folder / "wednesday.hl7").write_bytes(ORU)
    mixed = new(folder, tmp_path / "mixed.py", "-l", "en")
    assert (mixed.exit_code, "another protocol" in mixed.output) == (2, True), mixed.output
    (folder / "wednesday.hl7").unlink()
    (folder / "thursday.hl7").write_bytes(RECORDING.read_bytes().replace(b"ACME X100", b"OTHER 7"))
    strange = new(folder, tmp_path / "strange.py", "-l", "en")
    assert (strange.exit_code, "several senders" in strange.output) == (2, True), strange.output

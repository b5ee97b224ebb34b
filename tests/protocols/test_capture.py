"""Captures are read back exactly, and a file is recognised by how it begins."""

import os
import tomllib
from decimal import Decimal as D
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.capture import FROM_INSTRUMENT, FROM_LABMW, Piece, dumps, loads, pieces_to_bytes, sniff
from protocols.errors import CaptureError

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "tests" / "examples"
CORPUS = Path(os.environ.get("LABMW_CORPUS", ROOT.parent / "shared" / "corpus"))
MANIFEST = CORPUS / "manifest.toml"
FILES = tomllib.loads(MANIFEST.read_text())["file"] if MANIFEST.exists() else []

PIECES = [Piece(D("0.000"), ">", b"\x05"), Piece(D("0.004"), "<", b"\x06"), Piece(D("0.004"), ">", b"\x021H|\r\x03")]
TEXT = "# cobas e 411\n#\n# line 2\n0.000 > 05\n0.004 < 06\n0.004 > 0231487c0d03\n"


def test_format() -> None:
    assert dumps(PIECES, "cobas e 411\n\nline 2") == TEXT
    assert loads(TEXT) == PIECES
    assert pieces_to_bytes(PIECES) == pieces_to_bytes(PIECES, FROM_INSTRUMENT) == b"\x05\x021H|\r\x03"
    assert pieces_to_bytes(PIECES, FROM_LABMW) == b"\x06"


def test_what_people_write_by_hand() -> None:
    assert loads("\r\n  # x\r\n\t1\t>\t05 06  0A\r\n") == [Piece(D("1"), ">", b"\x05\x06\x0a")]
    assert loads("") == []


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("0.1 >", "line 2"),
        ("0.1 > 5", "line 2"),
        ("0.1 > 0x05", "line 2"),
        ("0.1 ? 05", "line 2"),
        ("-1 > 05", "line 2"),
        ("NaN > 05", "line 2"),
        ("1e5 > 05", "line 2"),
        ("٣ > 05", "line 2"),
        ("> 05", "line 2"),
        ("0.1 > 05 # comment", "line 2"),
        ("0.00001 > 05\n0 > 06", "line 3: 0 s is before"),
    ],
)
def test_a_bad_line_is_named(line: str, says: str) -> None:
    with pytest.raises(CaptureError, match=says):
        loads("# head\n" + line)


@pytest.mark.parametrize(
    ("piece", "says"),
    [
        (Piece(D("0"), "?", b"x"), "direction"),
        (Piece(D("-1"), ">", b"x"), "time -1"),
        (Piece(D("NaN"), ">", b"x"), "time NaN"),
        (Piece(D("1"), ">", b""), "empty"),
        (Piece(D("1E-12"), ">", b"x"), "to the nanosecond"),
        (Piece(D("1E+12"), ">", b"x"), "time 1E"),
    ],
)
def test_a_piece_that_does_not_fit_is_refused(piece: Piece, says: str) -> None:
    with pytest.raises(CaptureError, match=says):
        dumps([piece])


@given(
    st.lists(
        st.builds(Piece, st.decimals(D("0"), D("99999"), places=6), st.sampled_from("<>"), st.binary(min_size=1)),
        max_size=8,
    ),
    st.text(st.characters(exclude_categories=["Cs"])),
)
def test_any_pieces_come_back(pieces: list[Piece], comment: str) -> None:
    pieces.sort(key=lambda piece: piece.seconds)
    assert loads(dumps(pieces, comment)) == pieces


@given(st.text("0123456789abcdef.<># \n", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        pieces = loads(text)
    except CaptureError as error:
        assert "line " in str(error)
        return
    assert loads(dumps(pieces)) == pieces


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"", "unknown"),
        (b"\r\n \0", "unknown"),
        (b"hello", "unknown"),
        (b"%PDF-1.7", "unknown"),
        (b"\x05", "lis01"),
        (b"\x06\x06\x06", "unknown"),
        (b"\x05\x021H|\\^&|", "lis01"),
        (b"\x06\x021H|\\^&|", "lis01"),
        (b"\x02H|\\^&|\x03", "stx-etx"),
        (b"\x023P|1|\x03", "lis01"),
        (b"H|\\^&|||x\r", "records"),
        (b"\xef\xbb\xbfH|\\^&|||x\r\n", "records"),
        (b"H`\\^&|||x\r", "records"),
        (b"O|1|SID\r", "records"),
        (b"\x0bMSH|^~\\&|", "mllp"),
        (b"\r\n\x0bMSH|^~\\&|", "mllp"),
        (b"MSH|^~\\&|", "segments"),
        (b"BHS$%*!@$", "segments"),
        (b"FHS|^~\\&|", "segments"),
        (TEXT.encode(), "wire"),
        (TEXT.encode().replace(b"\n", b"\r\n"), "wire"),
        (b"0.5 > " + b"05" * 10_000, "wire"),
        (b"0.55 > " + b"05" * 10_000, "wire"),
        (b"# only a comment", "unknown"),
        (b"# x\n" * 200 + b"0 > 05\n" + b"0 > 06\n" * 2000, "wire"),
        (b"# a heading\nand text", "unknown"),
        (b"Here is the Hospital", "unknown"),
        (b"MSHA lot", "unknown"),
    ],
)
def test_sniff(data: bytes, kind: str) -> None:
    assert sniff(data) == kind


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*")), ids=lambda path: path.name)
def test_sniff_examples(path: Path) -> None:
    kinds = {".hl7": "segments", ".mllp": "mllp", ".astm": "records", ".bin": "lis01", ".txt": "unknown"}
    assert sniff(path.read_bytes()) == kinds[path.suffix]


@pytest.mark.skipif(not FILES, reason=f"no message corpus in {CORPUS}: set LABMW_CORPUS")
@pytest.mark.parametrize("file", FILES, ids=lambda file: file["path"])
def test_sniff_corpus(file: dict[str, str]) -> None:
    assert sniff((CORPUS / file["path"]).read_bytes()) == file["framing"]

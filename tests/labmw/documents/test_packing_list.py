"""Barcodes as ISO/IEC 15417 draws them, and a packing list that says what was given."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from labmw.documents.barcode import code128
from labmw.documents.packing_list import PackedTube, PackingList, as_pdf

LINE = PackedTube(
    "26031500123",
    ("ALAT #set text(red)", "*TSH*"),
    ("SO1-1", "SO1-2"),
    "",
    ("DUPONT #panic() Léa", "12/04/1985 · F"),
    "IS01",
)


def test_a_known_drawing() -> None:
    # Start B, "A" (33), check (104 + 33) % 103 = 34, stop: taken from the table of the standard
    assert "".join(map(str, code128("A"))) == "211214" + "111323" + "131123" + "2331112"
    # Start C, 12, check (105 + 12) % 103 = 14; two digits alone stay in set B
    assert len(code128("1234")) == 6 * 4 + 7


@given(some.text(some.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=40))
def test_every_symbol_has_eleven_modules(text: str) -> None:
    widths = code128(text)
    assert (sum(widths) - 13) % 11 == 0
    assert all(1 <= width <= 4 for width in widths)


@pytest.mark.parametrize("text", ["", "é", "a\n"])
def test_what_cannot_be_drawn_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="Code 128"):
        code128(text)


def paper(*tubes: PackedTube) -> PackingList:
    return PackingList("List", "SPE-1", (("to", "Labo #[x]"),), "fr", ("a", "b", "c"), "INS à scanner", tubes)


def test_a_list_is_printed_and_its_texts_are_no_markup() -> None:
    one = paper(LINE, PackedTube("é", ("x",), ("y",), "z"), PackedTube("T2", (), ()))
    assert as_pdf(one).startswith(b"%PDF-")
    assert as_pdf(one) == as_pdf(one)


def test_an_empty_box_and_many_tubes_are_printed() -> None:
    assert as_pdf(paper()).startswith(b"%PDF-")
    assert b"/Type/Pages/Count 1/" in as_pdf(paper(LINE))
    assert b"/Type/Pages/Count 5/" in as_pdf(paper(*[LINE] * 60))

"""Barcodes as ISO/IEC 15417 draws them, and a packing list that says what was given."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from labmw.documents.barcode import code128
from labmw.documents.packing_list import PackedTube, PackingList, as_pdf

LINE = PackedTube("26031500123", "ALAT #set text(red)", "SO1-1", "packed")


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


def test_a_list_is_printed_and_its_texts_are_no_markup() -> None:
    paper = PackingList(
        "List", "SPE-1", "Labo · +4 · 2", "fr", ("a", "b", "c", "d"), (LINE, PackedTube("é", "x", "y", "z"))
    )
    assert as_pdf(paper).startswith(b"%PDF-")
    assert as_pdf(paper) == as_pdf(paper)

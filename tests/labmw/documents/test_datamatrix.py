"""Data Matrix symbols as ISO/IEC 16022 draws them: the example of the standard, and every size read back with its correction intact."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as some

from labmw.documents import datamatrix as made
from labmw.documents.datamatrix import datamatrix


def test_the_example_of_the_standard() -> None:
    words = made._codewords("123456")
    assert words == [142, 164, 186]
    assert made._correction(words, made._SIZES[0]) == [114, 25, 5, 88, 102]
    drawn = ["".join("#" if dark else "." for dark in row) for row in datamatrix("123456")]
    assert drawn == [
        "#.#.#.#.#.",
        "##..#.##.#",
        "##.....#..",
        "##...###.#",
        "##....#...",
        "#.....####",
        "###.##....",
        "####.##..#",
        "#..###.#..",
        "##########",
    ]


def test_a_symbol_that_a_reader_has_read() -> None:
    text = "IS010000000000000000000000S1279035121518989S21.2.250.1.213.1.4.8\x1dS3DOMINIQUE\x1dS4PAT-TROIS\x1dS5FS627-03-1979S763220"
    rows = datamatrix(text)
    drawn = "\n".join("".join("#" if dark else "." for dark in row) for row in rows)
    assert len(rows) == 36
    assert (
        hashlib.sha256(drawn.encode()).hexdigest() == "6cadfa794e553afbadbdf04d2d3aad9e0f7a13be5a1efce18c29ae2750d981d6"
    )


def read(rows: list[list[bool]]) -> list[int]:
    """The codewords of a symbol, block by block free of faults: every syndrome is zero."""
    size = next(one for one in made._SIZES if one.side == len(rows))
    region = size.side // size.regions
    kept = [n for n in range(size.side) if n % region not in (0, region - 1)]
    inner = [[rows[y][x] for x in kept] for y in kept]
    words = [
        sum(inner[row][column] << (7 - bit) for bit, (row, column) in enumerate(modules))
        for modules in made._places(len(kept))
    ]
    assert len(words) == size.data + size.check
    for block in range(size.blocks):
        mine = words[block :: size.blocks]
        for power in range(1, size.check // size.blocks + 1):
            rest = 0
            for word in mine:
                rest = made._product(rest, made._EXP[power]) ^ word
            assert rest == 0
    return words[: size.data]


@pytest.mark.parametrize("size", made._SIZES, ids=lambda one: str(one.side))
def test_every_size_has_its_border_and_its_correction(size: made._Size) -> None:
    rows = datamatrix("Q" * size.data)
    assert (len(rows), len(rows[0])) == (size.side, size.side)
    assert all(row[0] for row in rows)
    assert all(rows[-1])
    assert [row[-1] for row in rows] == [y % 2 == 1 for y in range(size.side)]
    assert read(rows) == [ord("Q") + 1] * size.data


@given(some.text(some.characters(max_codepoint=127), min_size=1, max_size=180))
def test_what_is_drawn_is_the_text(text: str) -> None:
    words = read(datamatrix(text))
    found = []
    for word in words:
        if word == 129:
            break
        found.append(f"{word - 130:02d}" if word >= 130 else chr(word - 1))
    assert "".join(found) == text


@pytest.mark.parametrize("text", ["é", "Q" * 369])
def test_what_cannot_be_drawn_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="Data Matrix"):
        datamatrix(text)

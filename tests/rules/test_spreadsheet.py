"""CSV from English and French spreadsheets: accepted where it is unambiguous, refused with file, line and remedy elsewhere."""

from __future__ import annotations

import contextlib
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labmw.errors import PackError
from rules.spreadsheet import LARGEST, Sheet, read_sheet

COLUMNS = ("name", "low", "high")
NUMERIC = ("low", "high")


def read(data: bytes) -> Sheet:
    return read_sheet("t.csv", data, COLUMNS, NUMERIC)


def numbers(sheet: Sheet) -> list[tuple[Decimal | None, Decimal | None]]:
    return [(sheet.number(line, "low"), sheet.number(line, "high")) for line in sheet.lines]


@pytest.mark.parametrize(
    "data",
    [
        b"name,low,high\nsodium,3.5,\n",
        b"name;low;high\nsodium;3,5;\n",
        b"name;low;high\nsodium;3.5;\n",
        b"\xef\xbb\xbfname;low;high\r\nsodium;3,5;\r\n",
        b"name;low;high\rsodium;3,5;\r",
        b"high,low,name\n,3.5,sodium\n",
        b"name,low,high\n\n ,,\nsodium, 3.5 ,\xc2\xa0\n",
        b'"name";"low";"high"\n"sodium";"3,5";""\n',
    ],
)
def test_the_same_numbers_in_many_dresses(data: bytes) -> None:
    sheet = read(data)
    assert numbers(sheet) == [(Decimal("3.5"), None)]
    assert sheet.lines[0].cells["name"] == "sodium"


def test_windows_1252_and_utf8() -> None:
    for encoding in ("cp1252", "utf-8", "utf-8-sig"):
        assert read("name;low;high\nnatrémie;1;2\n".encode(encoding)).lines[0].cells["name"] == "natrémie"


def test_line_numbers_are_those_of_the_file() -> None:
    assert [line.number for line in read(b"name,low,high\na,1,2\n\nb,1,2\n").lines] == [2, 4]


def test_three_decimals_are_read_when_another_number_shows_the_comma() -> None:
    assert numbers(read(b"name;low;high\na;1,234;2,5\n")) == [(Decimal("1.234"), Decimal("2.5"))]
    assert numbers(read(b"name;low;high\na;0,125;\n")) == [(Decimal("0.125"), None)]


@given(st.decimals(min_value=-1000, max_value=1000, places=2, allow_nan=False))
def test_comma_and_point_give_the_same_exact_decimal(number: Decimal) -> None:
    plain = f"{number:f}"
    point = read(f"name,low,high\na,{plain},\n".encode())
    comma = read(f"name;low;high\na;{plain.replace('.', ',')};\n".encode())
    assert numbers(point) == numbers(comma) == [(number, None)]


@pytest.mark.parametrize(
    ("data", "where", "remedy"),
    [
        (b"name;low;high\na;1,234;\n", "line 2, low", "thousands"),
        (b"name;low;high\na;1,5;2.5\n", "line 2, high", "same decimal mark"),
        (b'name,low,high\na,"3,5",\n', "line 2, low", "decimal point"),
        (b"name;low;high\na;1,5;2 000\n", "line 2, high", "decimal comma"),
        (b"name,low,high\na,1e3,\n", "line 2, low", "decimal point"),
        (b"name,low,high\na,NaN,\n", "line 2, low", "decimal point"),
        ("name,low,high\na,٣,\n".encode(), "line 2, low", "decimal point"),
        (b"name,low,high\na,05/06/2026,\n", "line 2, low", "decimal point"),
        (b"name,low;high\n", "line 1", "one of them"),
        (b"name,low,hihg\na,1,2\n", "line 1", "did you mean 'high'"),
        (b"name,low\na,1\n", "line 1", "the header is name,low,high"),
        (b"name,low,high,low\na,1,2,3\n", "line 1", "the header is"),
        (b"name,low,high\na,1\n", "line 2", "every column a cell"),
        (b"name,low,high\na,1,2,3\n", "line 2", "every column a cell"),
        (b'name,low,high\n"a,1,2\n', "line 2", "mend its quotes"),
        (b"name,low,high\n", "t.csv", "at least one row"),
        (b"", "t.csv", "at least one row"),
        (b"name,low,high\na,1,\0\n", "t.csv", "save it as CSV"),
        (b"name,low,high\n\x81,1,2\n", "t.csv", "save it as CSV"),
        (b"n" * (LARGEST + 1), "t.csv", "keep a limit table under"),
    ],
)
def test_what_is_refused(data: bytes, where: str, remedy: str) -> None:
    with pytest.raises(PackError) as caught:
        for line in (sheet := read(data)).lines:
            for column in NUMERIC:
                sheet.number(line, column)
    assert str(caught.value).startswith("t.csv: ")
    assert where in str(caught.value)
    assert remedy in str(caught.value)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(PackError):
        read(data)

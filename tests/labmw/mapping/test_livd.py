"""Is a maker's LIVD table read, and what it cannot say left to a person?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labmw.errors import MappingError
from labmw.mapping.livd import Livd, read_livd

TABLE = (
    "LIVD Mapping,,,,,,,,\n"
    "Publication Version ID,Manufacturer,Model,Vendor Analyte Code,Vendor Analyte Name,Vendor Specimen Description,"
    "Vendor Result Description,LOINC Code,LOINC Long Name\n"
    "ACME-7,Acme,X100,41,TSH,Serum,Quantitative,3016-3,Thyrotropin\n"
    'ACME-7,Acme,X100,42,"Potassium, ISE",Serum,Quantitative,2823-3,Potassium\n'
    "ACME-7,Acme,X100,43,Bad,Serum,Quantitative,2823-4,Potassium\n"
    "ACME-7,Acme,X100,,Nameless,Serum,Quantitative,2823-3,Potassium\n"
    ",,,,,,,,\n"
)


def read(text: str) -> Livd:
    return read_livd("livd.csv", text.encode())


def test_its_lines_become_proposals() -> None:
    found = read(TABLE)
    assert [(one.line, one.code, one.loinc, one.name) for one in found.proposals] == [
        (3, "41", "3016-3", "TSH"),
        (4, "42", "2823-3", "Potassium, ISE"),
    ]
    assert found.publication == "ACME-7"
    assert found.refused == ((5, "livd-bad-loinc", "2823-4"), (6, "livd-no-code", "Nameless"))


@pytest.mark.parametrize("mark", [";", "\t"])
def test_other_marks_and_encodings(mark: str) -> None:
    text = TABLE.replace('"Potassium, ISE"', "Potassium é").replace(",", mark)
    for encoding in ("utf-8-sig", "cp1252"):
        found = read_livd("livd.csv", text.encode(encoding).replace(b"\n", b"\r\n"))
        assert found.proposals[1].name == "Potassium é"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no columns"),
        (b"PK\x03\x04\x00\x00", "no CSV file"),
        (b"a,b\n1,2\n", "no columns"),
        (b"Vendor Analyte Code,LOINC Code,LOINC Code\n1,3016-3,3016-3\n", "two columns say"),
        (b'Vendor Analyte Code,LOINC Code\n"1,3016-3\n', "is not CSV"),
    ],
)
def test_what_is_no_such_table_is_said(data: bytes, said: str) -> None:
    with pytest.raises(MappingError, match=said):
        read_livd("livd.csv", data)


@given(st.binary(max_size=500))
def test_rubbish_is_refused_and_never_a_fault_of_ours(data: bytes) -> None:
    try:
        read_livd("livd.csv", data)
    except MappingError as error:
        assert ";" in str(error)

"""Is a version of the mapping read as spreadsheets write it, and every mistake refused with its place and remedy?"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labmw.errors import MappingError
from labmw.mapping import read, version
from labmw.mapping.read import ANALYTE_COLUMNS, CODE_COLUMNS, KEYS, load
from labmw.mapping.version import Version, digest

PAGE = """
id = "LAB1"
version = "1"
author = "A. Martin"
from = 2026-12-01T00:00:00+01:00
catalogue = "catalogue.csv"
codes = ["codes.csv"]
[units]
"mUI par L" = "m[IU]/L"
"""
CATALOGUE = "analyte;name;loinc;unit;also;words;decimals;specimens\nTSH;TSH;3016-3;m[IU]/L;u[IU]/mL;;2;SER|PLAS\nHCG;hCG;2106-3;;;NEG|POS;;UR\n"
CODES = "driver;link;code;analyte;unit\nacme-x100;;41;TSH;\nacme-x100;counter-2;41;TSH;u[IU]/mL\nacme-x100;;42;-;\n"


def written(folder: Path, page: str = PAGE, catalogue: str | bytes = CATALOGUE, codes: str | bytes = CODES) -> Path:
    file = folder / "one.toml"
    file.write_text(page, encoding="utf-8")
    for name, data in (("catalogue.csv", catalogue), ("codes.csv", codes)):
        (folder / name).write_bytes(data.encode() if isinstance(data, str) else data)
    return file


def test_a_version_is_what_its_tables_say(tmp_path: Path) -> None:
    one = load(written(tmp_path))
    tsh, hcg = one.analytes["TSH"], one.analytes["HCG"]
    assert (tsh.loinc, tsh.unit, tsh.also, tsh.decimals, tsh.specimens) == (
        "3016-3",
        "m[IU]/L",
        ("u[IU]/mL",),
        2,
        ("SER", "PLAS"),
    )
    assert (hcg.unit, hcg.words) == ("", ("NEG", "POS"))
    assert one.units == {"mUI par L": "m[IU]/L"}
    assert one.codes_of("counter-1", "acme-x100")["41"].unit == ""
    assert one.codes_of("counter-2", "acme-x100")["41"].unit == "u[IU]/mL"
    assert one.codes_of("counter-1", "other") == {}
    assert one.name == f"LAB1@1#{one.hash[7:19]}"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
@pytest.mark.parametrize("mark", [";", ","])
def test_a_spreadsheet_of_either_country_says_the_same(mark: str, encoding: str, tmp_path: Path) -> None:
    catalogue = CATALOGUE.replace("hCG;", "hCG urinaire ; é".replace(" ; é", " é;")).replace(";", mark)
    one = load(written(tmp_path, catalogue=catalogue.encode(encoding).replace(b"\n", b"\r\n")))
    assert one.analytes["HCG"].name == "hCG urinaire é"
    (tmp_path / "plain").mkdir()
    assert one.hash == load(written(tmp_path / "plain", catalogue=catalogue)).hash


def test_tables_may_stand_in_the_page(tmp_path: Path) -> None:
    page = (
        PAGE.replace('catalogue = "catalogue.csv"\ncodes = ["codes.csv"]\n', "")
        + """
[[analyte]]
id = "TSH"
name = "TSH"
loinc = "3016-3"
unit = "m[IU]/L"
also = ["u[IU]/mL"]
decimals = 2
specimens = ["SER", "PLAS"]
[[analyte]]
id = "HCG"
name = "hCG"
loinc = "2106-3"
words = ["NEG", "POS"]
specimens = ["UR"]
[[code]]
driver = "acme-x100"
code = "42"
analyte = "-"
[[code]]
driver = "acme-x100"
code = "41"
analyte = "TSH"
[[code]]
driver = "acme-x100"
link = "counter-2"
code = "41"
analyte = "TSH"
unit = "u[IU]/mL"
"""
    )
    (tmp_path / "page").mkdir()
    assert load(written(tmp_path / "page", page)).hash == load(written(tmp_path)).hash


MISTAKES: list[tuple[str, str, dict[str, Any]]] = [
    ("check digit of LOINC '3016-4' is wrong; look", "line 2", {"catalogue": CATALOGUE.replace("3016-3", "3016-4")}),
    ("'mUI/L' is not UCUM", "line 2", {"catalogue": CATALOGUE.replace("m[IU]/L", "mUI/L")}),
    ("is there twice", "line 3", {"catalogue": CATALOGUE.replace("HCG;hCG", "TSH;hCG")}),
    ("neither a unit nor words", "line 3", {"catalogue": CATALOGUE.replace("NEG|POS", "")}),
    ("no number of decimals", "line 2", {"catalogue": CATALOGUE.replace(";2;", ";99;")}),
    ("no number of decimals", "line 2", {"catalogue": CATALOGUE.replace(";2;", ";2,5;")}),
    ("cannot name an analyte", "line 2", {"catalogue": CATALOGUE.replace("\nTSH;", "\n-;")}),
    ("is not a known column", "line 1", {"catalogue": CATALOGUE.replace("loinc", "loinç")}),
    ("'TSHX' is not in the catalogue", "line 2", {"codes": CODES.replace("41;TSH;\n", "41;TSHX;\n", 1)}),
    ("names neither a driver nor a link", "line 2", {"codes": CODES.replace("acme-x100;;41", ";;41", 1)}),
    ("TSH may be in m[IU]/L, u[IU]/mL", "line 3", {"codes": CODES.replace("u[IU]/mL", "mmol/L")}),
    ("is there twice for the same analyzer", "line 5", {"codes": CODES + "acme-x100;;41;TSH;\n"}),
    ("has no code", "line 2", {"codes": CODES.replace(";41;TSH;\n", ";;TSH;\n", 1)}),
    ("4 cells where the header has 5", "line 5", {"codes": CODES + "acme-x100;;77;TSH\n"}),
    ("means 10*9/L everywhere", "units", {"page": PAGE.replace('"mUI par L" = "m[IU]/L"', '"G/L" = "10*6/L"')}),
    ("is not UCUM", "units", {"page": PAGE.replace('"m[IU]/L"', '"milli"')}),
    ("is not a date and time with its offset", "from", {"page": PAGE.replace("+01:00", "")}),
    (
        "is not after from",
        "until",
        {"page": PAGE.replace("catalogue =", "until = 2026-12-01T00:00:00+01:00\ncatalogue =")},
    ),
    ("is not a known key", "cataloge", {"page": PAGE.replace("catalogue =", "cataloge =")}),
    ("is missing", "author", {"page": PAGE.replace("author", "auteur")}),
    ("is not beside this file", "one.toml", {"page": PAGE.replace('"catalogue.csv"', '"../catalogue.csv"')}),
    ("cannot be read", "one.toml", {"page": PAGE.replace('"catalogue.csv"', '"missing.csv"')}),
    ("cannot be read", "one.toml", {"page": "id = "}),
    ("cannot be a name", "id", {"page": PAGE.replace('"LAB1"', '"LAB 1"')}),
]


@pytest.mark.parametrize(("problem", "where", "files"), MISTAKES, ids=[problem for problem, *_ in MISTAKES])
def test_each_mistake_names_its_place(problem: str, where: str, files: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(MappingError) as caught:
        load(written(tmp_path, **files))
    assert problem in str(caught.value)
    assert where in str(caught.value)


@given(st.binary(max_size=400))
def test_rubbish_is_refused_and_never_a_fault_of_ours(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    folder = tmp_path_factory.getbasetemp()
    with pytest.raises(MappingError):
        load(written(folder, catalogue=data))


def test_the_hash_is_of_what_it_says(tmp_path: Path) -> None:
    one = load(written(tmp_path))
    (tmp_path / "b").mkdir()
    retyped = PAGE.replace("\n[units]", "\n# a remark\n[units]").replace('"mUI par L" = ', '"mUI par L"   =   ')
    lines = CODES.splitlines()
    assert (
        load(written(tmp_path / "b", retyped, codes="\n".join([lines[0], *reversed(lines[1:])]) + "\n")).hash
        == one.hash
    )
    differing: dict[str, Any] = {
        "id": "LAB2", "version": "2", "author": "B", "begins": one.begins.replace(year=2027), "ends": one.begins.replace(year=2028),
        "units": {}, "codes": one.codes[:1], "analytes": {key: replace(a, decimals=3) for key, a in one.analytes.items()},
    }  # fmt: skip
    hashes = {digest(replace(one, **{name: value})) for name, value in differing.items()}
    assert len(hashes) == len(differing)
    assert one.hash not in hashes
    assert set(differing) == set(Version.__slots__) - {"file", "hash"}, "every field that says something is hashed"


def test_the_schema_for_editors_has_the_keys_that_are_read() -> None:
    schema = json.loads((Path(version.__file__).parent / "mapping.schema.json").read_text(encoding="utf-8"))
    assert tuple(schema["properties"]) == KEYS
    items = {name: schema["properties"][name]["items"] for name in ("analyte", "code")}
    assert set(items["analyte"]["properties"]) == {"id" if name == "analyte" else name for name in ANALYTE_COLUMNS}
    assert set(items["code"]["properties"]) == set(CODE_COLUMNS)
    source = Path(read.__file__).read_text(encoding="utf-8")
    for name in KEYS:
        assert f'"{name}"' in source
    for one in (schema, *items.values()):
        assert one["additionalProperties"] is False


def test_a_catalogue_may_say_the_class_of_a_test(tmp_path: Path) -> None:
    file = written(tmp_path)
    plain = load(file)
    assert plain.classes == {}, "a catalogue without the column is read as before"
    table = tmp_path / "catalogue.csv"
    lines = CATALOGUE.strip().split("\n")
    table.write_text("\n".join([f"{lines[0]};class", f"{lines[1]};prenatal", f"{lines[2]};"]), encoding="utf-8")
    found = load(file)
    assert found.classes == {"3016-3": "prenatal"} and found.hash != plain.hash
    table.write_text("\n".join([f"{lines[0]};class", f"{lines[1]};CHEM", f"{lines[2]};"]), encoding="utf-8")
    assert load(file).hash == plain.hash, "what says no class has the hash that it had before"
    table.write_text("\n".join([f"{lines[0]};class", f"{lines[1]};prenatl", f"{lines[2]};"]), encoding="utf-8")
    with pytest.raises(MappingError, match="line 2, class: 'prenatl' is no class"):
        load(file)

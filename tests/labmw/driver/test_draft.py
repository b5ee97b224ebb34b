"""Is the first draft of a driver one that loads, claims nothing it has not seen, and holds everything back?"""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labmw.cli.unframe import peek
from labmw.driver import astm, draft
from labmw.driver.check import faults
from labmw.driver.declaration import Evidence, Field
from labmw.driver.survey import Seen, Survey, of_astm
from labmw.line.registry import Registry, load
from protocols.astm.message import Message

TEXT = st.text(max_size=30)
PARIS = ZoneInfo("Europe/Paris")
HEADER = r"H|\^&|||ACME X100^2.1^SN0042|||||||P|LIS2-A2|20260310081500"


def messages(*records: str) -> list[Message]:
    return peek("\r".join([*records, "L|1|N", ""]).encode("utf-8"), "records")


def written(folder: Path, survey: Survey, name: str = "drafted") -> Path:
    file = folder / f"{name.replace('-', '_')}.py"
    file.unlink(missing_ok=True)
    file.write_text(
        draft.write(survey, name, "a capture", draft.known_codes(Registry.find().drivers.values())), encoding="utf-8"
    )
    return file


def survey_of(sender: str, code: str, value: str, unit: str, flag: str) -> Survey:
    seen = Seen(code, name=value)
    seen.saw(value, unit)
    return Survey(
        "astm", Counter([sender]), 1, {code: seen}, Field("O", 3, 1), Field("R", 3, 4), 0, 0, 0,
        Counter([value]), Counter([flag]), tuple(sender.split("^")), 0,
    )  # fmt: skip


@settings(max_examples=60)
@given(sender=TEXT, code=TEXT, value=TEXT, unit=TEXT, flag=TEXT)
def test_whatever_the_wire_says_the_file_loads_and_is_nothing_but_a_driver(
    sender: str, code: str, value: str, unit: str, flag: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = written(tmp_path_factory.getbasetemp(), survey_of(sender, code, value, unit, flag))
    source = file.read_text(encoding="utf-8")
    body = ast.parse(source).body
    assert [type(node).__name__ for node in body] == ["Expr", "ImportFrom", "ImportFrom", "Assign"]
    driver = load(file)
    assert driver.evidence is Evidence.UNVERIFIED
    assert driver.tests == {}
    assert faults(driver, ast.get_docstring(ast.parse(source)) or "") == []


@pytest.mark.parametrize(
    "evil",
    [
        '"""\nimport os\nx = """',
        '"),\n)\nimport os\nX = ("',
        "\nimport os\n",
        "\r\nimport os",
        "\u2028import os",
        "\\",
        'x" + __import__("os").name + "',
    ],
)
def test_what_is_sent_never_becomes_code(evil: str, tmp_path: Path) -> None:
    source = written(tmp_path, survey_of(evil, evil, evil, evil, evil)).read_text(encoding="utf-8")
    names = {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}
    assert names <= {"Driver", "Evidence", "Field", "Test", "NumberFormat", "DRIVER"}


def test_what_is_quoted_badly_would_be_noticed() -> None:
    """The variant that breaks it: the same text pasted as it came."""
    source = 'DRIVER = Driver(name="' + 'x" + __import__("os").name + "' + '")'
    assert "__import__" in {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}


@pytest.mark.parametrize(
    ("sender", "found", "other"),
    [
        ("ACME X100^2.1^SN0042", "ACME X100^9.9^SN1", "ACME X1000^2.1"),
        ("    XN-1000^00-24^11042", "XN-1000^1", "XN-10001^1"),
        ("^BigOne^x", "^BigOne^y", "BigOne^x"),
        ("Solo", "Solo", "Solo2"),
    ],
)
def test_the_header_pattern_finds_its_family_and_no_other(sender: str, found: str, other: str, tmp_path: Path) -> None:
    file = written(tmp_path, survey_of(sender, "X", "1", "", ""))
    registry = Registry.find([tmp_path], shipped=False)
    assert registry.recognise(sender) == registry.recognise(found) == load(file)
    assert registry.recognise(other) is None
    assert draft.pattern("", "astm") == draft.pattern(" ^ ", "astm") == draft.pattern("|", "hl7") == ""


def test_a_comma_is_a_decimal_mark_only_where_it_can_be_nothing_else(tmp_path: Path) -> None:
    def numbers(*values: str) -> str:
        results = [f"R|{n}|^^^K|{value}|mmol/L||N||F" for n, value in enumerate(values, 1)]
        return written(tmp_path, of_astm(messages(HEADER, "P|1", "O|1|S1||^^^K", *results))).read_text(encoding="utf-8")

    assert '\n    numbers=NumberFormat(decimal=","),' in numbers("4,1", "<0,01")
    assert "\n    numbers=" not in numbers("161,152")
    assert "\n    numbers=" not in numbers("4,1", "161,152")
    assert "\n    numbers=" not in numbers("4,1", "3.9")
    assert "numbers=" not in numbers("4.1")
    assert '\n    numbers=NumberFormat(decimal=","),' in numbers("0,125", "4,1")


def test_places_that_are_empty_give_way_to_those_that_are_not(tmp_path: Path) -> None:
    found = of_astm(messages(HEADER, "P|1", "O|1|^^  S77^M||^^^", "R|1|GLU^^|5.1|mmol/L", "R|2|UREA^^|4.2|mmol/L"))
    assert found.specimen == Field("O", 3, 3)
    assert found.test == Field("R", 3, 1)
    assert set(found.tests) == {"GLU", "UREA"}
    source = written(tmp_path, found).read_text(encoding="utf-8")
    assert 'specimen=Field("O", 3, 3)' in source


def test_loinc_codes_are_hints_in_comments_and_never_facts(tmp_path: Path) -> None:
    source = written(tmp_path, of_astm(messages(HEADER, "P|1", "O|1|S1||^^^TSH", "R|1|^^^TSH|2.4|mUI/L"))).read_text(
        encoding="utf-8"
    )
    lines = [line.strip() for line in source.splitlines() if "3016-3" in line]
    assert lines
    assert all(line.startswith("# LOINC candidate") for line in lines)
    assert '# "TSH": Test("", "m[IU]/L", name="TSH"),' in source


def test_drafts_of_real_captures_load_and_hold_everything(corpus: Path, tmp_path: Path) -> None:
    made = 0
    for path in sorted(corpus.glob("astm/*/*.astm")):
        found = of_astm(peek(path.read_bytes(), "lis01"))
        if not found.tests:
            continue
        driver = load(written(tmp_path, found, f"d{made}"))
        made += 1
        for message in peek(path.read_bytes(), "lis01"):
            reading = astm.read(message, driver, zone=PARIS)
            assert all(one.problem == "unverified-driver" for one in reading.results), path
    assert made > 20

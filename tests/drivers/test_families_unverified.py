"""Families that no document and no capture of ours proves: read as far as is known, recognised by their header, and none of them releases anything."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from labmw.cli.decoder import Decoder
from labmw.cli.render import to_json
from labmw.driver.asking import What, asked
from labmw.driver.declaration import Evidence
from labmw.driver.order_writing import Occasion, TestToDo, Work, write_orders
from labmw.line.registry import Registry
from protocols.astm.message import Message

REGISTRY = Registry.find()
DECODER = Decoder(REGISTRY, None, ZoneInfo("Europe/Paris"))

# Invented values in the form that each docstring describes: (records, specimen, code, number, unit in UCUM, LOINC).
FORMS = {
    "beckman-dxh": (
        "H|\\!~|||DxH|||||LIS||P|LIS2-A|20260310080000\rP|1||P1\rO|1|T1|00026|!!!CD|R|||||||||20260310075900|Whole blood||||||||||F\r"
        "R|1|!!!HGB!718-7|146|g/L||109 to 143|A||F||SYSTEM||20260310080000|AY1\rR|2|!!!@PCT|0.312|%|||||F\rL|1|N\r",
        ("T1", "HGB", "146", "g/L", "718-7"),
    ),
    "stago-sta": (
        "H|\\^&|||99^2.00|||||||P|1.00|20260310080000\rP|1|||^^^\rO|1|T1|||R\rR|1|^^^2|1.08|INR||||F||||\rM|1|A|@\rL|1|N\r",
        ("T1", "2", "1.08", "{INR}", "6301-6"),
    ),
    "radiometer-abl": (
        "H|\\^&|||ABL80 BASIC^319053||||||||1|20260310080000\rP|1||P1\rO|1|T1|Sample #^259|||||||OP|||||Arterial^||||||||||F\r"
        "R|1|^^^K+^M|3.60|mmol/L||N||F\rR|2|^^^pH^M|.....|||||F\rR|3|^^^SBC^C|24|mmol/L||||F\rL|1|N\r",
        ("T1", "K+", "3.60", "mmol/L", "6298-4"),
    ),
    "werfen-gem-premier": (
        "H|\\^&|||GEM 3500^V1.0^12345^^^1.00|||||||||20260310080000\rP|1||P1\rO|1|T1|||||||||||||A\r"
        "R|1|^^^pCO2|42|mmHg||||||op||20260310075900\rR|2|^^^Na+|142|mmol/L\rL|1\r",
        ("T1", "pCO2", "42", "mm[Hg]", "2019-8"),
    ),
    "abbott-afinion": (
        "H|\\^&|||Afinion 2 Analyzer^^AF0000030|||||EPR||P|1|20260310080000|\rP|1||T1|||||U|\rO|1||43|^^^ACR|||||||N||||^O\r"
        "R|1|^^^ACR|5.6|mg/g||||F||||20260310075900|\rR|2|^^^HbA1c|--- |%||||F||||20260310075900|\rL|1\r",
        ("T1", "ACR", "5.6", "mg/g", "9318-7"),
    ),
    "bd-bactec": (
        "H|\\^&|||Becton Dickinson||||||||V1.0|20260310080000\rP|1\rO|1|T1||^^^BACTECFX_GND\r"
        "R|1|^^^GND^4492|INST_NEGATIVE|||||P|||20260305090353|20260310080000|BACTECFX^92\rL|1|N\r",
        ("T1", "GND", None, "", ""),
    ),
    "mindray-bs-astm": (
        "H|\\^&|||Mindry^^|||||||PR|1394-97|20260310080000\rP|7||P1||ABC^^||19600315^66^Y|M||\rO|7|114^1^18|T1|CREAT^CRE R^^\\UREA^UREA^^|R|||||||||"
        "|serum||||||||||F|||||\rR|1|CREAT^CRE R^^F|1.538779^^^^|mg/dL|^|N||F|1.538779^^^^|0|20260310075900||Mindry^\rL|1|N\r",
        ("T1", "CREAT", "1.538779", "mg/dL", ""),
    ),
    "diasorin-liaison-xl": (
        "H|\\^&|||LIAISONXL|||||LABEDV||P|1|20260310080000\rP|1\rO|1|T1||^^^Myco-M^|||||||||||||||||||||F\r"
        "R|1|^^^Myco-M |2.1|Index||N||F||||20260310075900|Liaison\rL|1|N\r",
        ("T1", "Myco-M", "2.1", "Index", ""),
    ),
    "roche-urisys": (
        "H|\\^&|||URISYS1100^1.0|||||||P|1|20260310080000\rP|1\rO|1|T1||^^^|R|20260310075900|||||||||URINE\r"
        "R|1|01^SG|1.020|||||F\rR|2|03^LEU|neg^|Leu/uL|||||F\rL|1|N\r",
        ("T1", "SG", "1.020", "", ""),
    ),
    "biorad-d10": (
        "H|\\^&|||D10^07^3.00|||||||P|1|20260310080000\rP|1\rO|1|T1|||R\r"
        "R|1|^^^A1c^AREA|5.4|%||N||F||||20260310080000\rR|2|^^^A0^AREA|91.5|%||N||F\rL|1|F\r",
        ("T1", "A1c", "5.4", "%", ""),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(FORMS))
def test_it_is_recognised_read_and_quarantined(name: str) -> None:
    records, (specimen, code, number, ucum, loinc) = FORMS[name]
    (message,) = to_json(DECODER.read("form", records.encode()))["messages"]
    assert message["driver"] == name
    first = message["results"][0]
    assert (first["specimen"], first["code"], first["number"], first["loinc"]) == (specimen, code, number, loinc)
    assert not loinc or first["ucum"] == ucum
    assert {one["disposition"] for one in message["results"]} == {"quarantined"}
    assert REGISTRY.named(name).evidence is Evidence.UNVERIFIED


def test_what_is_calculated_or_for_research_is_no_result_of_the_same_name() -> None:
    dxh = to_json(DECODER.read("form", FORMS["beckman-dxh"][0].encode()))["messages"][0]["results"]
    assert [one["main"] for one in dxh] == [True, False]
    abl = to_json(DECODER.read("form", FORMS["radiometer-abl"][0].encode()))["messages"][0]["results"]
    assert [one["loinc"] for one in abl] == ["6298-4", "", ""]


def test_ca_asks_with_a_padded_specimen_and_is_answered_as_it_asked() -> None:
    driver = REGISTRY.named("sysmex-ca")
    (message,) = Message.parse(
        b"H|\\^&|||CA-600^^^^|||||LIS\rQ|1|000001^01^         189915^B||^^^040^PT T    \\^^^050^PSL     |O|20260310184600\rL|1|N\r",
        "latin-1",
    )
    found = asked(message, driver)
    assert found is not None and found.what is What.TUBES
    (tube,) = found.tubes
    assert (tube.identifier, tube.written) == ("189915", "         189915")


def test_ca_is_given_its_order_as_four_host_programs_write_it() -> None:
    occasion = Occasion("LIS", datetime(2026, 3, 10, 18, 46, 30, tzinfo=UTC), ZoneInfo("UTC"), analyzer=("CA-600",))
    work = Work(
        "189915", (TestToDo("040"), TestToDo("050", "S")), written="         189915", parts=("000001", "01", "", "B")
    )
    sent = write_orders(REGISTRY.named("sysmex-ca"), occasion, [work], asked=True).raw.decode().rstrip("\r").split("\r")
    assert sent == [
        "H|\\^&|||LIS^^^^|||||CA-600",
        "P|1",
        "O|1|000001^01^         189915^B||^^^040^^100\\^^^050^^100|R|20260310184630|||||N",
        "L|1|N",
    ]


def test_stago_is_given_its_order_as_four_host_programs_write_it() -> None:
    occasion = Occasion("LIS", datetime(2026, 3, 10, 18, 46, 30, tzinfo=UTC), ZoneInfo("UTC"))
    sent = write_orders(REGISTRY.named("stago-sta"), occasion, [Work("T1", (TestToDo("1"), TestToDo("5")))], asked=True)
    assert sent.raw.decode().rstrip("\r").split("\r") == [
        "H|\\^&|||99^2.00|||||||P|1.00|20260310184630",
        "P|1",
        "O|1|T1||^^^1\\^^^5|R",
        "L|1|N",
    ]


def test_the_readme_lists_them_apart() -> None:
    page = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    for name in (*FORMS, "sysmex-ca"):
        assert f"| `{name}` |" in page and "unverified" in page.split(f"| `{name}` |")[1].split("\n")[0]

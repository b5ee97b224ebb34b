"""What is peculiar to each family, and does its driver know it?"""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from labmw.driver import astm
from labmw.driver.reading import Reading, ResultRead
from labmw.line.registry import Registry
from labmw.model import Flag
from protocols.astm.frame import Frame
from protocols.astm.message import Assembly

COMPOSED = Path(__file__).parents[1] / "captures"
PARIS = ZoneInfo("Europe/Paris")
REGISTRY = Registry.find()


def records(name: str, *lines: str, encoding: str = "latin-1") -> Reading:
    text = "".join(line + "\r" for line in lines).encode(encoding)
    (message,) = Assembly().feed(Frame(0, text, True, b""))
    return astm.read(message, REGISTRY.named(name), zone=PARIS)


def composed(name: str, file: str) -> Reading:
    from protocols.astm.datalink import DataLink
    from protocols.astm.events import FrameReceived

    link, assembly, found = DataLink(), Assembly(), []
    events = list(link.receive((COMPOSED / name / file).read_bytes()))
    while events:
        event = events.pop(0)
        if isinstance(event, FrameReceived):
            found += assembly.feed(event.frame)
            events += link.accept()
    (message,) = found
    return astm.read(message, REGISTRY.named(name), zone=PARIS)


def by_code(reading: Reading) -> dict[str, ResultRead]:
    return {result.code: result for result in reading.results}


# --- Cepheid GeneXpert ---------------------------------------------------------------------------------------------------

GENEXPERT = (
    "H|@^\\|M1||PC^GeneXpert^6.5|||||LIS||P|1394-97|20260310081500",
    "P|1",
    "O|1|A17||^^^HIVVL|R|20260310081500|||||||||ORH||||||||||F",
)
LOAD = "R|1|^^^HIVVL^Xpert HIV-1 Viral Load XC^3^^{detail}|{value}|copies/mL|40.00 to 10000000.00|N||F||x|20260310070000|20260310081500|pc^811^630^111^722^20260825"


def genexpert(value: str, detail: str = "", unit: str = "copies/mL") -> ResultRead:
    line = LOAD.format(value=value, detail=detail).replace("copies/mL", unit)
    return records("cepheid-genexpert", *GENEXPERT, line, "L|1|N", encoding="utf-8").results[0]


@pytest.mark.parametrize(
    ("value", "number"), [("^1009.64", "1009.64"), ("^60,96", "60.96"), ("^40", "40"), ("^< 40", "40")]
)
def test_genexpert_writes_a_point_or_a_comma(value: str, number: str) -> None:
    one = genexpert(value)
    assert (one.number, one.ucum, one.problem, one.main, one.loinc) == (number, "{copies}/mL", "", True, "20447-9")


@pytest.mark.parametrize("value", ["^161,152", "^1,234.56", "^1.234,56", "^1 234", "^12.345"])
def test_genexpert_never_writes_a_grouping_mark(value: str) -> None:
    assert genexpert(value).problem == "number-format"


def test_genexpert_logarithm_is_a_detail_and_not_in_the_linear_unit() -> None:
    one = genexpert("^1,79", "LOG")
    assert (one.main, one.detail, one.number, one.ucum, one.loinc, one.problem) == (
        False,
        "LOG",
        "1.79",
        "{Log_copies}/mL",
        "",
        "",
    )
    assert genexpert("^2.10", "LOG", "IU/mL").ucum == "{Log_IU}/mL"


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("NOT DETECTED^", ""),
        ("DETECTED^", ""),
        ("ERROR^", "value-missing"),
        ("ERREUR^", "value-missing"),
        ("PAS DE RÉSULTAT^", "value-missing"),
        ("^", "value-missing"),
        ("PEUT-ÊTRE^", "unexpected-word"),
        ("DETECTED^60.96", "unexpected-component"),
    ],
)
def test_genexpert_words(value: str, problem: str) -> None:
    one = genexpert(value)
    assert (one.problem, one.number) == (problem, "60.96" if "60.96" in value and not problem else None)


def test_genexpert_unit_of_another_assay_is_not_believed() -> None:
    assert genexpert("^60.96", unit="IU/mL").problem == "unit-mismatch"
    assert genexpert("^60.96", unit="").problem == "unit-missing"


# --- Sysmex XN -----------------------------------------------------------------------------------------------------------


def test_sysmex_count_with_its_flags_and_statuses() -> None:
    reading = composed("sysmex-xn", "composed-cbc.astm")
    found = by_code(reading)
    assert reading.specimens == ("LAB0000017",)  # blanks of the padded field are gone
    assert (reading.serial, reading.software) == ("11111", "00-24")
    assert all(one.problem == "" for one in reading.results)
    assert (found["WBC"].loinc, found["WBC"].number, found["WBC"].ucum) == ("6690-2", "6.42", "10*3/uL")
    assert found["PLT"].flags == {Flag.CRITICAL_LOW}
    assert found["PLT"].status == "I"
    assert "I" in REGISTRY.named("sysmex-xn").preliminary  # a repeat is wanted: held, not released
    assert found["MPV"].flags == {Flag.REVIEW}
    assert [found[code].main for code in ("PLT_Clumps?", "Thrombocytopenia", "DIST_PLT", "LFR")] == [False] * 4


def test_sysmex_controls_and_queries() -> None:
    control = composed("sysmex-xn", "composed-control.astm")
    assert (control.kind, control.specimens) == ("qc-result", ("QC-0101",))
    query = composed("sysmex-xn", "composed-query.astm")
    assert (query.kind, query.specimens) == ("query", ("LAB0000018",))


@pytest.mark.parametrize(
    ("unit", "problem"),
    [("10*3/uL", ""), ("10*9/L", ""), ("10^9/L", ""), ("10*2/uL", "unit-mismatch"), ("", "unit-missing")],
)
def test_sysmex_units_follow_the_setting(unit: str, problem: str) -> None:
    lines = (
        "H|\\^&|||    XN-10^00-24^1",
        "P|1",
        "O|1||^^A17^B|^^^^WBC|||||||N||||||||||||||F",
        f"R|1|^^^^WBC^1|6.4|{unit}||N||F||||20260310081500",
        "L|1|N",
    )
    assert records("sysmex-xn", *lines).results[0].problem == problem


# --- Roche cobas c 311 ---------------------------------------------------------------------------------------------------


def test_cobas_values_alarms_and_indices() -> None:
    reading = composed("roche-cobas-c311", "composed-chemistry.astm")
    found = by_code(reading)
    assert reading.specimens == ("LAB0000042",)
    assert (found["990"].loinc, found["990"].number, found["990"].ucum) == ("2823-3", "6.9", "mmol/L")
    assert found["990"].flags == {Flag.CRITICAL_HIGH}
    assert found["990"].time == "20260310091122"  # O.23: R.13 stays empty
    assert found["685"].flags == {Flag.ABNORMAL, Flag.UNKNOWN}  # data alarm 43: a person looks
    assert [(found[code].index, found[code].main) for code in ("992", "993", "994")] == [
        ("L", False),
        ("H", False),
        ("I", False),
    ]
    assert all(one.problem == "" for one in reading.results)


@pytest.mark.parametrize(
    ("processing", "reason"), [("P", ""), ("", ""), ("T", "not-production"), ("D", "not-production")]
)
def test_what_was_measured_in_training_is_no_patients(processing: str, reason: str) -> None:
    reading = records(
        "roche-cobas-c311", f"H|\\^&|||c311^1|||||host|RSUPL^REAL|{processing}|1", "P|1",
        "O|1|T1|0^50008^1^^S1^SC||R||||||N||||1|||||||20261126010203|||F", "R|1|^^^990/|4.1|mmol/L||N||F", "L|1|N",
    )  # fmt: skip
    assert (reading.reason, reading.results[0].problem) == (reason, reason)


def test_cobas_specimen_in_both_forms() -> None:
    assert composed("roche-cobas-c311", "composed-sequence-first.astm").specimens == ("LAB0000043",)


def test_cobas_urine_control_and_queries() -> None:
    assert {one.problem for one in composed("roche-cobas-c311", "composed-urine.astm").results} == {"other-material"}
    control = composed("roche-cobas-c311", "composed-control.astm")
    assert (control.kind, {one.problem for one in control.results}) == ("qc-result", {""})
    assert composed("roche-cobas-c311", "composed-query.astm").specimens == ("LAB0000044",)
    assert composed("roche-cobas-c311", "composed-query-cancel.astm").kind == "query-cancel"


def test_cobas_of_a_laboratory_with_mass_units_goes_to_a_person() -> None:
    lines = (
        "H|\\^&|||c311^1",
        "P|1",
        "O|1|A17|1^5^1^^S1^SC|^^^717/|R||||||N||||1|||||||20260310091122|||F",
        "R|1|^^^717/|104|mg/dl||N||F|||||P1",
        "L|1|N",
    )
    assert (
        records("roche-cobas-c311", *lines).results[0].problem == "unit-mismatch"
    )  # LOINC 14749-6 is moles per volume


# --- Horiba, Ortho, Erba -------------------------------------------------------------------------------------------------


def test_horiba_calls_its_tests_by_their_loinc_codes() -> None:
    lines = [
        "H|\\^&|||H500^S1^2.2|||||||P|LIS2-A2|20260310",
        "P|1",
        "O|1|A17||^^^DIF|R|20260310081500|||||||||BLOOD||||||||||F",
    ]
    row = "R|1|^^^{code}|7.1|10E3/uL|3.50 - 10.00^REFERENCE_RANGE|N||{status}||x|20260310081500||"
    good = records("horiba-yumizen-h500", *lines, row.format(code="WBC^6690-2", status="F"), "L|1|N").results[0]
    assert (good.problem, good.time, good.ucum) == ("", "20260310081500", "10*3/uL")
    wrong = records("horiba-yumizen-h500", *lines, row.format(code="WBC^789-8", status="F"), "L|1|N").results[0]
    assert wrong.problem == "loinc-mismatch"
    doubtful = records("horiba-yumizen-h500", *lines, row.format(code="WBC^6690-2", status="W"), "L|1|N").results[0]
    assert (doubtful.problem, doubtful.status) == ("", "W")
    assert "W" in REGISTRY.named("horiba-yumizen-h500").preliminary


def test_vitros_mean_replicates_and_indices() -> None:
    lines = [
        "H|\\^&|||3600796||||||||LIS2-A|20260310",
        "P|1",
        "O|1|A17^3^1||^^^1.0000+950+1.0|R||||||N||||5||||||||||F",
    ]
    row = "R|1|^^^1.0000+{test}+1.0|{value}|||^0^{flag}||V|||20260310081500|20260310081528|36000796"
    rows = [
        row.format(test="950", value="<15", flag="NQ"),
        row.format(test="951", value="No Result", flag="NR"),
        row.format(test="777", value="1", flag=""),
    ]
    one, two, three = records("ortho-vitros-3600", *lines, *rows, "L|1|N").results
    assert (one.index, one.comparator, one.number, one.main, one.problem) == ("H", "<", "15", False, "")
    assert one.flags == {Flag.UNKNOWN}
    assert (two.problem, three.problem) == ("value-missing", "unknown-code")


def test_erba_na_is_no_value() -> None:
    lines = [
        "H|`^&||||||||||P|E 1394-97|20260310081500",
        "P|1",
        "O|1|A17||^^^CKK|||||||||||SERUM",
        "R|1|^^^CKK|NA|mg/dl||A|N|F||||20260310081500",
        "L|1|N",
    ]
    assert records("erba-xl", *lines).results[0].problem == "value-missing"


# --- a laboratory's own --------------------------------------------------------------------------------------------------


def test_a_laboratory_can_declare_what_no_shipped_driver_knows() -> None:
    from dataclasses import replace

    from labmw.driver import Evidence, Field, Test
    from labmw.quantity import NumberFormat

    ratio = Test("94562-6", unit="{Ratio}", name="SARS-CoV-2 IgA")
    mine = replace(
        REGISTRY.named("any-astm"),
        name="my-euroimmun",
        evidence=Evidence.MANUAL,
        specimen=Field("P", 4),
        numbers=NumberFormat(decimal=",", decimals=2),
        units={"Ratio": "{Ratio}"},
        tests={"SARSCOV2IGA": ratio},
    )
    lines = ("H|\\^&|||", "P|1||A17 ", "O|1|||^^^SARSCOV2IGA||20220218080737", "R|1|^^^SARSCOV2IGA|{}|Ratio|", "L|1|N")
    for value, number, comparator, problem in (
        (">8", "8", ">", ""),
        ("7,41", "7.41", "", ""),
        ("161,152", None, "", "number-format"),
    ):
        text = "".join(line.format(value) + "\r" for line in lines).encode()
        (message,) = Assembly().feed(Frame(0, text, True, b""))
        (one,) = astm.read(message, mine, zone=PARIS).results
        assert (one.specimen, one.number, one.comparator, one.problem) == ("A17", number, comparator, problem)

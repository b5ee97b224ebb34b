"""What is peculiar to each HL7 family, and does its driver know it?"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from labmw.driver import hl7
from labmw.driver.reading import Reading, ResultRead
from labmw.line.registry import Registry
from labmw.model import Flag
from protocols.hl7.er7 import Message

EXAMPLES = Path(__file__).parents[1] / "examples"
PARIS = ZoneInfo("Europe/Paris")
REGISTRY = Registry.find()


def read(driver: str, *segments: str) -> Reading:
    message = Message.parse(("\r".join(segments) + "\r").encode())
    return hl7.read(message, REGISTRY.named(driver), zone=PARIS)


def example(name: str) -> Reading:
    return hl7.read(Message.parse((EXAMPLES / f"law_{name}.hl7").read_bytes()), REGISTRY.named("law"), zone=PARIS)


# --- IHE LAW as written --------------------------------------------------------------------------------------------------


def test_law_patient_results() -> None:
    reading = example("lab29_01_oul_r22_patient_results")
    glucose, creatinine = reading.results
    assert (reading.kind, reading.reason, reading.specimens) == ("result", "", ("26031500123",))
    assert (glucose.loinc, glucose.number, glucose.ucum, glucose.problem) == ("14749-6", "5.42", "mmol/L", "")
    assert (glucose.awos, glucose.run, glucose.status, glucose.main) == ("AWOS-000451", "1", "F", True)
    assert glucose.completed == datetime(2026, 3, 15, 7, 30, 15, tzinfo=UTC)
    assert creatinine.flags == {Flag.HIGH}
    (reagent,) = glucose.contributing
    assert (reagent.name, reagent.kind, reagent.lot, reagent.expiry) == ("GLU3", "SR", "LOT7781", "20270131")
    assert creatinine.contributing == ()
    assert [item.lot for item in reading.inventory] == ["LOT7781"]
    assert glucose.obx is not None
    assert (glucose.obx.observation_type, glucose.obx.specimen_role, glucose.obx.container) == (
        "RSLT",
        "P",
        "26031500123",
    )


def test_law_rerun_keeps_the_candidate_and_traces_the_other() -> None:
    first, second = example("lab29_02_oul_r22_rerun_same_awos").results
    assert (first.run, first.status, first.comparator, first.number, first.main) == ("1", "R", ">", "100", False)
    assert (second.run, second.status, second.number, second.main) == ("2", "F", "118.6", True)
    assert (second.problem, Flag.DILUTED in second.flags) == (
        "diluted-unknown",
        True,
    )  # TCD-2 ^1^:^10, and nobody says more
    assert first.awos == second.awos
    assert second.flags == {Flag.CRITICAL_HIGH, Flag.DILUTED, Flag.UNKNOWN}  # DIL of 99ACME is not in table 0078


def test_law_control_reflex_failure_status_and_correction() -> None:
    control = example("lab29_03_oul_r22_qc")
    assert (control.kind, [one.control for one in control.results]) == ("qc-result", [True])
    assert control.results[0].obx is not None
    assert control.results[0].obx.control_item is not None
    assert control.results[0].obx.control_item.lot == "QCLOT552"
    (reflex,) = example("lab29_05_oul_r22_analyzer_reflex").results
    assert (reflex.awos, reflex.parents, reflex.obx and reflex.obx.reflex) == ("", ("AWOS-000453",), True)
    (failed,) = example("lab29_06_oul_r22_not_performed").results
    assert (failed.problem, failed.status, failed.quantity) == ("not-performed", "X", None)
    assert failed.problem_facts == (("flags", "CLOT^Clot detected^99ACME"),)
    waiting = example("lab29_07_oul_r22_in_process")
    assert waiting.results == ()
    assert waiting.orders[0].state is not None
    assert (waiting.orders[0].awos, waiting.orders[0].state.status) == ("AWOS-000452", "IP")
    (corrected,) = example("lab29_08_oul_r22_correction").results
    assert (corrected.status, corrected.number, corrected.problem, corrected.run) == ("C", "5.24", "", "1")


def test_law_unsolicited_results_have_no_awos_and_unknown_codes_wait() -> None:
    (index,) = example("lab29_04_oul_r22_unsolicited").results
    assert (index.awos, index.number, index.problem) == ("", "12", "unknown-code")


@pytest.mark.parametrize(
    ("name", "specimens"),
    [
        ("lab27_01_qbp_q11_by_container", ("26031500123",)),
        ("lab27_02_qbp_q11_by_rack", ()),
        ("lab27_03_qbp_q11_by_tray", ()),
        ("lab27_04_qbp_q11_all", ()),
    ],
)
def test_law_queries(name: str, specimens: tuple[str, ...]) -> None:
    reading = example(name)
    assert (reading.kind, reading.specimens, reading.queries[0].specimens) == ("query", specimens, specimens)
    assert reading.queries[0].name.startswith("WOS")


def test_law_replies_name_each_step() -> None:
    reading = example("lab28_02_orl_o34_accepted")
    assert [(one.control, one.placer, one.status, one.specimen) for one in reading.responses] == [
        ("OK", "AWOS-000451^LABMW", "SC", "26031500123"),
        ("OK", "AWOS-000452^LABMW", "SC", "26031500123"),
        ("UA", "AWOS-000453^LABMW", "CA", "26031500123"),
    ]


LAW = (
    "MSH|^~\\&|X|Y|LIS|H|20260315083020+0100||OUL^R22^OUL_R22|1|P|2.5.1|||NE|AL||UNICODE UTF-8|||LAB-29^IHE",
    "SPM|1|A17",
    "SAC|||A17",
    "OBR||W1||2823-3^K^LN",
    "ORC|SC||||CM",
)


@pytest.mark.parametrize(
    ("obx", "problem"),
    [
        ("OBX|1|NM|2823-3^K^LN|1|4.1|mmol/L^^UCUM||||", "unexpected-status"),
        ("OBX|1|NM|2823-3^K^LN|1|4.1|mmol/L^^UCUM|||||F", ""),
        ("OBX|1|SN|2823-3^K^LN|1|<^4.1|mmol/L^^UCUM|||||F", ""),
        ("OBX|1|SN|2823-3^K^LN|1|^4.1^:^2|mmol/L^^UCUM|||||F", "number-format"),
        ("OBX|1|NM|2823-3^K^LN|1|4,1|mmol/L^^UCUM|||||F", "number-format"),
        ("OBX|1|NM|2823-3^K^LN|1|4.1~4.2|mmol/L^^UCUM|||||F", "unexpected-component"),
        ("OBX|1|NM|2823-3^K^LN|1|4.1^5|mmol/L^^UCUM|||||F", "number-format"),
        ("OBX|1|NM|2823-3^K^LN|1||mmol/L^^UCUM|||||F", "value-missing"),
        ('OBX|1|NM|2823-3^K^LN|1|""|mmol/L^^UCUM|||||F', "value-missing"),
        ("OBX|1|ST|2823-3^K^LN|1|POSITIVE||||||F", "unexpected-word"),
        ("OBX|1|NM|2823-3^K^LN|1|4.1||||||F", "unit-missing"),
        ("OBX|1|NM|2823-3^K^LN|1|4.1|mmol/L|||||F", "unknown-unit"),
        ("OBX|1|NM|2823-3^K^LN|1|4.1|mmol/l^^99ACME|||||F", "unknown-unit"),
        ("OBX|1|NM|2823-3^K^LN|1|4.1|G/L^^UCUM|||||F", "unknown-unit"),  # gauss per litre, or the French 10*9/L
        ("OBX|1|NM|2823-4^K^LN|1|4.1|mmol/L^^UCUM|||||F", "unknown-code"),  # check digit
        ("OBX|1|NM|2823-3^K^99ACME|1|4.1|mmol/L^^UCUM|||||F", "unknown-code"),
        ("OBX|1|NM|2823-3^K^LN|1|4.1|mmol/L^^UCUM|||||W", "unexpected-status"),
        ("OBX|1|NM|2823-3^K^LN|1|4.1|mmol/L^^UCUM|||||F||||||||yesterday", "bad-time"),
    ],
)
def test_law_takes_numbers_in_loinc_and_ucum_and_nothing_else(obx: str, problem: str) -> None:
    (one,) = read("law", *LAW, obx).results
    assert one.problem == problem


@pytest.mark.parametrize(
    ("processing", "reason"), [("P", ""), ("", ""), ("P^T", ""), ("T", "not-production"), ("D^T", "not-production")]
)
def test_what_was_measured_in_training_is_no_patients(processing: str, reason: str) -> None:
    head = LAW[0].replace("|P|2.5.1", f"|{processing}|2.5.1")
    reading = read("law", head, *LAW[1:], "OBX|1|NM|2823-3^K^LN|1|4.1|mmol/L^^UCUM|||||F")
    assert (reading.reason, reading.results[0].problem) == (reason, reason)


# --- Roche cobas 4800 ----------------------------------------------------------------------------------------------------

C4800 = (
    "MSH|^~\\&|cobas 4800 software 2.3.0.1905^S1^M|LAB|LIS|H|20260613145247+0100||OUL^R22^OUL_R22|1|P|2.5.1",
    'SPM|1|A17&ROCHE||""|||||||Q^^HL70369',
    "SAC|||A17",
)
LOAD = ('OBR||""||0BHIV1^0BHIV1^99ROC', "ORC|SC||||CM")


def load(value: str, unit: str = "1/mL^^UCUM", inv: str = "") -> ResultRead:
    head = (*C4800, inv) if inv else C4800
    obx = f"OBX|2|ST|0BHIV1^0BHIV1^99ROC|1.1|{value}|{unit}||Full^^99ROC|||F||||||||20260612194324"
    return read("roche-cobas-4800", *head, *LOAD, obx).results[0]


@pytest.mark.parametrize(
    ("value", "comparator", "number", "problem"),
    [
        ("3.26E+05 cp/mL", "", "326000", ""),
        ("6.73E+01 cp/mL", "", "67.3", ""),
        ("> 1.00E+07 cp/mL", ">", "10000000", ""),
        ("<2.00E+01 cp/mL", "<", "20.0", ""),
        ("Target Not Detected", "", None, ""),
        ("< Titer min", "", None, ""),
        ("Invalid", "", None, "value-missing"),
        ("> Titer max", "", None, "unexpected-word"),
        ("3.26E+05 IU/mL", "", "326000", "unit-mismatch"),
        ("3,26E+05 cp/mL", "", None, "number-format"),
        ("3.26E+05", "", "326000", "unit-mismatch"),  # 1/mL is not copies
    ],
)
def test_cobas_4800_value_and_unit_in_one_text(value: str, comparator: str, number: str | None, problem: str) -> None:
    one = load(value)
    assert (one.comparator, one.problem) == (comparator, problem)
    assert one.number == number
    assert one.ucum == ("{copies}/mL" if number and not problem else "")
    assert one.flags == frozenset()


def test_cobas_4800_role_q_alone_makes_no_control() -> None:
    assert not load("6.73E+01 cp/mL").control
    control = load("6.73E+01 cp/mL", inv="INV|LPosCtrl^^99ROC|OK^^HL70383|CO^^HL70384")
    assert control.control
    reagent = load("6.73E+01 cp/mL", inv="INV|MMX^^99ROC|OK^^HL70383|SR^^HL70384")
    assert not reagent.control


def test_cobas_4800_controls_alone_are_quality_control() -> None:
    reading = read(
        "roche-cobas-4800",
        *C4800,
        "INV|LPosCtrl^^99ROC||CO^^HL70384",
        *LOAD,
        "OBX|1|ST|0BHIV1^0BHIV1^99ROC|1.1|2.46E+02 cp/mL|||Full^^99ROC|||F",
    )
    assert (reading.kind, reading.serial) == ("qc-result", "S1")


# --- Roche cobas pro and middleware --------------------------------------------------------------------------------------


def test_cobas_pro_value_interpretation_and_supplements() -> None:
    reading = read(
        "roche-cobas-pro",
        "MSH|^~\\&|cobas pro||Host||20220812155051+0900||OUL^R22^OUL_R22|2|P|2.5.1|||NE|AL||UNICODE UTF-8|||LAB-29^IHE",
        "SPM|1|A17&BARCODE||SERPLAS^^99ROC",
        "SAC|||A17^BARCODE",
        'OBR|1|""||10020^^99ROC',
        "ORC|SC||||CM",
        "OBX|1|NM|10020^10020^99ROC^^^IHELAW|1|112|ng/dL^^99ROC||N^^HL70078|||F||||||||20220812153714||||||||||RSLT",
        "OBX|2|CE|10020^10020^99ROC^^^IHELAW|1|^^99ROC|||N^^HL70078|||F||||||||20220812153714||||||||||RSLT",
        "TCD|10020^^99ROC|^1^:^1",
        "INV|1310020|OK^^HL70383~CURRENT^^99ROC|ASY|24308|1|19||||||20230831||||620931",
        "OBX|3|NM|10020_EFS^^99ROC^S_RAW^Raw Supplemental^IHELAW|1|42399.210|COUNT^^99ROC|||||F",
    )
    value, interpretation, raw = reading.results
    assert (value.problem, value.number, value.unit_raw, value.main) == (
        "unknown-code",
        "112",
        "ng/dL^^99ROC",
        True,
    )
    assert value.completed == datetime(2022, 8, 12, 6, 37, 14, tzinfo=UTC)  # the offset of MSH-7 holds for all
    assert (interpretation.main, interpretation.part, raw.main) == (False, "interpretation", False)
    assert [item.lot for item in value.contributing] == ["620931"]
    assert value.contributing[0].status == ("OK", "CURRENT")
    assert raw.contributing == ()


@pytest.mark.parametrize(
    ("value", "text", "number"),
    [
        (r"1\S\2.14", "1^2.14", "2.14"),
        ("1^2.14", "1^2.14", "2.14"),  # the escape forgotten
        (r"-1\S\0.0515", "-1^0.0515", "0.0515"),
        (r"34\S\\", "34^\\", None),
        (r"34\S\ ".strip(), "34^", None),
        (r"???\S\???", "???^???", None),
        ("5.2", "5.2", "5.2"),
    ],
)
def test_citm_takes_the_index_behind_the_caret(value: str, text: str, number: str | None) -> None:
    (one,) = read(
        "roche-citm",
        "MSH|^~\\&|Roche Diagnostics|cITm 1.10|LIS||20240206123311||OUL^R21|2|P|2.4",
        "SAC|||A17",
        "ORC|RE|A17",
        "OBR|1|A17||ALL",
        f"OBX|1||HIVAG_01||{value}|||N|||F",
    ).results
    assert (one.value, one.number, one.specimen, one.problem) == (text, number, "A17", "unknown-code")


# --- Cepheid GeneXpert ---------------------------------------------------------------------------------------------------

XPERT = (
    "MSH|^~\\&|PC^GeneXpert^6.5||LIS||20151010102404||ORU^R30^ORU_R30|U1|P|2.5",
    "ORC|RE|1",
    "OBR|1|||HIVVL|||||||||||||||||||||F",
    "TQ1|||||||20260310070000|20260310081500|R",
)


def test_genexpert_viral_load_logarithm_and_time() -> None:
    reading = read(
        "cepheid-genexpert-hl7",
        *XPERT,
        "OBX|1|ST|HIVVL&HIVVL&Xpert HIV-1 Viral Load XC&3||^60,96|copies/mL|||||F|||||^op||20260825~00722~00111~00630~00811~PC",
        "OBX|2|ST|HIVVL&HIVVL&Xpert HIV-1 Viral Load XC&3|&LOG|^1,79|copies/mL|||||F",
        "OBX|3|ST|HIVVL&HIVVL|HIV-1&Ct|^33.1",
        "SPM|1|A17^||ORH",
    )
    value, log, ct = reading.results
    assert (value.loinc, value.number, value.ucum, value.problem, value.specimen) == (
        "20447-9",
        "60.96",
        "{copies}/mL",
        "",
        "A17",
    )
    assert (log.main, log.number, log.ucum) == (False, "1.79", "{Log_copies}/mL")
    assert (ct.main, ct.number, ct.part) == (False, "33.1", "HIV-1/Ct")
    assert (value.time, reading.serial, reading.software) == ("20260310081500", "00811", "6.5")


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("DETECTED^", ""),
        ("ERROR^", "value-missing"),
        ("^161,152", "number-format"),
        ("DETECTED^1", "unexpected-component"),
    ],
)
def test_genexpert_words(value: str, problem: str) -> None:
    obx = f"OBX|1|ST|HIVVL&HIVVL&Xpert HIV-1 Viral Load XC&3||{value}|copies/mL|||||F"
    assert read("cepheid-genexpert-hl7", *XPERT, obx, "SPM|1|A17").results[0].problem == problem


# --- Mindray BC-5380 -----------------------------------------------------------------------------------------------------


def mindray(*segments: str, processing: str = "P") -> Reading:
    head = f"MSH|^~\\&|BC-5380|Mindray|||20080617143943||ORU^R01|1|{processing}|2.3.1||||||UNICODE"
    return read("mindray-bc5380", head, "PID|1", "OBR|1||A17|00001^Automated Count^99MRC|||20260310081500", *segments)


@pytest.mark.parametrize(
    ("obx", "problem", "ucum"),
    [
        ("OBX|6|NM|6690-2^WBC^LN||9.81|10*9/L|||||F", "", "10*9/L"),
        ("OBX|6|NM|6690-2^WBC^LN||***.**|10*9/L|||||F", "value-missing", ""),
        ("OBX|6|NM|6690-2^WBC^LN|||10*9/L|||||F", "value-missing", ""),
        ("OBX|6|NM|6690-2^WBC^LN||9.81|10*3/uL|||||F", "unit-mismatch", ""),
        ("OBX|6|NM|6690-2^WBC^LN||9.81||||||F", "unit-missing", ""),
        ("OBX|6|NM|4544-3^HCT^LN||0.405||||||F", "", "1"),
        ("OBX|6|NM|4544-3^HCT^LN||40.5|%|||||F", "", "%"),
        ("OBX|6|NM|32207-3^PDW^LN||15.4||||||F", "unit-missing", ""),
        ("OBX|6|NM|10002^PCT^99MRC||1.40|mL/L|||||F", "", "mL/L"),
    ],
)
def test_mindray_values_and_units(obx: str, problem: str, ucum: str) -> None:
    (one,) = mindray(obx).results
    assert (one.problem, one.ucum, one.specimen, one.time) == (problem, ucum, "A17", "20260310081500")


def test_mindray_details_are_never_reported() -> None:
    reading = mindray(
        "OBX|1|IS|08001^Take Mode^99MRC||O||||||F",
        "OBX|2|NM|30525-0^Age^LN||18|yr|||||F",
        "OBX|3|NM|26477-0^*ALY#^LN||0.1|10*9/L|||||F",
        "OBX|4|IS|15180-3^Hypochromia^LN||T||||||F",
        "OBX|5|NM|15001^WBC Histogram. Left Line^99MRC||7||||||F",
        "OBX|6|ED|15008^WBC Histogram. BMP^99MRC||^Image^BMP^Base64^AAAA||||||F",
        "OBR|2||A17|00002^Manual Count^99MRC",
        "OBX|7|NM|714-6^Eosinophils%. Manual^LN||0.0|%|||||F",
    )
    assert {(one.main, one.problem) for one in reading.results} == {(False, "")}


def test_mindray_edited_values_are_reviewed_and_controls_are_controls() -> None:
    (edited,) = mindray("OBX|6|NM|6690-2^WBC^LN||9.81|10*9/L|4-10|N|||F||E").results
    assert edited.flags == {Flag.NORMAL, Flag.REVIEW}
    control = mindray("OBX|6|NM|6690-2^WBC^LN||9.81|10*9/L|||||F", processing="Q")
    assert (control.kind, control.results[0].control) == ("qc-result", True)

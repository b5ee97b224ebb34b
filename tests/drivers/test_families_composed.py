"""Families written from documents: do the composed messages read as the documents say, and is nothing else believed?"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from labmw.cli.decoder import Decoder
from labmw.driver.reading import Reading, ResultRead
from labmw.line.registry import Registry
from labmw.model import Flag

COMPOSED = Path(__file__).parents[1] / "captures"
REGISTRY = Registry.find()
DECODER = Decoder(REGISTRY, None, ZoneInfo("Europe/Paris"))


def composed(name: str, file: str) -> Reading:
    """The one message of a composed capture, read with the driver that its header names."""
    (one,) = DECODER.decode(COMPOSED / name / file).messages
    assert one.reading.driver == name
    return one.reading


def told(result: ResultRead) -> tuple[str, str | None, str, str]:
    return result.loinc, result.number, result.ucum, result.problem


def test_every_folder_of_composed_messages_belongs_to_a_driver_and_names_its_fields() -> None:

    for folder in (path for path in COMPOSED.iterdir() if path.is_dir()):
        assert folder.name in REGISTRY.drivers
        assert (folder / "fields.md").is_file()


def test_e411_never_reads_a_qualitative_code_as_a_result() -> None:
    quantitative, qualitative, beyond = composed("roche-cobas-e411", "composed-results.astm").results
    assert {one.problem for one in (quantitative, qualitative, beyond)} == {
        "unknown-code"
    }  # host codes are the laboratory's
    assert (quantitative.code, quantitative.number, quantitative.time) == ("10", "2.310", "20260310091501")
    assert (beyond.comparator, beyond.flags) == (">", frozenset({Flag.ABOVE_RANGE, Flag.DILUTED, Flag.UNKNOWN}))
    assert composed("roche-cobas-e411", "composed-control.astm").kind == "qc-result"
    assert composed("roche-cobas-e411", "composed-query.astm").specimens == ("LAB0000102",)
    assert composed("roche-cobas-e411", "composed-query-cancel.astm").kind == "query-cancel"


def test_c111_writes_the_specimen_in_its_own_field_and_marks_what_it_treated() -> None:
    reading = composed("roche-cobas-c111", "composed-chemistry.astm")
    albumin, asat, alat, treated = reading.results
    assert (reading.specimens, reading.serial, reading.software) == (("LAB0000111",), "13147", "4.2.2.1730")
    assert told(albumin) == ("1751-7", "40.13", "g/L", "")
    assert (told(asat), asat.flags) == (("1920-8", "49.2", "U/L", ""), frozenset({Flag.HIGH}))
    assert (told(alat), alat.comparator, alat.flags) == (
        ("1742-6", "5.0", "U/L", ""),
        "<",
        frozenset({Flag.BELOW_RANGE}),
    )
    assert treated.problem == "unknown-code"
    assert composed("roche-cobas-c111", "composed-control.astm").kind == "qc-result"


def test_xp_pads_masks_and_dilutes() -> None:
    reading = composed("sysmex-xp", "composed-cbc.astm")
    found = {one.code: one for one in reading.results}
    assert (reading.specimens, reading.serial) == (("LAB0000121",), "A1234")
    assert told(found["RBC"]) == ("789-8", "4.71", "10*6/uL", "")
    assert found["PLT"].flags == {Flag.REVIEW}
    assert (found["PDW"].problem, found["PDW"].flags) == ("unexpected-word", frozenset({Flag.INSTRUMENT_ERROR}))
    assert {found[code].problem for code in ("MXD%", "MXD#")} == {"unknown-code"}
    assert composed("sysmex-xp", "composed-prediluted.astm").results[0].problem == "unknown-code"
    assert composed("sysmex-xp", "composed-control.astm").kind == "qc-result"


def test_cs_knows_a_test_by_assay_and_kind_and_never_by_the_last_digit() -> None:
    reading = composed("sysmex-cs", "composed-coagulation.astm")
    assert [told(one) for one in reading.results] == [
        ("5902-2", "11.8", "s", ""),
        ("5894-1", "88.7", "%", ""),
        ("6301-6", "1.05", "1", ""),
        ("", "5.0", "", "unknown-code"),
        ("14979-9", "26.1", "s", ""),
        ("", "31.9", "", "unknown-code"),  # half the usual dilution
    ]
    assert composed("sysmex-cs", "composed-control.astm").kind == "qc-result"


@pytest.mark.parametrize("name", ["abbott-architect", "abbott-alinity-ci"])
def test_abbott_interpretations_and_signals_are_details(name: str) -> None:
    for path in (COMPOSED / name).glob("*.astm"):
        for one in composed(name, path.name).results:
            assert one.main is (one.detail == "")
            if not one.main:
                assert (one.loinc, one.ucum, one.problem) == ("", "", "")
    assert composed(name, "composed-control.astm").kind == "qc-result"


def test_architect_flags_dilutions_and_failures() -> None:
    results = composed("abbott-architect", "composed-results.astm").results
    assert told(results[0]) == ("3016-3", "1.8711", "u[IU]/mL", "")
    assert [one.problem for one in results if one.main] == ["", "unknown-code"]
    reading = composed("abbott-architect", "composed-flags-and-failure.astm")
    low, diluted = reading.results
    assert (told(low), low.comparator) == (("3016-3", "0.01", "u[IU]/mL", ""), "<")  # 0241 is 241
    assert low.flags == {Flag.UNKNOWN, Flag.BELOW_RANGE}
    assert diluted.problem == "unknown-code"
    assert [order.report_type for order in reading.orders] == ["F", "X"]


def test_alinity_words_and_tests() -> None:
    one = composed("abbott-alinity-ci", "composed-results.astm").results[0]
    assert (told(one), one.flags, one.status) == (("22748-8", "2.32", "mmol/L", ""), frozenset({Flag.LOW}), "R")


def test_access_replicates_are_runs() -> None:
    assert [told(one) for one in composed("beckman-access", "composed-results.astm").results] == [
        ("3016-3", "0.18", "u[IU]/mL", ""),
        ("2132-9", "431", "pg/mL", ""),
    ]
    assert [one.run for one in composed("beckman-access", "composed-replicates.astm").results] == ["1", "2"]
    assert composed("beckman-access", "composed-query.astm").specimens == ("LAB0000163",)


def test_maglumi_without_numbers_and_checksums() -> None:
    results = composed("snibe-maglumi", "composed-thyroid.astm").results
    assert [told(one) for one in results] == [
        ("3053-6", "1.171", "ng/mL", ""),
        ("3026-2", "10.78", "ug/dL", ""),
        ("3016-3", "0.010", "u[IU]/mL", ""),
    ]
    assert results[2].comparator == "<"


def test_bs_reads_the_barcode_and_never_the_place_on_the_tray() -> None:
    (one,) = composed("mindray-bs", "composed-result.hl7").results
    assert (one.specimen, one.code, one.number, one.problem) == ("LAB0000181", "2", "5.250000", "unknown-code")
    assert composed("mindray-bs", "composed-control.hl7").results == ()


def test_dca_takes_the_identifier_that_was_scanned() -> None:
    reading = composed("siemens-dca-vantage", "composed-microalbumin.astm")
    assert [told(one) for one in reading.results] == [
        ("14957-5", "63.7", "mg/L", ""),
        ("2161-8", "230.8", "mg/dL", ""),
        ("14959-1", "27.6", "mg/g", ""),
    ]
    assert (reading.specimens, reading.results[0].time) == (("LAB0000191",), "20260310151030")
    assert composed("siemens-dca-vantage", "composed-below-range.astm").results[0].flags == {Flag.BELOW_RANGE}


def test_x800_multiplies_by_the_power_of_ten_in_the_unit_and_knows_a_target_by_its_assay() -> None:
    load, cycles, controls = composed("roche-cobas-x800", "composed-viral-load.hl7").results
    assert told(load) == ("70241-5", "53200", "{copies}/mL", "")
    assert load.completed == datetime(2026, 3, 9, 17, 29, 20, tzinfo=UTC)  # sent without an offset, and still UTC
    assert (cycles.main, controls.main) == (False, False)
    hbv, hcv, cmv = composed("roche-cobas-x800", "composed-hepatitis.hl7").results
    assert told(hbv) == ("42595-9", "12.5", "[IU]/mL", "")
    assert (hcv.value, hcv.problem) == ("Target Not Detected", "")
    assert (cmv.problem, cmv.flags) == ("value-missing", frozenset({Flag.BELOW_RANGE}))
    screening = composed("roche-cobas-x800", "composed-screening.hl7").results
    assert [one.problem for one in screening] == ["unknown-code"] * 3
    assert [one.flags for one in screening] == [frozenset(), frozenset({Flag.ABNORMAL}), frozenset()]
    assert composed("roche-cobas-x800", "composed-card.hl7").results[0].problem == "other-material"


def test_x800_says_by_a_status_that_there_is_no_result_and_names_its_controls_beside_an_empty_tube() -> None:
    for file in ("composed-invalid.hl7", "composed-cancelled.hl7"):
        assert composed("roche-cobas-x800", file).results[0].problem == "not-performed"
    control = composed("roche-cobas-x800", "composed-control.hl7")
    assert (control.kind, control.results[0].specimen) == ("qc-result", "HxV H (+) C")
    assert told(control.results[0]) == ("70241-5", "1310000", "{copies}/mL", "")
    assert composed("roche-cobas-x800", "composed-query.hl7").specimens == ("LAB0000307",)


def test_bf6900_knows_a_parameter_by_number_and_name_together() -> None:
    found = {one.analyte or one.code: one for one in composed("dirui-bf6900", "composed-cbc.hl7").results}
    assert told(found["2018"]) == ("789-8", "4.61", "10*12/L", "")
    assert (told(found["2019"]), found["2019"].flags) == (("718-7", "128", "g/L", ""), frozenset({Flag.LOW}))
    assert found["2028"].problem == "unit-mismatch"  # a PDW in per cent is not the one in femtolitres
    assert [found[code].main for code in ("2001", "2004", "2005", "2101")] == [False] * 4
    others = composed("dirui-bf6900", "composed-other-numbers.hl7").results
    assert [one.problem for one in others] == ["unknown-code"] * 3
    assert not any(one.main for one in composed("dirui-bf6900", "composed-control.hl7").results)
    (anonymous,) = composed("dirui-bf6900", "composed-no-barcode.hl7").results
    assert anonymous.problem == "no-specimen"  # OBR-2 is the analyzer's own count


def test_pentra_believes_neither_its_sets_of_units_nor_its_loinc_codes() -> None:
    reading = composed("horiba-pentra", "composed-cbc.astm")
    assert reading.specimens == ("LAB0000411",)
    assert {(one.loinc, one.ucum, one.problem) for one in reading.results} == {("", "", "unknown-code")}
    assert [one.flags for one in reading.results][:2] == [frozenset(), frozenset({Flag.CRITICAL_HIGH})]
    assert composed("horiba-pentra", "composed-control.astm").kind == "qc-result"


def test_autoquant_reads_a_backtick_and_believes_neither_urine_nor_a_packet_without_a_tube() -> None:
    reading = composed("meril-autoquant", "composed-results.astm")
    assert (reading.serial, reading.software) == ("11052299", "3.6")
    assert [told(one) for one in reading.results] == [
        ("2885-2", "7.10", "g/dL", ""),
        ("1751-7", "2.90", "g/dL", ""),
        ("6768-6", "200", "", "unit-mismatch"),
        ("", "93", "", "unknown-code"),
    ]
    assert composed("meril-autoquant", "composed-urine.astm").results[0].problem == "other-material"
    assert composed("meril-autoquant", "composed-no-order.astm").results[0].problem == "no-specimen"
    assert composed("meril-autoquant", "composed-query.astm").specimens == ("LAB0000511", "LAB0000512")

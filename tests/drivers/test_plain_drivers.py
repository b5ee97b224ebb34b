"""What the drivers of the plain links make of texts as such analyzers send them; what has another shape is kept whole."""

from __future__ import annotations

from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labmw.driver import plain
from labmw.driver.columns import Columns, layout_of
from labmw.driver.declaration import Evidence, Test
from labmw.driver.laying import NotUnderstood, PlainDriver
from labmw.driver.reading import Reading, ResultRead
from labmw.driver.tags import day_of, moment_of
from labmw.line.registry import Registry
from labmw.model import Disposition, Flag
from protocols.plain.message import NAMES, Name, PlainMessage

PARIS = ZoneInfo("Europe/Paris")
REGISTRY = Registry.find()
PLAIN_DRIVERS = [driver for driver in REGISTRY.drivers.values() if isinstance(driver, PlainDriver)]
MINI = "\x1emtrsl|\x1epi|\x1epn|\x1esi|\x1eci26112501|\x1ertHCV|\x1ernAnti-HCV|\x1ett16:21|\x1etd07/21/25|\x1eqlNegatif|\x1eqn0.15|\x1eqd1|"
PC = (
    "\x1emtrsl|pi77|pnX|pb01/01/1963|psF|so|si|ci26112502|rtDD2|rnD-Dimer E\x1exclusion|tt17:26|td18/01/2026|ql|"
    "qn16830,25 ng/ml|y3ng/ml|qd1|ncvalid|idVIDASPC01|snVN01|m\x1e4anna|"
)
VITEK = (
    "\x1emtrsl|iiV2|is00001899E653|itSU|pi15|pnX|si|s0102|ci26112503|c0102|ta|rtAST-GN93|rr85805|t11|o1citfre|o2Citrobacter freundii|"
    "afQUINOLONES|apWILD|ra|a1am|a2Ampicillin|a3>=32|a4R|anR|ra|a1fep|a2Cefepime|a3<=1|a4S|anS|zz|"
)
SPOTCHEM = "24/10/29 13:08 ID# 1DC042FP   [B. Plasma] Na       131  mmol/L K        9.7  mmol/L Cl        96  mmol/L              "
TOSOH = "0209160007  0.0  0.7  0.7  1.1  2.4  8.5 87.8  0.0  0.0  9.90026112505            \r"
GS, FS = "\x1d", "\x1c"
RAPID = f"SMP_NEW_DATA{FS}\x1e" + "".join(
    f"{name}{GS}{value}{GS}{unit}{GS}{wrong}{GS}{FS}"
    for name, value, unit, wrong in (
        ("aMOD", "0500", "", ""), ("iIID", "64204", "", ""), ("rTYPE", "SAMPLE", "", ""), ("rSEQ", "27025", "", ""), ("rDATE", "21Jul26", "", ""),
        ("rTIME", "12:20", "", ""), ("iPID", "26112506", "", ""), ("rDEVICE", "SYRINGE", "", ""), ("mpH", "7.448", "", ""),
        ("mPCO2", "36.2", "mmHg", "L"), ("cHCO3act", "24.5", "mmol/L", ""),
    )
) + "\x1e"  # fmt: skip
AU_HEAD = "01" + "0001" + "01" + " " + "0001" + "26112504  " + "    "


def message(protocol: Name, *texts: str, terminated: bool = True) -> PlainMessage:
    return PlainMessage(protocol, tuple(text.encode("latin-1") for text in texts), terminated=terminated)


def read(driver: str, told: PlainMessage, **changes: object) -> Reading:
    one = REGISTRY.named(driver)
    return plain.read(told, replace(one, **changes), zone=PARIS)  # type: ignore[arg-type]


def verified(driver: str, told: PlainMessage, tests: dict[str, Test], **changes: object) -> list[ResultRead]:
    """As a laboratory's own file of the same family would read it, whose evidence is a capture."""
    return list(read(driver, told, evidence=Evidence.CAPTURE, tests=tests, **changes).results)


@pytest.mark.parametrize("driver", PLAIN_DRIVERS, ids=lambda one: one.name)
def test_every_one_is_unverified_and_quarantines(driver: PlainDriver) -> None:
    assert driver.evidence is Evidence.UNVERIFIED
    texts = {
        "tags": VITEK if "vitek" in driver.name else PC,
        "stx": TOSOH if "tosoh" in driver.name else SPOTCHEM,
        "au": "D " + AU_HEAD + "E",
        "pk": "D 15",
        "rapid": RAPID,
    }
    reading = plain.read(message(driver.protocol, texts[driver.protocol]), driver, zone=PARIS)  # type: ignore[arg-type]
    assert all(one.problem for one in reading.results)


def test_a_mini_vidas_sends_a_word_and_the_index_behind_it() -> None:
    word, index = verified(
        "biomerieux-vidas", message("tags", MINI), {"HCV": Test("16128-1", text=True, values=("Negatif",))}
    )
    assert (word.specimen, word.code, word.value, word.main, word.problem) == ("26112501", "HCV", "Negatif", True, "")
    assert (index.detail, index.number, index.main) == ("index", "0.15", False)
    assert word.time == "202507211621"


def test_a_vidas_sends_a_number_in_its_unit() -> None:
    (one,) = verified("biomerieux-vidas", message("tags", PC), {"DD2": Test("48065-7", "ng/mL")})
    assert (one.number, one.ucum, one.main, one.problem, one.operator) == ("16830.25", "ng/mL", True, "", "anna")
    assert one.time == "202601181726"
    assert not one.flags


def test_a_vidas_whose_date_may_be_two_days_has_no_certain_time() -> None:
    (one,) = verified(
        "biomerieux-vidas", message("tags", PC.replace("18/01/2026", "08/01/2026")), {"DD2": Test("48065-7", "ng/mL")}
    )
    assert one.problem == "bad-time"


def test_a_dilution_and_a_control_that_is_out_hold_the_result() -> None:
    text = PC.replace("qd1|ncvalid", "qd1:4|ncconthnor")
    (one,) = verified("biomerieux-vidas", message("tags", text), {"DD2": Test("48065-7", "ng/mL")})
    assert one.flags == {Flag.UNKNOWN, Flag.QC}


def test_two_units_are_no_unit() -> None:
    text = PC.replace("y3ng/ml", "y3ug/l")
    (one,) = verified("biomerieux-vidas", message("tags", text), {"DD2": Test("48065-7", "ng/mL")})
    assert one.problem == "unknown-unit"


def test_a_number_with_a_unit_and_a_word() -> None:
    text = PC.replace("|ql|", "|qlPositif|")
    number, word = verified("biomerieux-vidas", message("tags", text), {"DD2": Test("48065-7", "ng/mL")})
    assert (number.main, number.detail, word.main, word.detail) == (True, "", False, "word")


def test_a_value_that_is_no_number_is_not_guessed() -> None:
    (one,) = verified(
        "biomerieux-vidas", message("tags", PC.replace("16830,25 ng/ml", "1.6.8")), {"DD2": Test("48065-7", "ng/mL")}
    )
    assert one.problem == "number-format"
    (none,) = verified(
        "biomerieux-vidas", message("tags", PC.replace("16830,25 ng/ml", "")), {"DD2": Test("48065-7", "ng/mL")}
    )
    assert none.problem == "value-missing"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("\x1emtmpr|ci1|rtHCG|", "not with mtrsl"),
        ("ci1|rtHCG|", "not with mtrsl"),
        ("", "not with mtrsl"),
        ("mtrsl|ci1|", "no test"),
        ("mtrsl|ci1|ci2|rtHCG|", "ci comes twice"),
        ("mtrsl|ci1|rtHCG|qn1|qn2|", "qn comes twice"),
        ("mtrsl|" + "x" * 70_000, "at most 65536"),
    ],
)
def test_tags_of_another_shape_are_kept_whole(text: str, why: str) -> None:
    reading = read("biomerieux-vidas", message("tags", text), evidence=Evidence.CAPTURE)
    assert (reading.disposition, reading.reason, reading.results) == (Disposition.QUARANTINED, "not-understood", ())
    assert why in dict(reading.reason_facts)["why"]
    assert reading.manufacturer


def test_a_vitek_card_names_its_organism_and_each_antibiotic() -> None:
    found = verified("biomerieux-vitek2", message("tags", VITEK), {})
    assert [(one.code, one.analyte, one.value, one.flags_raw) for one in found] == [
        ("AST-GN93", "isolate 1", "citfre", ""), ("am", "isolate 1", ">=32", "R"), ("fep", "isolate 1", "<=1", "S"),
    ]  # fmt: skip
    assert {one.specimen for one in found} == {"26112503"}


def test_a_vitek_card_without_its_end_is_unterminated() -> None:
    reading = read("biomerieux-vitek2", message("tags", VITEK.removesuffix("zz|")))
    assert (reading.disposition, reading.reason) == (Disposition.QUARANTINED, "unterminated")


@pytest.mark.parametrize("text", ["mtrsl|ci1|zz|", "mtrsl|ci1|a1am|zz|", "mtrsl|ci1|rtAST|ra|a1am|a1cz|zz|"])
def test_a_vitek_card_of_another_shape_is_kept_whole(text: str) -> None:
    assert read("biomerieux-vitek2", message("tags", text)).reason == "not-understood"


def group(test: str, value: str, marks: str = "") -> str:
    return " " + test + value.rjust(9) + marks.ljust(8)


def test_an_au_sends_columns_over_several_blocks() -> None:
    one, two = "D " + AU_HEAD + "0" + group("001", "5.10"), "D " + AU_HEAD + "E" + group("002", "<140", "H r ")
    found = verified("beckman-au", message("au", one, two), {"001": Test("2345-7", ""), "002": Test("2951-2", "")})
    assert [(r.specimen, r.code, r.comparator, r.number, r.problem) for r in found] == [
        ("26112504", "001", "", "5.10", ""), ("26112504", "002", "<", "140", ""),
    ]  # fmt: skip
    assert found[0].flags == frozenset()
    assert found[1].flags == {Flag.UNKNOWN}


def test_an_au_marks_controls_and_repeated_runs() -> None:
    control = read("beckman-au", message("au", "DQ" + AU_HEAD + "E" + group("001", "5.10")))
    assert control.kind == "qc-result"
    again = read("beckman-au", message("au", "DH" + AU_HEAD + "E" + group("001", "5.10")))
    assert (again.results[0].run, again.kind) == ("H", "result")


def test_an_au_asks_for_a_tube() -> None:
    reading = read("beckman-au", message("au", "R " + AU_HEAD[:-4]))
    assert (reading.kind, reading.specimens) == ("query", ("26112504",))


@pytest.mark.parametrize("text", ["DR01 blank", "DA01 calibration", "S 01", "??"])
def test_what_an_au_says_of_itself_is_kept_whole(text: str) -> None:
    reading = read("beckman-au", message("au", text), evidence=Evidence.CAPTURE)
    assert (reading.results, reading.reason, len(reading.manufacturer)) == ((), "", 1)


@pytest.mark.parametrize(
    ("texts", "why"),
    [
        (["D 01"], "less than"),
        (["D " + AU_HEAD + "E" + group("001", "5.10")[:-1]], "no multiple"),
        (["D " + AU_HEAD + "0" + group("001", "5.10")], "marked '0'"),
        (["D " + AU_HEAD + "E", "D " + AU_HEAD + "E"], "marked 'E'"),
        (["D " + AU_HEAD + "0", "D " + AU_HEAD.replace("26112504", "26112505") + "E"], "another sample"),
        (["R " + AU_HEAD[:-4], "R " + AU_HEAD[:-4]], "several blocks"),
    ],
)
def test_columns_that_do_not_fit_are_kept_whole(texts: list[str], why: str) -> None:
    reading = read("beckman-au", message("au", *texts), evidence=Evidence.CAPTURE)
    assert reading.reason == "not-understood"
    assert why in dict(reading.reason_facts)["why"]


def test_a_laboratory_sets_its_own_columns() -> None:
    columns = Columns(unit=0, identifier=0, before_test=0, test=2, result=6, mark=2, marks=1)
    laid = layout_of(columns)(message("au", "D 000101 0001    E01   5.1  "))
    assert any(record.startswith("R|1|^^^01|5.1") for record in laid.records)


def test_a_spotchem_sends_one_line() -> None:
    found = verified("arkray-spotchem-el", message("stx", SPOTCHEM), dict(REGISTRY.named("arkray-spotchem-el").tests))
    assert [(r.specimen, r.loinc, r.number, r.ucum, r.time, r.problem) for r in found] == [
        ("1DC042FP", "2951-2", "131", "mmol/L", "202410291308", ""),
        ("1DC042FP", "2823-3", "9.7", "mmol/L", "202410291308", ""),
        ("1DC042FP", "2075-0", "96", "mmol/L", "202410291308", ""),
    ]


def test_a_spotchem_of_urine_is_not_reported_as_plasma() -> None:
    found = verified(
        "arkray-spotchem-el",
        message("stx", SPOTCHEM.replace("B. Plasma", "Urine")),
        dict(REGISTRY.named("arkray-spotchem-el").tests),
    )
    assert {one.problem for one in found} != {""}


@pytest.mark.parametrize("text", ["", "hello", SPOTCHEM.replace("Cl ", "?? "), SPOTCHEM + "x"])
def test_a_spotchem_line_of_another_shape_is_kept_whole(text: str) -> None:
    assert read("arkray-spotchem-el", message("stx", text)).reason == "not-understood"
    assert read("arkray-spotchem-el", message("stx", SPOTCHEM, SPOTCHEM)).reason == "not-understood"


def test_a_link_tells_who_sends_only_where_the_tags_do() -> None:
    assert REGISTRY.recognise_plain(message("tags", PC)) == REGISTRY.named("biomerieux-vidas")
    assert REGISTRY.recognise_plain(message("tags", VITEK)) == REGISTRY.named("biomerieux-vitek2")
    assert REGISTRY.recognise_plain(message("tags", MINI)) is None
    assert REGISTRY.recognise_plain(message("stx", SPOTCHEM)) is None
    for name in NAMES:
        assert REGISTRY.reader(None, name).name == "any-plain"
    reading = plain.read(message("stx", SPOTCHEM), REGISTRY.reader(None, "stx"), zone=PARIS)
    assert (reading.reason, reading.results) == ("unknown-sender", ())


def test_a_driver_of_another_link_reads_nothing() -> None:
    assert plain.read(message("stx", SPOTCHEM), REGISTRY.named("sysmex-xp"), zone=PARIS).reason == "not-understood"
    assert read("biomerieux-vidas", message("tags", PC, terminated=False)).reason == "unterminated"


def test_days_are_read_in_one_order_only() -> None:
    assert (
        day_of("07/21/25", "mdy")
        == day_of("21/07/2025", "")
        == day_of("2025/07/21", "")
        == day_of("07/21/2025", "")
        == "20250721"
    )
    assert day_of("07/08/2025", "") == "07/08/2025"
    assert day_of("tomorrow", "dmy") == "tomorrow"
    assert moment_of("07/21/25", "16:21:05", "mdy") == "20250721162105"
    assert moment_of("07/21/25", "?", "mdy") == "07/21/25 ?"


@settings(max_examples=200, deadline=None)
@given(
    text=st.text(st.characters(max_codepoint=255), max_size=120),
    start=st.sampled_from(["", "mtrsl|rt", "D ", "24/10/29 13:08 ID# 1 [x] "]),
)
def test_any_text_has_a_reading(text: str, start: str) -> None:
    for driver in PLAIN_DRIVERS:
        told = message(driver.protocol, start + text)  # type: ignore[arg-type]
        reading = plain.read(told, driver, zone=PARIS)
        assert reading.protocol == driver.protocol
        try:
            laid = driver.layout(told)
        except NotUnderstood:
            continue
        assert len(laid.records) == len(laid.line_of)
        assert max(laid.line_of) <= len(laid.lines)


@pytest.mark.parametrize("cut", range(0, len(VITEK), 3))
def test_a_card_that_breaks_off_says_nothing(cut: int) -> None:
    reading = read("biomerieux-vitek2", message("tags", VITEK[:cut]), evidence=Evidence.CAPTURE)
    assert reading.reason in {"not-understood", "unterminated"}


def test_a_rapidpoint_is_read_field_by_field() -> None:
    found = verified(
        "siemens-rapidpoint",
        message("rapid", RAPID),
        {"mpH": Test("2744-1"), "mPCO2": Test("2019-8", "mm[Hg]"), "cHCO3act": Test("1960-4", "mmol/L")},
    )
    assert [(one.specimen, one.code, one.number, one.ucum) for one in found] == [
        ("26112506", "mpH", "7.448", ""),
        ("26112506", "mPCO2", "36.2", "mm[Hg]"),
        ("26112506", "cHCO3act", "24.5", "mmol/L"),
    ]
    assert {one.time for one in found} == {"202607211220"}
    assert Flag.UNKNOWN in found[1].flags  # what L means there no source tells


def test_a_rapidpoint_control_is_named_and_its_limits_are_no_results() -> None:
    text = RAPID.replace("SMP_NEW_DATA", "QC_NEW_DATA").replace("SAMPLE", "QC")
    text = text.replace(f"iPID{GS}26112506", f"iQID{GS}108860")
    text = text.replace(f"mpH{GS}", f"sLQmpH{GS}7.131{GS}{GS}{GS}{FS}mpH{GS}")
    found = verified("siemens-rapidpoint", message("rapid", text), {"mpH": Test("2744-1")})
    assert [one.code for one in found] == ["mpH", "mPCO2", "cHCO3act"]
    assert {one.specimen for one in found} == {"108860"}


@pytest.mark.parametrize(
    "text",
    [
        f"SMP_NEW_DATA{FS}\x1e\x1e",
        f"CAL_NEW_DATA{FS}\x1emNa{GS}1{GS}{GS}{GS}{FS}\x1e",
        f"SMP_NEW_DATA{FS}\x1eiPID{GS}1{GS}{FS}iPID{GS}2{GS}{FS}\x1e",
        "",
    ],
)
def test_a_rapidpoint_text_of_another_shape_is_kept_whole(text: str) -> None:
    assert read("siemens-rapidpoint", message("rapid", text)).reason == "not-understood"


def test_a_tosoh_line_has_one_result_and_its_fractions() -> None:
    found = verified("tosoh-g8", message("stx", TOSOH), {"SA1c": Test("4548-4", "%")})
    assert [one.code for one in found if one.main] == ["SA1c"]
    (result,) = [one for one in found if one.main]
    assert (result.specimen, result.number, result.ucum) == ("26112505", "8.5", "%")
    assert len(found) == 10


def test_a_tosoh_place_is_no_tube_and_a_line_of_nines_no_result() -> None:
    (result,) = [
        one
        for one in verified(
            "tosoh-g8", message("stx", TOSOH.replace("26112505 ", "0001 - 05")), {"SA1c": Test("4548-4", "%")}
        )
        if one.main
    ]
    assert result.specimen == ""
    nines = "9999999999999.9999.9999.9999.9999.9999.9999.9999.9999.9999.99999999999999999999999"
    assert not read("tosoh-g8", message("stx", nines)).results
    assert read("tosoh-g8", message("stx", TOSOH[:40])).reason == "not-understood"


def test_a_rapidpoint_names_itself_and_nothing_else_on_its_link_does() -> None:
    found = REGISTRY.recognise_plain(message("rapid", RAPID))
    assert isinstance(found, PlainDriver) and found.name == "siemens-rapidpoint"
    assert REGISTRY.recognise_plain(message("rapid", RAPID.replace("0500", "XX"))) is None
    assert REGISTRY.recognise_plain(message("rapid", "")) is None

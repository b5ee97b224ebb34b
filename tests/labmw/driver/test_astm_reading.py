"""What does a message say through a driver? Every field as sent, every doubt named, nothing dropped."""

from __future__ import annotations

from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labmw.driver import astm
from labmw.driver.declaration import Control, Driver, Evidence, Field, Test, TestId
from labmw.driver.reading import Reading
from labmw.model import Disposition, Flag
from labmw.phrases import say
from protocols.astm.frame import Frame
from protocols.astm.message import Assembly, Message

PARIS = ZoneInfo("Europe/Paris")
ACME = Driver(
    name="acme-x100",
    evidence=Evidence.CAPTURE,
    tests={"TSH": Test("3016-3", "m[IU]/L", name="TSH"), "HI": Test("", index="H"), "K": Test("2823-3", "mmol/L")},
    serial=Field("H", 5, 2),
    software=Field("H", 5, 3),
    material=(Field("O", 16, 1),),
    materials=frozenset({"SER"}),
)
ANY = Driver(name="any-astm", test=Field("R", 3, 4, bare=True), flags={})


def message(*records: str) -> Message:
    """One message from records; unterminated when there is no L."""
    assembly = Assembly()
    found = assembly.feed(Frame(0, "".join(record + "\r" for record in records).encode("latin-1"), True, b""))
    rest = assembly.close()
    return found[0] if found else rest  # type: ignore[return-value]


def reading(*records: str, driver: Driver = ACME) -> Reading:
    return astm.read(message(*records), driver, zone=PARIS)


HEADER = r"H|\^&|M1||ACME^S77^2.1|||||LIS||P|LIS2-A2|20260310081500"
ORDER = "O|1|A17^2^5||^^^TSH|R||||||N||||SER"
RESULT = "R|1|^^^TSH|2.41|mIU/L|0.4 to 4.0|N||F||anna^||20260310081500|S77"


def test_a_result_is_read_whole() -> None:
    read = reading(HEADER, "P|1|PR1|LB2||Doe^Jane||19800102|F", ORDER, RESULT, "C|1|I|warm reagent|I", "L|1|N")
    assert (read.kind, read.disposition, read.reason) == ("result", Disposition.ACCEPTED, "")
    assert (read.serial, read.software, read.message_id, read.terminator) == ("S77", "2.1", "M1", "N")
    assert read.patients[0].birth == "19800102"
    (one,) = read.results
    assert (one.specimen, one.code, one.loinc, one.value, one.number, one.ucum) == (
        "A17",
        "TSH",
        "3016-3",
        "2.41",
        "2.41",
        "m[IU]/L",
    )
    assert one.flags == {Flag.NORMAL}
    assert (one.status, one.operator, one.comments, one.problem) == ("F", "anna^", ("warm reagent",), "")
    assert one.completed is not None
    assert one.completed.utcoffset() is not None
    assert (one.record, one.order, one.range_raw) == (3, 0, "0.4 to 4.0")
    assert read.comments == (("R1", "I", "warm reagent", "I"),)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (("^^^TSH|2.41", "^^^TSX|2.41"), "unknown-code"),
        (("2.41|mIU/L", "2,41|mIU/L"), "number-format"),
        (("2.41|mIU/L", "161,152|mIU/L"), "number-format"),
        (("2.41|mIU/L", r"2.41\2.42|mIU/L"), "number-format"),
        (("2.41|mIU/L", "2.41^2.42|mIU/L"), "number-format"),
        (("2.41|mIU/L", "2&F&41|mIU/L"), "number-format"),
        (("2.41|mIU/L", "2.41|"), "unit-missing"),
        (("2.41|mIU/L", "2.41|mg/dL"), "unit-mismatch"),
        (("2.41|mIU/L", "2.41|mi/L"), "unknown-unit"),
        (("2.41|mIU/L", "|mIU/L"), "value-missing"),
        (("|F||anna", "|X||anna"), "unexpected-status"),
        (("20260310081500|S77", "yesterday|S77"), "bad-time"),
    ],
)
def test_one_doubt_sends_this_result_to_a_person_and_no_other(change: tuple[str, str], problem: str) -> None:
    other = "R|2|^^^K|4.1|mmol/L||N||F||||20260310081500"
    read = reading(HEADER, "P|1", ORDER, RESULT.replace(*change), other, "L|1|N")
    assert [one.problem for one in read.results] == [problem, ""]
    assert read.disposition is Disposition.ACCEPTED
    for language in ("en", "fr"):  # every reason is a sentence with all its facts
        sentence = say(problem, language, **dict(read.results[0].problem_facts))
        assert problem not in sentence
        assert "…" not in sentence


def test_every_flag_counts_and_an_unknown_one_is_never_ignored() -> None:
    read = reading(HEADER, "P|1", ORDER, RESULT.replace("|N||F", r"|HH\?Z\A||F"), "L|1|N")
    assert read.results[0].flags == {Flag.CRITICAL_HIGH, Flag.UNKNOWN, Flag.ABNORMAL}


def test_without_its_end_a_message_is_quarantined_whole() -> None:
    read = reading(HEADER, "P|1", ORDER, RESULT)
    assert (read.terminated, read.disposition, read.reason) == (False, Disposition.QUARANTINED, "unterminated")
    assert read.results[0].number == "2.41"  # kept and shown


def test_a_result_without_order_or_specimen_belongs_to_nobody() -> None:
    assert reading(HEADER, "P|1", RESULT, "L|1|N").results[0].problem == "no-specimen"
    assert reading(HEADER, "P|1", ORDER.replace("A17^2^5", ""), RESULT, "L|1|N").results[0].problem == "no-specimen"
    later = reading(HEADER, "P|1", ORDER, RESULT, "P|2", RESULT, "L|1|N")
    assert [one.specimen for one in later.results] == ["A17", ""]  # the first patient's specimen is not the second's


def test_an_order_of_several_specimens_does_not_say_which_was_measured() -> None:
    read = reading(HEADER, "P|1", ORDER.replace("A17^2^5", r"A17\A18"), RESULT, "L|1|N")
    assert read.specimens == ("A17", "A18")
    assert read.results[0].problem == "several-specimens"


def test_a_urine_value_never_goes_out_as_serum() -> None:
    assert reading(HEADER, "P|1", ORDER.replace("SER", "UR"), RESULT, "L|1|N").results[0].problem == "other-material"
    assert reading(HEADER, "P|1", ORDER.removesuffix("SER"), RESULT, "L|1|N").results[0].problem == ""


def test_a_serum_index_is_no_result() -> None:
    (one,) = reading(HEADER, "P|1", ORDER, "R|1|^^^HI|12|||N||F||||20260310081500", "L|1|N").results
    assert (one.main, one.index, one.number, one.problem, one.loinc) == (False, "H", "12", "", "")


def test_an_unverified_driver_releases_nothing() -> None:
    driver = replace(ACME, evidence=Evidence.UNVERIFIED)
    read = reading(HEADER, "P|1", ORDER, RESULT, "L|1|N", driver=driver)
    assert read.results[0].problem == "unverified-driver"


def test_an_unknown_sender_is_read_as_sent_and_quarantined() -> None:
    read = reading(HEADER, "P|1", ORDER, RESULT, "L|1|N", driver=ANY)
    assert (read.reason, read.disposition) == ("unknown-sender", Disposition.QUARANTINED)
    (one,) = read.results
    assert (one.value, one.number, one.unit_raw, one.ucum, one.loinc, one.problem) == (
        "2.41",
        "2.41",
        "mIU/L",
        "",
        "",
        "unknown-sender",
    )
    assert one.flags == {Flag.UNKNOWN}  # N means what its maker says


def test_an_ambiguous_sender_is_told_apart_from_an_unknown_one() -> None:
    read = reading(HEADER, "P|1", ORDER, RESULT, "L|1|N", driver=replace(ANY, rivals=("a", "b")))
    assert (read.reason, dict(read.reason_facts)["drivers"]) == ("ambiguous-sender", "a, b")


def test_delimiters_that_contradict_each_other_split_nothing() -> None:
    read = reading(r"H|\\^&|||ACME", "P|1", ORDER, RESULT, "L|1|N")
    assert (read.reason, read.disposition, read.results) == ("bad-delimiters", Disposition.QUARANTINED, ())
    assert read.problems


@pytest.mark.parametrize(
    ("records", "kind"),
    [
        ((HEADER, "P|1", ORDER, RESULT, "L|1|N"), "result"),
        ((HEADER.replace("|P|LIS2", "|Q|LIS2"), "P|1", ORDER, RESULT, "L|1|N"), "qc-result"),
        ((HEADER, "P|1", ORDER.replace("|N||||SER", r"|X\Q||||SER"), RESULT, "L|1|N"), "qc-result"),
        ((HEADER, "P|1", ORDER + "||||||||||X", "C|1|I|not performed", "L|1|N"), "result"),
        ((HEADER, "P|1", ORDER, "L|1|N"), "order"),
        ((HEADER, "P|1", ORDER + "||||||||||O", "L|1|N"), "order"),
        ((HEADER, "P|1", ORDER + "||||||||||Y", "L|1|F"), "order-response"),
        ((HEADER, "L|1|I"), "order-response"),
        ((HEADER, "Q|1|^A17||ALL||||||||O", "L|1|N"), "query"),
        ((HEADER, "Q|1|^A17||ALL||||||||A", "L|1|N"), "query-cancel"),
        ((HEADER, "M|1|HISTOGRAM", "L|1|N"), "other"),
        ((HEADER, "L|1|N"), "other"),
    ],
)
def test_what_a_message_is_for(records: tuple[str, ...], kind: str) -> None:
    assert reading(*records).kind == kind


def test_a_control_among_patients_is_marked_by_itself() -> None:
    control = "O|2|QC1||^^^TSH|R||||||N||||SER"
    driver = replace(ACME, control=Control(specimen=r"^QC"))
    read = reading(HEADER, "P|1", ORDER, RESULT, control, RESULT, "L|1|N", driver=driver)
    assert read.kind == "result"
    assert [one.control for one in read.results] == [False, True]


def test_queries_name_their_specimens() -> None:
    read = reading(HEADER, r"Q|1|^A17\A18\^A19||||||||||O", "L|1|N")
    assert read.specimens == ("A17", "A18", "A19")
    assert reading(HEADER, "Q|1|ALL||||||||||O", "L|1|N").specimens == ()


def test_escapes_are_decoded_and_kept_as_sent() -> None:
    read = reading(HEADER, "P|1", ORDER.replace("A17^2^5", "A&S&17"), RESULT.replace("TSH|", "TS&E&H|"), "L|1|N")
    assert (read.results[0].specimen, read.orders[0].specimen_raw) == ("A^17", "A&S&17")
    assert (read.results[0].code, read.results[0].code_raw) == ("TS&H", "^^^TS&E&H")


def test_a_mean_makes_details_of_its_replicates() -> None:
    driver = replace(ACME, mean_flag="MEAN", material=())
    rows = [
        RESULT.replace("|N||F", flag).replace("2.41", value)
        for flag, value in (("|MEAN||F", "2.5"), ("|N||F", "2.4"), ("|N||F", "2.6"))
    ]
    read = reading(HEADER, "P|1", ORDER, *rows, "L|1|N", driver=driver)
    assert [(one.main, one.detail, one.loinc) for one in read.results] == [
        (True, "", "3016-3"),
        (False, "replicate 1", ""),
        (False, "replicate 2", ""),
    ]
    alone = reading(HEADER, "P|1", ORDER, *rows[1:], "L|1|N", driver=driver)
    assert all(one.main for one in alone.results)  # nobody said that one of them is the mean


def test_a_code_the_analyzer_calls_otherwise_is_not_believed() -> None:
    driver = replace(ACME, loinc_sent=Field("R", 3, 5))
    good = reading(HEADER, "P|1", ORDER, RESULT.replace("^^^TSH", "^^^TSH^3016-3"), "L|1|N", driver=driver)
    wrong = reading(HEADER, "P|1", ORDER, RESULT.replace("^^^TSH", "^^^TSH^2823-3"), "L|1|N", driver=driver)
    assert [good.results[0].problem, wrong.results[0].problem] == ["", "loinc-mismatch"]


def test_a_data_alarm_in_the_comment_is_a_flag() -> None:
    driver = replace(ACME, alarm=Field("C", 4), silent=frozenset({"0"}), alarms={"58": Flag.HAEMOLYSIS})
    rows = [part for alarm in ("0", "58", "99") for part in (RESULT, f"C|1|I|{alarm}|I")]
    read = reading(HEADER, "P|1", ORDER, *rows, "L|1|N", driver=driver)
    assert [one.flags - {Flag.NORMAL} for one in read.results] == [set(), {Flag.HAEMOLYSIS}, {Flag.UNKNOWN}]


def test_parts_of_the_value_that_the_driver_does_not_read_are_not_dropped() -> None:
    driver = replace(ACME, value=Field("R", 4, 1), value_or=Field("R", 4, 2))
    for value, problem in (
        ("^2.41", ""),
        ("2.41^", ""),
        ("2.41^2.42", "unexpected-component"),
        ("^2.41^X", "unexpected-component"),
    ):
        read = reading(HEADER, "P|1", ORDER, RESULT.replace("2.41", value, 1), "L|1|N", driver=driver)
        assert read.results[0].problem == problem, value


def test_what_a_split_calls_no_result_is_a_detail_without_a_claim() -> None:
    driver = replace(ACME, split=lambda parts: TestId(code=parts[3], detail="Ct", main=False))
    (one,) = reading(HEADER, "P|1", ORDER, RESULT, "L|1|N", driver=driver).results
    assert (one.main, one.loinc, one.ucum, one.number, one.problem) == (False, "", "", "2.41", "")


def test_the_character_set_is_the_one_that_fits() -> None:
    driver = replace(ACME, encodings=("utf-8",), no_value=frozenset({"NÉANT"}))
    for encoding in ("utf-8", "latin-1"):
        raw = "".join(part + "\r" for part in (HEADER, "P|1", ORDER, RESULT.replace("2.41", "NÉANT"), "L|1|N")).encode(
            encoding
        )
        read = astm.read(Message.parse(raw)[0], driver, zone=PARIS)
        assert (read.results[0].value, read.results[0].problem) == ("NÉANT", "value-missing")
    assert "encoding utf-8" not in read.tolerances_used


def test_windows_1252_is_read_where_the_driver_says_so_and_gives_another_tube_where_it_does_not() -> None:
    """The variant that breaks it: the same bytes read as Latin-1 name a tube that nobody has, and go to a person."""
    raw = "".join(f"{one}\r" for one in (HEADER, "P|1", ORDER.replace("A17", "Œ1"), RESULT, "L|1|N")).encode("cp1252")
    (one,) = astm.read(Message.parse(raw, "cp1252")[0], replace(ACME, encoding="cp1252"), zone=PARIS).results
    assert one.specimen == "Œ1"
    (other,) = astm.read(Message.parse(raw)[0], ACME, zone=PARIS).results
    assert other.specimen == "\x8c1"


def test_an_unknown_record_is_told_and_kept_out() -> None:
    read = reading(HEADER, "P|1", ORDER, RESULT, "Z|1|what", "L|1|N")
    assert any("unknown type 'Z'" in problem for problem in read.problems)
    assert len(read.results) == 1


PIECE = st.text(alphabet=r"HPORCQMSL|\^&`@<>.,0123456789TSHKmIU/LFNX ", max_size=30)


@given(st.lists(PIECE, max_size=12), st.booleans())
def test_no_records_however_strange_raise(records: list[str], ends: bool) -> None:
    tail = ["L|1|N"] if ends else []
    for driver in (ACME, ANY):
        reading(HEADER, *records, *tail, driver=driver)

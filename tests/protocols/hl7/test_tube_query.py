"""What does an analyzer ask in a dialect of its own, and is it answered in the form that it waits for? The two dialects, byte by byte."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.hl7.acknowledgment import ErrorDetail, read_ack
from protocols.hl7.asking import AskingDialect, Moment, TestAsked, TubeQuery, TubeWork
from protocols.hl7.display_query import DISPLAY
from protocols.hl7.er7 import Message
from protocols.hl7.mode_query import MODES, mode_of
from protocols.hl7.z03_query import Z03

CORPUS = Path(os.environ.get("LABMW_CORPUS", Path(__file__).parents[4] / "shared" / "corpus"))
QRY = (
    "MSH|^~\\&|Mindray|BS-200|||20261101070000||QRY^Q02|4|P|2.3.1||||0||ASCII|||\r"
    "QRD|20261101070000|R|D|2|||RD|0019|OTH|||T|\rQRF|BS-200|20261101000000|20261101070000|||RCT|COR|ALL||\r"
)
Z = "MSH|^~\\&|ICU^GeneXpert^1.0||LIS||20261101070000||QBP^Z03^QBP_Z03|662f|P|2.5\rQPD|Z03^HOST QUERY|662f|P-9|S1|\rRCP|I\r"
WORK = TubeWork(
    "0019", (TestAsked("1"), TestAsked("5", "S")), "P1", "DÉSIR", "Zoé", "19700101", "F", "SER", "20261101063000+0100"
)
AT = Moment("OURS1", "20261101070001+0100")
LATER = ErrorDetail("207", "orders cannot be looked up now; ask again")
MSH = "MSH|^~\\&|||Mindray|BS-200|20261101070001||{}|OURS1|P|2.3.1||||0||ASCII"


def lines(raw: bytes) -> list[str]:
    return raw.decode("ascii").split("\r")[:-1]


def asked(raw: str) -> Message:
    return Message.parse(raw.encode("latin-1"))


def test_a_tube_is_asked_for_by_its_barcode() -> None:
    assert DISPLAY.read(asked(QRY)) == TubeQuery("0019")
    assert Z03.read(asked(Z)) == TubeQuery("S1")


@pytest.mark.skipif(not CORPUS.is_dir(), reason="needs the corpus of captures (LABMW_CORPUS)")
def test_the_query_of_the_corpus() -> None:
    message = Message.parse((CORPUS / "hl7" / "genexpert" / "QBP_Z03.hl7").read_bytes())
    assert f"{message.code}^{message.trigger}" in Z03.queries
    assert Z03.read(message) == TubeQuery("SpecimenID-DEV01210000000000005")
    reply = lines(Z03.answer(message, None, None, AT))
    assert reply[3] == message.segments[1].line, "the query comes back as it was sent"


@pytest.mark.parametrize(
    ("raw", "dialect", "code"),
    [
        (QRY.replace("|0019|", "||"), DISPLAY, "101"),  # by the analyzer's own numbers, or by time
        (QRY[: QRY.index("QRD")], DISPLAY, "100"),
        (Z.replace("|S1|", "||"), Z03, "101"),
        (Z[: Z.index("QPD")], Z03, "100"),
    ],
)
def test_what_names_no_tube_is_a_problem_with_its_place(raw: str, dialect: AskingDialect, code: str) -> None:
    query = dialect.read(asked(raw))
    assert query.tube == "" and query.problem is not None and query.problem.code == code
    told = read_ack(Message.parse(dialect.answer(asked(raw), None, query.problem, AT)))
    assert (told.code, told.control_id) == ("AE", asked(raw).control_id)


def test_the_display_reply_says_whether_there_is_work() -> None:
    accepted = [MSH.format("QCK^Q02"), "MSA|AA|4|Message accepted|||0", "ERR|0"]
    assert lines(DISPLAY.answer(asked(QRY), WORK, None, AT)) == [*accepted, "QAK|SR|OK"]
    assert lines(DISPLAY.answer(asked(QRY), None, None, AT)) == [*accepted, "QAK|SR|NF"]
    assert lines(DISPLAY.answer(asked(QRY), None, LATER, AT)) == [
        MSH.format("QCK^Q02"),
        f"MSA|AE|4|{LATER.text}|||207",
        "ERR|207",
        "QAK|SR|AE",
    ]


def test_a_query_that_is_taken_back_has_no_tube_and_is_accepted() -> None:
    back = asked(QRY.replace("|OTH|", "|CAN|"))
    assert DISPLAY.read(back) == TubeQuery(taken_back=True)
    assert lines(DISPLAY.answer(back, None, None, AT))[-1] == "QAK|SR|OK"


def test_the_display_message_has_every_line_at_its_number() -> None:
    assert DISPLAY.order is not None
    told = lines(DISPLAY.order(asked(QRY), WORK, AT))
    assert told[:6] == [
        MSH.format("DSR^Q03"),
        "MSA|AA|4|Message accepted|||0",
        "ERR|0",
        "QAK|SR|OK",
        "QRD|20261101070000|R|D|2|||RD|0019|OTH|||T",
        "QRF|BS-200|20261101000000|20261101070000|||RCT|COR|ALL",
    ]
    assert told[-1] == "DSC||"
    shown = {line.split("|")[1]: line.split("|", 2)[2] for line in told[6:-1]}
    assert list(shown) == [str(number) for number in range(1, 31)]
    filled = {number: text for number, text in shown.items() if text.strip("|")}
    assert filled == {
        "1": "|P1|||",
        "3": "|DESIR Zoe|||",
        "4": "|19700101000000|||",
        "5": "|F|||",
        "21": "|0019|||",
        "23": "|20261101063000|||",
        "24": "|Y|||",
        "26": "|serum|||",
        "29": "|1^^^|||",
        "30": "|5^^^|||",
    }


def test_an_unnamed_patient_and_another_material_leave_their_lines_empty() -> None:
    assert DISPLAY.order is not None
    told = lines(DISPLAY.order(asked(QRY), TubeWork("0019", (TestAsked("1"),), kind="CSF", sex="U"), AT))
    shown = {line.split("|")[1]: line.split("|")[3] for line in told if line.startswith("DSP")}
    assert {n: text for n, text in shown.items() if text} == {"5": "O", "21": "0019", "24": "N", "29": "1^^^"}


def test_the_reply_with_the_work_in_it() -> None:
    assert lines(Z03.answer(asked(Z), WORK, None, AT)) == [
        "MSH|^~\\&|LIS||ICU^GeneXpert^1.0||20261101070001||RSP^Z02|OURS1|P|2.5|||NE|NE",
        "MSA|AA|662f",
        "QAK|662f|OK|Z03^HOST QUERY",
        "QPD|Z03^HOST QUERY|662f|P-9|S1",
        "PID|1||P1||DESIR^Zoe||19700101|F",
        "ORC|NW|1|||||||20261101070001",
        "OBR|1|||1|||||||A",
        "TQ1|||||||||R",
        "SPM|1|0019||ORH|||||||P",
        "ORC|NW|2|||||||20261101070001",
        "OBR|2|||5|||||||A",
        "TQ1|||||||||S",
        "SPM|2|0019||ORH|||||||P",
    ]
    assert Z03.order is None


def test_no_work_and_not_now_are_told_apart() -> None:
    none, later = (lines(Z03.answer(asked(Z), None, problem, AT)) for problem in (None, LATER))
    assert [line[:3] for line in none] == ["MSH", "MSA", "QAK", "QPD"] and none[2].startswith("QAK|662f|OK|")
    assert [line[:3] for line in later] == ["MSH", "MSA", "ERR", "QAK", "QPD"] and later[3].startswith("QAK|662f|AE|")


texts = st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=12)


@given(tube=texts, code=texts, family=texts, sep=st.sampled_from(["|^~\\&", "!@#\\$"]))
def test_no_text_of_ours_adds_a_field_or_a_line(tube: str, code: str, family: str, sep: str) -> None:
    """A name or a code with separators in it comes through as it is, whatever separators the analyzer uses."""
    work = TubeWork(tube, (TestAsked(code),), family=family)
    for dialect, raw in ((DISPLAY, QRY), (Z03, Z)):
        message = asked(raw.translate(str.maketrans("|^~\\&", sep)))
        said = [dialect.answer(message, work, None, AT)] + ([dialect.order(message, work, AT)] if dialect.order else [])
        names = [[one.name for one in Message.parse(raw).segments] for raw in said]
        plain = TubeWork("1", (TestAsked("1"),), family="A")
        same = [dialect.answer(message, plain, None, AT)] + (
            [dialect.order(message, plain, AT)] if dialect.order else []
        )
        assert names == [[one.name for one in Message.parse(raw).segments] for raw in same]
        got = Message.parse(said[-1])
        if tube.isascii() and tube.strip() == tube:
            line = got.all("DSP")[20] if dialect is DISPLAY else got.first("SPM")
            assert line is not None and line.component(3 if dialect is DISPLAY else 2) == tube


# --- ORM^O01 and ORR^O02 -----------------------------------------------------------------------------------------------------

ORM = "MSH|^~\\&|BC-5380|Mindray|||20261101070000||ORM^O01|9|P|2.3.1||||||UNICODE\rORC|RF||0019||IP\r"


def test_a_counter_is_told_how_to_run_the_tube() -> None:
    work = TubeWork("0019", (TestAsked("CBC"), TestAsked("CBC+DIFF")), "P1", "DÉSIR", "Zoé", "19700101", "F", "", "20261101063000+0100")  # fmt: skip
    assert MODES.read(asked(ORM)) == TubeQuery("0019")
    assert lines(MODES.answer(asked(ORM), work, None, AT)) == [
        "MSH|^~\\&|||BC-5380|Mindray|20261101070001||ORR^O02|OURS1|P|2.3.1||||||UNICODE",
        "MSA|AA|9",
        "PID|1||P1^^^^MR||DESIR^Zoe||19700101000000|Female",
        "PV1|1",
        "ORC|AF|0019",
        "OBR|1|0019||00001^Automated Count^99MRC||20261101063000||||||||||||||||||HM",
        "OBX|1|IS|08003^Test Mode^99MRC||CBC+DIFF||||||F",
    ]
    assert lines(MODES.answer(asked(ORM), None, None, AT))[1:] == ["MSA|AR|9"]
    assert lines(MODES.answer(asked(ORM), None, LATER, AT))[1:] == [f"MSA|AE|9|{LATER.text}|||207"]


@pytest.mark.parametrize(
    ("codes", "mode"),
    [("CBC", "CBC"), ("CBC CBC+DIFF", "CBC+DIFF"), ("CBC+DIFF CBC", "CBC+DIFF"), ("CBC+DIFF CBC+RET", "CBC+DIFF+RET")],
)
def test_of_several_modes_the_one_that_holds_the_others(codes: str, mode: str) -> None:
    assert mode_of(TubeWork("1", tuple(TestAsked(code) for code in codes.split()))) == mode


@pytest.mark.parametrize(
    ("raw", "code"),
    [(ORM.replace("|0019|", "||"), "101"), (ORM[: ORM.index("ORC")], "100"), (ORM.replace("ORC|RF", "ORC|NW"), "103")],
)
def test_an_order_message_that_asks_for_no_tube_is_not_answered_with_work(raw: str, code: str) -> None:
    problem = MODES.read(asked(raw)).problem
    assert problem is not None and problem.code == code

"""The report to the information system: laid out as LTW has it, says when no human released it, comes back equal."""

from dataclasses import replace
from decimal import Decimal as D
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.errors import Hl7Error
from protocols.hl7.er7 import Message
from protocols.hl7.messages import (
    AutoRelease,
    Code,
    Comment,
    EntityId,
    Header,
    Identifier,
    Observation,
    Organisation,
    Person,
    PersonName,
    Report,
    ReportOrder,
    ReportPatient,
    ReportSpecimen,
    oru_r01,
    read_oru,
)
from protocols.hl7.values import Coded, Document, Numeric, Text, Unread

EXAMPLES = Path(__file__).parents[2] / "examples"
GLUCOSE = Code("14749-6", "Glucose [Moles/volume] in Serum or Plasma", "LN")
MMOL = Code("mmol/L", "mmol/L", "UCUM")
BIOLOGIST = Person(
    "801234567866",
    "ESSAI",
    "Ada",
    authority="ASIP-SANTE-PS",
    universal_id="1.2.250.1.71.4.2.1",
    universal_type="ISO",
    name_type="D",
    id_type="RPPS",
)
AUTO = AutoRelease("Résultat validé automatiquement, sans relecture.", "chemistry", "3.1", BIOLOGIST)
RESULT = Observation(GLUCOSE, Numeric(D("5.42")), MMOL)
ORDER = ReportOrder(GLUCOSE, EntityId("PO-1", "DPI"), EntityId("FO-1", "LIS-X"), (RESULT,))
REPORT = Report(
    Header("LABMW", "LABODEMO", "DPI", "HOPDEMO", "20260315090000+0100", "L-1"),
    ReportPatient((Identifier("PAT000417", "LABODEMO", type="PI"),), (PersonName("DUPONT", "Léa"),), "19850412", "F"),
    (ORDER,),
)


def reported(**changes: object) -> Report:
    return replace(REPORT, orders=(replace(ORDER, observations=(replace(RESULT, **changes),)),))  # type: ignore[arg-type]


def obx_of(report: Report) -> str:
    obx = Message.parse(oru_r01(report)).first("OBX")
    assert obx
    return obx.line


def full() -> Report:
    results = (
        replace(RESULT, auto=AUTO, flags=("H", "A"), range="3.90-6.10", method=Code("HK", "Hexokinase", "99LAB"), equipment=(EntityId("CHEM-X1", "ACME"), EntityId("SN-4471", "ACME")), observed="20260315073000+0100", analysed="20260315083015+0100", comments=(Comment("Haemolysis\nindex 12"), Comment("internal", "P", Code("RE", "Remark", "HL70364")))),
        Observation(Code("14749-6", "Glucose", "LN", "GLU", "Glycémie", "99LAB"), Numeric(D("100"), ">"), MMOL, sub_id="2", responsible=BIOLOGIST),
        Observation(Code("", "", "", "CULT", "Culture", "99LAB"), Coded(Code("3092008", "S. aureus", "SCT"))),
        Observation(GLUCOSE, Text('""')),
        Observation(GLUCOSE, Text("one\ntwo|&")),
        Observation(GLUCOSE, Document("application", "pdf", b"%PDF-1.4\x00\xff")),
        Observation(GLUCOSE, None, status="X", comments=(Comment("clot"),)),
        Observation(GLUCOSE, Numeric(D("1"), "", ":", D("320")), Code("{titer}", "titre", "UCUM"), producer=Code("L9", "Other lab", "99LAB"), performer=Organisation("LABO SPECIALISE", "D", "ASIP-SANTE-ST", "1.2.250.1.71.4.2.2", "ISO", "FINEG", "690999902"), director=BIOLOGIST),
    )  # fmt: skip
    order = ReportOrder(
        GLUCOSE, EntityId("PO-1", "DPI", "1.2.3", "ISO"), EntityId("FO-1", "LIS-X"), results, "F", "RE", EntityId("GRP", "DPI"),
        "20260315081200+0100", BIOLOGIST, "20260315073000+0100", "20260315083500+0100", (Comment("fasting"),),
        (ReportSpecimen(EntityId("26031500123", "LABMW"), Code("SER", "Serum", "HL70487"), EntityId("T-9"), Code("P", "Patient specimen", "HL70369"), "20260315073000+0100", "20260315081500+0100"),),
    )  # fmt: skip
    patient = ReportPatient(
        (Identifier("PAT000417", "LABODEMO", "1.2.250.1.999.10", "ISO", "PI"), Identifier("285047599900181", "ASIP-SANTE-INS-NIR", "1.2.250.1.213.1.4.10", "ISO", "INS")),
        (PersonName("DUPONT", "LEA", "LEA CLAIRE"), PersonName("MARTIN", "LEA", type="D")), "19850412", "F",
        Identifier("V-77", "HOP", type="AN"), ("VALI", "COLP"), "I",
    )  # fmt: skip
    return Report(replace(REPORT.header, country="FRA", profile=EntityId("LAB-3", "IHE")), patient, (order, ORDER))


def test_the_layout_of_the_example() -> None:
    raw = (EXAMPLES / "ltw_lab3_01_oru_r01.hl7").read_bytes()
    report = read_oru(Message.parse(raw))
    assert report.orders[0].observations[0].value == Numeric(D("5.42"))
    assert report.orders[0].observations[0].responsible == Person("TECH01")
    # the one difference: labmw numbers its PID
    assert oru_r01(report) == raw.replace(b"PID||", b"PID|1|")


def test_everything_comes_back() -> None:
    report = full()
    raw = oru_r01(report)
    message = Message.parse(raw)
    assert read_oru(message) == report
    assert oru_r01(read_oru(message)) == raw
    assert message.charset_problem is None and message.line_end_problem is None
    assert [item.name for item in message] == [
        "MSH",
        "PID",
        "PV1",
        "ORC",
        "OBR",
        "NTE",
        "OBX",
        "NTE",
        "NTE",
        "NTE",
        "OBX",
        "OBX",
        "OBX",
        "OBX",
        "OBX",
        "OBX",
        "NTE",
        "OBX",
        "SPM",
        "ORC",
        "OBR",
        "OBX",
    ]
    assert [item.field(1) for item in message.all("OBX")] == [*"12345678", "1"]
    assert [item.field(1) for item in message.all("NTE")] == ["1", "1", "2", "3", "1"]
    assert message.header.field(18) == "UNICODE UTF-8"


def test_a_result_released_without_a_human_says_so() -> None:
    message = Message.parse(oru_r01(reported(auto=AUTO)))
    obx, nte = message.first("OBX"), message.first("NTE")
    assert obx and nte
    assert obx.component(16) == "AUTO"
    assert obx.field(16).startswith("AUTO^chemistry^3.1^^^^^^99LABMW~801234567866^ESSAI^Ada^")
    assert nte.line == "NTE|1|L|Résultat validé automatiquement, sans relecture.|AUTO^Automatic release^99LABMW"
    # the variant without the mark must not read as automatic, nor the marked one as a person's
    assert read_oru(message).orders[0].observations[0].auto == AUTO
    assert read_oru(message).orders[0].observations[0].responsible is None
    by_hand = read_oru(Message.parse(oru_r01(reported(responsible=BIOLOGIST)))).orders[0].observations[0]
    assert (by_hand.auto, by_hand.responsible) == (None, BIOLOGIST)


@pytest.mark.parametrize(
    ("auto", "says"),
    [
        (replace(AUTO, text=" "), "fill all three"),
        (replace(AUTO, pack=""), "fill all three"),
        (replace(AUTO, version=""), "fill all three"),
        (replace(AUTO, responsible=Person("")), "responsible biologist"),
    ],
)
def test_an_incomplete_automatic_release_is_refused(auto: AutoRelease, says: str) -> None:
    with pytest.raises(Hl7Error, match=says):
        oru_r01(reported(auto=auto))
    with pytest.raises(Hl7Error, match="both a person and the rules"):
        oru_r01(reported(auto=AUTO, responsible=BIOLOGIST))


@pytest.mark.parametrize(
    ("report", "says"),
    [
        (reported(value=Numeric(D("NaN"))), "OBX 1 .14749-6.: OBX-5: .*finite Decimal"),
        (reported(unit=None), "OBX 1 .14749-6.: OBX-6 is empty beside a number"),
        (reported(unit=Code("g / L", "", "UCUM")), "OBX-6 is 'g / L'"),
        (reported(value=Text("x"), unit=Code("mg")), "OBX-6"),
        (reported(code=Code("")), "OBX 1 ..: OBX-3 has no code"),
        (reported(value=None), "OBX-5 is empty with status F"),
        (reported(value=Text("a\x00b")), "OBX-5 holds .*control character"),
        (reported(range="a\nb"), "OBX-7 holds"),
        (reported(flags=("\udce9",)), "OBX-8 holds"),
        (reported(comments=(Comment("a\x1bb"),)), "NTE-3 holds"),
        (reported(comments=(Comment(" "),)), "NTE-3 is empty"),
        (reported(status="U"), "OBX-11 'U' contradicts OBR-25 'F'"),
        (reported(status="P"), "contradicts"),
        (reported(observed="yesterday"), "OBX-14 is 'yesterday'"),
        (reported(analysed="20261315"), "OBX-19 is '20261315'"),
        (reported(value=Unread("ZZ", "x")), "forward the segment"),
        (replace(REPORT, orders=()), "no order"),
        (replace(REPORT, orders=(replace(ORDER, service=Code("x")),)), "OBR 1: OBR-4"),
        (replace(REPORT, orders=(replace(ORDER, service=replace(GLUCOSE, text="")),)), "name of the test"),
        (replace(REPORT, orders=(replace(ORDER, placer=None, filler=EntityId("")),)), "order number"),
        (replace(REPORT, orders=(replace(ORDER, status="Q"),)), "OBR-25 is 'Q'"),
        (replace(REPORT, orders=(replace(ORDER, reported="1"),)), "OBR-22"),
        (replace(REPORT, orders=(replace(ORDER, specimens=(ReportSpecimen(EntityId(""), GLUCOSE),)),)), "SPM-2 is empty"),
        (replace(REPORT, orders=(replace(ORDER, specimens=(ReportSpecimen(EntityId("1"), Code("")),)),)), "SPM-4"),
        (replace(REPORT, header=replace(REPORT.header, control_id="")), "MSH-10 is empty"),
        (replace(REPORT, header=replace(REPORT.header, when="")), "MSH-7 is empty"),
        (replace(REPORT, header=replace(REPORT.header, receiving_facility="a\rOBX|1")), "MSH-6 holds"),
        (replace(REPORT, patient=replace(REPORT.patient, identifiers=())), "PID-3"),
        (replace(REPORT, patient=replace(REPORT.patient, identifiers=(Identifier(""),))), "PID-3"),
        (replace(REPORT, patient=replace(REPORT.patient, birth="19851332")), "PID-7"),
        (replace(REPORT, patient=replace(REPORT.patient, sex="female")), "PID-8"),
        (replace(REPORT, patient=replace(REPORT.patient, identifiers=(Identifier("2850", "INS", type="INS"),), reliability=("PROV",))), "INS may only be sent"),
    ],
)  # fmt: skip
def test_refused_with_place_and_remedy(report: Report, says: str) -> None:
    with pytest.raises(Hl7Error, match=says):
        oru_r01(report)


@pytest.mark.parametrize(("status", "orc"), [("P", "A"), ("F", "CM"), ("C", "CM"), ("X", "CA"), ("I", "IP")])
def test_order_and_result_status_agree(status: str, orc: str) -> None:
    result = replace(RESULT, status="I" if status == "I" else status, value=None if status in "XI" else RESULT.value)
    message = Message.parse(oru_r01(replace(REPORT, orders=(replace(ORDER, status=status, observations=(result,)),))))
    found = message.first("ORC")
    assert found and found.field(5) == orc


def test_a_patient_without_name() -> None:
    report = replace(REPORT, patient=replace(REPORT.patient, names=()))
    message = Message.parse(oru_r01(report))
    pid = message.first("PID")
    assert pid and pid.field(5) == "^^^^^^U"
    assert read_oru(message) == report


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("PID|1||P1\rOBX|1|ST|A||x\r", "before its OBR"),
        ("PID|1||P1\rOBR|1|A\rORC|RE\rOBX|1|ST|A||x\rOBR|2|B\r", "before its OBR"),
        ("OBR|1|A\r", "0 PID segments"),
        ("PID|1||P1\rOBR|1|A\rPID|2||P2\rOBR|1|B\r", "2 PID segments"),
    ],
)
def test_reading_refuses_what_could_be_filed_wrongly(body: str, says: str) -> None:
    with pytest.raises(Hl7Error, match=says):
        read_oru(Message.parse(("MSH|^~\\&|||||||ORU^R01|1|P|2.5.1\r" + body).encode()))
    with pytest.raises(Hl7Error, match="not ORU"):
        read_oru(Message.parse(b"MSH|^~\\&|||||||OUL^R22|1|P|2.5.1\r"))


def test_reading_other_layouts() -> None:
    body = "PID|1||P1\rNTE|1||about the patient\rORC|SC|O1|F1\rOBR|1|||X^y^L\rTQ1|1\rOBX|1|ST|A^b^L||x||||||F|||||AUTO^p^1^^^^^^99LABMW\rNTE|1||a~b\rSPM|1|^T1\rOBX|2|ST|H^h^L||y\rORC|SC\rOBR|2|O2||Z\rOBR|3\r"
    report = read_oru(Message.parse(("MSH|^~\\&|||||||ORU^R01|1|P|2.5.1\r" + body).encode()))
    first, second, third = report.orders
    assert first.placer == EntityId("O1") and first.filler == EntityId("F1")
    assert [item.code.code for item in first.observations] == ["A", "H"]
    assert first.observations[0].auto == AutoRelease("", "p", "1", Person(""))
    assert first.observations[0].comments == (Comment("a\nb", ""),)
    assert first.specimens == (ReportSpecimen(EntityId(""), Code(""), EntityId("T1")),)
    assert (second.control, second.placer, third.control, third.service) == ("SC", EntityId("O2"), "", Code(""))


def test_a_message_without_order_has_no_result() -> None:
    assert read_oru(Message.parse(b"MSH|^~\\&|||||||ORU^R01|1|P|2.5.1\rPID|1||P1\r")).orders == ()


def test_the_french_subcontractor_examples_are_read() -> None:
    partial = read_oru(Message.parse((EXAMPLES / "ilw_lab36_01_oru_r01_partial.hl7").read_bytes()))
    assert [item.type for item in partial.patient.identifiers] == ["PI", "INS"]
    assert partial.patient.reliability == ("VALI",)
    result = partial.orders[0].observations[0]
    assert result.performer and result.performer.id == "690999902"
    assert (result.value, result.status) == (Numeric(D("86.0")), "P")
    final = read_oru(Message.parse((EXAMPLES / "ilw_lab36_02_oru_r01_final_with_pdf.hl7").read_bytes()))
    assert any(isinstance(item.value, Document) for order in final.orders for item in order.observations)


LINE = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=15)
LINES = st.text(
    st.characters(exclude_categories=["Cc", "Cs"], include_characters="\n"), min_size=1, max_size=30
).filter(str.strip)


@given(LINE, LINE, LINE, LINES, LINES)
def test_any_text_survives(name: str, identifier: str, code: str, text: str, comment: str) -> None:
    result = Observation(
        Code(code, name, "99LAB"),
        Text(text),
        range=name,
        flags=(code,),
        auto=replace(AUTO, text=comment, pack=name, version=code),
        comments=(Comment(comment),),
    )
    patient = ReportPatient((Identifier(identifier, name),), (PersonName(name, code),))
    report = replace(
        REPORT, patient=patient, orders=(replace(ORDER, observations=(result,), comments=(Comment(text),)),)
    )
    raw = oru_r01(report)
    assert read_oru(Message.parse(raw)) == report
    assert len(raw.split(b"\r")) == 10


def test_the_obx_is_the_one_of_the_specification() -> None:
    assert (
        obx_of(REPORT) == "OBX|1|NM|14749-6^Glucose [Moles/volume] in Serum or Plasma^LN||5.42|mmol/L^mmol/L^UCUM|||||F"
    )

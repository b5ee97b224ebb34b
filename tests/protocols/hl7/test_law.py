"""Does LAW work from both sides? The steps of the conformance test plan, message by message; assertions have their Gazelle ids."""

from dataclasses import replace
from decimal import Decimal as D
from pathlib import Path

import pytest

from protocols.errors import Hl7Error
from protocols.hl7.er7 import Message
from protocols.hl7.law import (
    GENERIC,
    PERSONALITIES,
    Code,
    Comment,
    EntityId,
    ErrorDetail,
    Header,
    Identifier,
    Location,
    Material,
    NoWork,
    Observation,
    PersonName,
    QueryBy,
    ReportPatient,
    Specimen,
    SpecimenReply,
    SpecimenStatus,
    SpecimenWork,
    StatusChange,
    Step,
    StepReply,
    StepStatus,
    Treatment,
    Volume,
    Work,
    WorkReply,
    ack,
    answering,
    outcomes,
    read_ack,
    read_query,
    read_query_answer,
    read_status,
    read_work,
    read_work_reply,
    write_no_work,
    write_query,
    write_query_answer,
    write_status,
    write_work,
    write_work_reply,
)
from protocols.hl7.law_times import as_local, as_sent
from protocols.hl7.profile import TimeReading
from protocols.hl7.values import Coded, Document, Numeric, Text, Unread

EXAMPLES = Path(__file__).parents[2] / "examples"
WHEN = "20260315081702+0100"
OURS = Header("LABMW", "LABODEMO", "CHEM-X1", "LABODEMO", WHEN, "M-1")
THEIRS = Header("CHEM-X1", "LABODEMO", "LABMW", "LABODEMO", WHEN, "A-1")
GLUCOSE, TSH = Code("14749-6", "Glucose", "LN"), Code("3016-3", "Thyrotropin", "LN")
MMOL = Code("mmol/L", "mmol/L", "UCUM")
PATIENT_ROLE, CONTROL_ROLE = Code("P", "Patient specimen", "HL70369"), Code("Q", "Control specimen", "HL70369")
TUBE = Specimen(
    EntityId("26031500123", "LABMW"), EntityId("26031500123"), Code("SER", "Serum", "HL70487"), PATIENT_ROLE
)
STEP = Step(EntityId("AWOS-1", "LABMW"), GLUCOSE, when=WHEN)
WORK = Work(OURS, (SpecimenWork(TUBE, (STEP, replace(STEP, awos=EntityId("AWOS-2", "LABMW"), test=TSH))),))
RESULT = Observation(GLUCOSE, Numeric(D("5.42")), "1", unit=MMOL, kind="RSLT")
DONE = StepStatus(EntityId("AWOS-1", "LABMW"), GLUCOSE, observations=(RESULT,))
CHANGE = StatusChange(THEIRS, (SpecimenStatus(TUBE, (DONE,)),))


def example(start: str) -> Message:
    (path,) = EXAMPLES.glob(f"{start}*.hl7")
    return Message.parse(path.read_bytes())


def message(data: bytes) -> Message:
    return Message.parse(data)


def names(data: bytes) -> list[str]:
    return [item.name for item in Message.parse(data)]


def status(*observations: Observation, **changes: object) -> StatusChange:
    step = replace(DONE, observations=observations, **changes)  # type: ignore[arg-type]
    return read_status(message(write_status(replace(CHANGE, specimens=(SpecimenStatus(TUBE, (step,)),)))))


# --- every example, written again from what was read, byte for byte -----------------------------------------------------------


@pytest.mark.parametrize("start", ["law_lab27_01", "law_lab27_02", "law_lab27_03", "law_lab27_04"])
def test_query_examples(start: str) -> None:
    assert write_query(read_query(example(start))) == example(start).raw


@pytest.mark.parametrize("start", ["law_lab28_01", "law_lab28_07", "law_lab28_09"])
def test_work_examples(start: str) -> None:
    work = read_work(example(start))
    assert isinstance(work, Work)
    assert work.problems == ()
    assert write_work(work) == example(start).raw


def test_no_work_example() -> None:
    nothing = read_work(example("law_lab28_04"))
    assert isinstance(nothing, NoWork)
    assert write_no_work(nothing) == example("law_lab28_04").raw


@pytest.mark.parametrize("number", ["02", "03", "05", "06", "08"])
def test_reply_examples(number: str) -> None:
    read = example(f"law_lab28_{number}")
    assert write_work_reply(read_work_reply(read)) == read.raw


@pytest.mark.parametrize("number", range(1, 9))
def test_status_examples(number: int) -> None:
    read = example(f"law_lab29_0{number}")
    change = read_status(read)
    assert change.problems == ()
    assert write_status(change) == read.raw


def test_acknowledgment_examples() -> None:
    good = ack(example("law_lab29_01"), "AA", control_id="M-5010", when="20260315083021+0100")
    assert good == example("law_lab29_09").raw
    error = ErrorDetail("102", "OBX-5 is not a valid NM", Location("OBX", 1, 5))
    bad = ack(example("law_lab29_01"), "AE", control_id="M-5011", when="20260315083021+0100", error=error)
    assert bad == example("law_lab29_10").raw
    assert read_ack(example("law_lab29_10")).errors == (error,)


# --- (1) MSH and replies -------------------------------------------------------------------------------------------------------


def test_messages_that_begin_ask_for_one_application_reply() -> None:
    for data in (
        write_query(read_query(example("law_lab27_01"))),
        write_work(WORK),
        write_no_work(NoWork(OURS, TUBE, WHEN)),
        write_status(CHANGE),
    ):
        header = message(data).header
        assert (header.field(15), header.field(16)) == ("NE", "AL")
        assert (header.field(12), header.field(18)) == ("2.5.1", "UNICODE UTF-8")


def test_replies_name_the_transaction_and_ask_for_nothing() -> None:
    query = read_query(example("law_lab27_01"))
    answer = message(write_query_answer(query, control_id="M-2", when=WHEN)).header
    reply = message(write_work_reply(WorkReply(answering(OURS, "A-9", WHEN), "AA", "M-1"))).header
    assert [answer.field(n) for n in (15, 16, 21)] == ["", "", "LAB-27^IHE"]
    assert [reply.field(n) for n in (15, 16, 21)] == ["", "", "LAB-28^IHE"]
    assert (answer.field(3), answer.field(5)) == ("LABMW", "CHEM-X1")


@pytest.mark.parametrize("reader", [read_query, read_query_answer, read_work, read_work_reply, read_status])
def test_each_reader_refuses_another_message(reader: object) -> None:
    with pytest.raises(Hl7Error, match="reader of its own type"):
        reader(example("ltw_lab3_01"))  # type: ignore[operator]


# --- (2) LAB-27 ----------------------------------------------------------------------------------------------------------------


def test_lab27_what_is_asked() -> None:
    found = [read_query(example(f"law_lab27_0{n}")) for n in range(1, 5)]
    assert [query.by for query in found] == [QueryBy.CONTAINER, QueryBy.RACK, QueryBy.TRAY, QueryBy.ALL]
    assert [query.tag for query in found] == ["Q-000871", "Q-000872", "Q-000873", "Q-000874"]
    container, rack, tray, _ = found
    assert container.container == "26031500123"
    assert (rack.carrier, rack.position) == ("R0042", "3")
    assert (tray.tray, tray.tray_position) == ("T07", "B03")
    assert rack.location == Code("LOADER1", "Front loader", "99ACME")
    assert all(query.problem is None for query in found)


def test_lab27_by_isolate() -> None:
    query = replace(
        read_query(example("law_lab27_01")),
        name=Code("WOS_BY_ISOLATE", "Work Order Step By Isolate", "IHELAW"),
        isolate="ISO-1",
        qpd=None,
    )
    read = read_query(message(write_query(query)))
    assert (read.by, read.isolate, read.container, read.problem) == (QueryBy.ISOLATE, "ISO-1", "26031500123", None)
    none = read_query(message(write_query(replace(query, isolate="", container=""))))
    assert none.problem == ErrorDetail(
        "101", "A query by isolate needs the isolate or its container", Location("QPD", 1, 3)
    )


def test_lab27_003_the_answer_is_ok_and_says_nothing_of_work() -> None:
    query = read_query(example("law_lab27_01"))
    written = write_query_answer(query, control_id="M-5001", when="20260315081700+0100")
    assert written == example("law_lab27_05").raw
    answer = read_query_answer(message(written))
    assert (answer.code, answer.status, answer.tag, answer.control_id) == ("AA", "OK", "Q-000871", "A-1001")


def test_lab27_unknown_query_name_is_answered_ae() -> None:
    qpd = example("law_lab27_06").first("QPD")
    assert qpd
    data = (
        example("law_lab27_01")
        .raw.replace(b"A-1001", b"A-1005")
        .replace(b"QPD|WOS^Work Order Step^IHELAW|Q-000871", b"QPD|WOS_NEW^New^IHELAW|Q-000875")
    )
    query = read_query(message(data))
    assert query.by is None
    answer = read_query_answer(message(write_query_answer(query, control_id="M-5002", when=WHEN)))
    assert (answer.code, answer.status) == ("AE", "AE")
    assert answer.errors == (ErrorDetail("103", "Query name not supported on this connection", Location("QPD", 1, 1)),)


@pytest.mark.parametrize(
    ("qpd", "code", "field"),
    [
        ("QPD|WOS^Work Order Step^IHELAW|T", "101", 3),
        ("QPD|WOS_BY_RACK^x^IHELAW|T|||1", "101", 4),
        ("QPD|WOS_BY_TRAY^x^IHELAW|T", "101", 6),
        ("QPD", "103", 1),
    ],
)
def test_lab27_a_query_that_names_nothing_has_a_problem(qpd: str, code: str, field: int) -> None:
    raw = example("law_lab27_01").raw
    start = raw.index(b"QPD")
    query = read_query(message(raw[:start] + qpd.encode() + raw[raw.index(b"\r", start) :]))
    assert query.problem
    assert (query.problem.code, query.problem.location) == (code, Location("QPD", 1, field))


def test_lab27_without_qpd() -> None:
    query = read_query(message(example("law_lab27_01").raw.replace(b"QPD|", b"ZPD|")))
    assert query.problem == ErrorDetail("100", "QPD is missing", Location("QPD"))
    assert names(write_query_answer(query, control_id="1", when=WHEN)) == ["MSH", "MSA", "ERR", "QAK"]


def test_lab27_the_answer_is_in_the_separators_of_the_query_and_repeats_all_of_qpd() -> None:
    data = b"MSH*@%!$*X**L**2026**QBP@Q11@QBP_Q11*1*P*2.5.1\rQPD*WOS@Work@IHELAW*T!F!1*123******a@b%c$d\rRCP*I\r"
    written = write_query_answer(read_query(message(data)), control_id="M", when="2026")
    assert b"QPD*WOS@Work@IHELAW*T!F!1*123******a@b%c$d\r" in written
    assert b"QAK*T!F!1*OK*WOS@Work@IHELAW\r" in written


def test_lab27_codes_that_do_not_answer() -> None:
    query = read_query(example("law_lab27_01"))
    with pytest.raises(Hl7Error, match="use AA, AE or AR"):
        write_query_answer(query, control_id="1", when=WHEN, code="CA")
    refused = write_query_answer(query, control_id="1", when=WHEN, code="AR", error=ErrorDetail("200", "no"))
    assert read_query_answer(message(refused)).status == "AR"
    with pytest.raises(Hl7Error, match="name the query"):
        write_query(replace(query, name=Code("")))


# --- (3) LAB-28 ----------------------------------------------------------------------------------------------------------------


def test_lab28_work_with_everything() -> None:
    specimen = replace(
        TUBE,
        filler_id=EntityId("F-1"),
        parents=(EntityId("P-1", "LABMW"), EntityId("P-2")),
        collected="20260315073000+0100",
        received="20260315081500+0100",
        container_type=Code("SC", "", "99ROC"),
        other_ids=(Identifier("O-1", type="PI"),),
        carrier="R1",
        position="4",
        tray="T1",
        tray_position="A1",
        location=Code("L1", "Loader", "99ACME"),
        dilution="1:2",
    )
    step = replace(
        STEP,
        priority=Code("S", "Stat", "HL70485"),
        treatment=Treatment(GLUCOSE, "1:10", Code("F", "Reflex test", "HL70389"), Volume(D("850"), "uL")),
        comments=(Comment("two\nlines", "A", Code("RE", "Remark", "HL70364")),),
    )
    patient = ReportPatient((Identifier("PAT1", "LABO", type="PI"),), (PersonName("DUPONT", "Léa"),), "19850412", "F")
    work = Work(
        OURS, (SpecimenWork(specimen, (step,)), SpecimenWork(TUBE, (replace(STEP, awos=EntityId("AWOS-9")),))), patient
    )
    profile = replace(GENERIC, volume_field=True)
    read = read_work(message(write_work(work, profile)), profile)
    assert isinstance(read, Work)
    assert replace(read, header=OURS) == work
    assert len(read.steps) == 2


def test_lab28_the_volume_goes_only_to_those_who_understand_it() -> None:
    step = replace(STEP, treatment=Treatment(GLUCOSE, volume=Volume(D("850"), "uL")))
    work = replace(WORK, specimens=(SpecimenWork(TUBE, (step,)),))
    assert b"850" not in write_work(work)
    assert b"|850^uL&&UCUM\r" in write_work(work, PERSONALITIES["roche-x800"])


def test_lab28_001_a_negative_response_has_exactly_four_segments() -> None:
    assert names(write_no_work(NoWork(OURS, TUBE, WHEN))) == ["MSH", "SPM", "SAC", "ORC"]
    reason = NoWork(OURS, replace(TUBE, id=None), WHEN, Comment("not ordered", "A"))
    assert read_work(message(write_no_work(reason))) == replace(
        reason, header=replace(OURS, profile=EntityId("LAB-28", "IHE"))
    )
    with pytest.raises(Hl7Error, match="repeat the container"):
        write_no_work(NoWork(OURS, Specimen()))


def test_lab28_009_the_reply_to_it_has_exactly_two() -> None:
    reply = WorkReply(answering(OURS, "A-2", WHEN), "AA", "M-1")
    assert names(write_work_reply(reply)) == ["MSH", "MSA"]
    assert read_work_reply(message(write_work_reply(reply))).specimens == ()


def test_lab28_008_an_unknown_container_is_rejected_with_its_number() -> None:
    read = read_work_reply(example("law_lab28_06"))
    assert (read.code, read.errors[0].code, read.errors[0].location) == ("AR", "204", Location("SAC", 1, 3))


def test_lab28_004_each_step_has_its_answer() -> None:
    work = read_work(example("law_lab28_01"))
    assert isinstance(work, Work)
    found = outcomes(work, read_work_reply(example("law_lab28_02")))
    assert [(o.step.awos.id if o.step.awos else "", o.control, o.status) for o in found] == [
        ("AWOS-000451", "OK", "SC"),
        ("AWOS-000452", "OK", "SC"),
        ("AWOS-000453", "UA", "CA"),
    ]


def test_lab28_a_refused_message_refuses_every_step() -> None:
    assert {(o.control, o.status) for o in outcomes(WORK, read_work_reply(example("law_lab28_03")))} == {("UA", "CA")}
    cancelled = replace(WORK, specimens=(SpecimenWork(TUBE, (replace(STEP, control="CA"),)),))
    assert outcomes(cancelled, read_work_reply(example("law_lab28_03")))[0].control == "UC"


def test_lab28_steps_without_id_are_matched_by_their_order() -> None:
    profile = PERSONALITIES["cobas-pro"]
    said = (StepReply(EntityId("AWOS-1"), "OK", "SC"), StepReply(EntityId("AWOS-2"), "UA", "CA"))
    reply = read_work_reply(
        message(write_work_reply(WorkReply(THEIRS, "AA", "M-1", (SpecimenReply(TUBE, said),)), profile))
    )
    assert [step.awos for step in reply.steps] == [None, None]
    assert [o.control for o in outcomes(WORK, reply, profile)] == ["OK", "UA"]
    short = replace(reply, specimens=(SpecimenReply(TUBE, reply.steps[:1]),))
    assert [o.control for o in outcomes(WORK, short, profile)] == ["", ""]  # which one is meant nobody can say


def test_lab28_a_reply_without_steps_settles_only_where_that_is_the_habit() -> None:
    reply = WorkReply(THEIRS, "AA", "M-1", (SpecimenReply(TUBE, (StepReply(STEP.awos, "OK", "SC"),)),))
    read = read_work_reply(message(write_work_reply(reply, PERSONALITIES["ba400"])))
    assert read.steps == ()
    assert [o.control for o in outcomes(WORK, read, PERSONALITIES["ba400"])] == ["OK", "OK"]
    assert [o.control for o in outcomes(WORK, read)] == ["", ""]
    cancel = replace(WORK, specimens=(SpecimenWork(TUBE, (replace(STEP, control="CA"),)),))
    assert outcomes(cancel, read, PERSONALITIES["ba400"])[0].control == "CR"


def test_lab28_a_reply_in_the_older_structure_is_read() -> None:
    data = example("law_lab28_02").raw.replace(b"ORL_O42", b"ORL_O34").replace(b"SPM|1", b"PID|||1\rSPM|1")
    assert len(read_work_reply(message(data)).steps) == 3
    loose = b"MSH|^~\\&|A||B||2026||ORL^O34^ORL_O34|1|P|2.5.1\rMSA|AA|M-1\rORC|OK|AWOS-1|||SC\r"
    assert read_work_reply(message(loose)).specimens == (
        SpecimenReply(None, (StepReply(EntityId("AWOS-1"), "OK", "SC"),)),
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"specimens": ()}, "no specimen"),
        ({"specimens": (SpecimenWork(Specimen(), (STEP,)),)}, "neither specimen nor container"),
        ({"specimens": (SpecimenWork(TUBE, ()),)}, "no step"),
        ({"specimens": (SpecimenWork(TUBE, (replace(STEP, awos=None),)),)}, "needs its AWOS id"),
        ({"specimens": (SpecimenWork(TUBE, (STEP, STEP)),)}, "stands twice"),
        ({"specimens": (SpecimenWork(TUBE, (replace(STEP, control="DC"),)),)}, "write_no_work"),
        ({"specimens": (SpecimenWork(TUBE, (replace(STEP, test=Code("GLU")),)),)}, "OBR-4"),
        ({"specimens": (SpecimenWork(TUBE, (replace(STEP, when="yesterday"),)),)}, "ORC-9"),
        ({"specimens": (SpecimenWork(replace(TUBE, collected="2026-03-15"), (STEP,)),)}, "SPM-17"),
        ({"specimens": (SpecimenWork(replace(TUBE, dilution="ten"), (STEP,)),)}, "no dilution"),
        ({"patient": ReportPatient((Identifier("1", type="INS"),))}, "INS is not sent to analyzers"),
        ({"header": replace(OURS, control_id="")}, "MSH-10"),
    ],
)
def test_lab28_what_an_analyzer_could_misread_is_not_written(change: dict[str, object], said: str) -> None:
    with pytest.raises(Hl7Error, match=said):
        write_work(replace(WORK, **change))  # type: ignore[arg-type]


def test_lab28_006_the_same_id_in_two_specimens_is_not_written() -> None:
    with pytest.raises(Hl7Error, match="stands twice"):
        write_work(replace(WORK, specimens=(SpecimenWork(TUBE, (STEP,)), SpecimenWork(TUBE, (STEP,)))))


def test_lab28_malformed_work_is_read_with_its_problems() -> None:
    raw = example("law_lab28_01").raw

    def codes(data: bytes) -> set[str]:
        read = read_work(message(data))
        assert isinstance(read, Work)
        return {problem.code for problem in read.problems}

    assert codes(raw.replace(b"AWOS-000451^LABMW", b"")) == {"101"}
    assert codes(raw.replace(b"14749-6^Glucose [Moles/volume] in Serum or Plasma^LN", b"")) == {"101"}
    assert codes(raw.replace(b"SPM|", b"ZPM|")) == {"100"}
    assert codes(raw.replace(b"ORC|", b"ZRC|")) == {"100"}


def test_lab28_replies_that_contradict_themselves_are_not_written() -> None:
    reply = WorkReply(THEIRS, "AA", "M-1", (SpecimenReply(TUBE, (StepReply(STEP.awos, "OK", "CA"),)),))
    for bad in (
        reply,
        replace(reply, code="CA"),
        replace(reply, code="AR"),
        replace(reply, specimens=(SpecimenReply(TUBE, (StepReply(STEP.awos, "ZZ", "CA"),)),)),
        WorkReply(THEIRS, "AA", "M-1", errors=(ErrorDetail("100"),)),
    ):
        with pytest.raises(Hl7Error):
            write_work_reply(bad)


# --- (4) cancel ----------------------------------------------------------------------------------------------------------------


def test_lab28_005_cancelled_or_not() -> None:
    work = read_work(example("law_lab28_07"))
    assert isinstance(work, Work)
    assert {step.control for step in work.steps} == {"CA"}
    found = outcomes(work, read_work_reply(example("law_lab28_08")))
    assert [(o.control, o.status) for o in found] == [("CR", "CA"), ("UC", "IP")]


# --- (5) LAB-29 ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        Numeric(D("5.42")),
        Numeric(D("-0.10")),
        Numeric(D("100"), ">"),
        Numeric(D("1"), "", ":", D("320")),
        Text("growth | two\nlines"),
        Coded(Code("3092008", "S. aureus", "SCT")),
        Document("application", "pdf", b"%PDF\x00\xff"),
        Unread("DTM", "20220812151841"),
        Unread("EI", "1081^CAL"),
        None,
    ],
)
def test_lab29_every_kind_of_value(value: Numeric | Text | Coded | Document | Unread | None) -> None:
    observation = replace(RESULT, value=value, status="F" if value else "X")
    assert status(observation).steps[0].observations == (observation,)


def test_lab29_an_observation_with_everything() -> None:
    full = replace(
        RESULT,
        code=Code("H", "Haemolysis", "99ACME", "S_OTHER", "Other Supplemental", "IHELAW"),
        run="2",
        range="0-20",
        flags=(Code("N", "Normal", "HL70078"), Code("DIL", "", "99ACME")),
        observed="20260315073000+0100",
        devices=(EntityId("CHEM-X1", "ACME"), EntityId("SN-1", "ACME")),
        analysed="20260315083015+0100",
        batch=EntityId("6-504-241029-0092"),
        controls=(Code("592_neg", "", "99ROC"),),
        subtype="SUP",
        treatment=Treatment(GLUCOSE, "1:10"),
        materials=(
            Material(Code("GLU3", "Reagent", "99ACME"), (Code("OK", "OK status", "HL70383"), Code("CURRENT", "", "99ROC")), Code("SR", "", "HL70384"), Code("24308"), Code("1"), Code("19"), "20270131", "LOT7781"),
        ),
        comments=(Comment("diluted", "Z"),),
    )  # fmt: skip
    read = status(full, RESULT)
    assert read.steps[0].observations == (full, RESULT)
    assert read.steps[0].observations[0].supplemental == "S_OTHER"
    assert read.steps[0].observations[1].supplemental == ""
    assert [item.place for item in read.steps[0].observations] == [5, 9]


def test_lab29_operators_and_devices_of_a_capture_shape() -> None:
    obx = "OBX|1|NM|1^x^99|1|2||||||F|||||Admin~BATCH||e801^ROCHE~2037-06^ROCHE~1^ROCHE|||6-504"
    raw = example("law_lab29_06").raw
    start = raw.index(b"OBX|")
    observation = read_status(message(raw[:start] + obx.encode() + b"\r")).steps[0].observations[0]
    assert [person.id for person in observation.operators] == ["Admin", "BATCH"]
    assert [device.id for device in observation.devices] == ["e801", "2037-06", "1"]
    assert observation.batch == EntityId("6-504")


def test_lab29_rerun_in_one_step() -> None:
    (step,) = read_status(example("law_lab29_02")).steps
    assert [(o.run, o.status, o.treatment.dilution if o.treatment else "") for o in step.observations] == [
        ("1", "R", "1:1"),
        ("2", "F", "1:10"),
    ]


def test_lab29_control_with_its_material() -> None:
    (item,) = read_status(example("law_lab29_03")).specimens
    assert item.specimen.role == CONTROL_ROLE
    assert item.specimen.control_names == ("MULTIQC-L2",)
    assert (item.specimen.materials[0].lot, item.specimen.materials[0].expiry) == ("QCLOT552", "20261231")


def test_lab29_003_unsolicited_results_have_no_step() -> None:
    (step,) = read_status(example("law_lab29_04")).steps
    assert (step.awos, step.at_analyzer) == (None, True)
    empty = read_status(message(example("law_lab29_04").raw.replace(b'OBR||""|', b"OBR|||"))).steps[0]
    assert (empty.awos, empty.at_analyzer) == (None, False)


def test_law_007_a_reflex_names_its_parents() -> None:
    (step,) = read_status(example("law_lab29_05")).steps
    assert (step.reflex, step.awos, step.parents) == (True, None, (EntityId("AWOS-000453", "LABMW"),))
    several = read_status(message(example("law_lab29_05").raw.replace(b"AWOS-000453&LABMW", b"4~5~6"))).steps[0]
    assert [parent.id for parent in several.parents] == ["4", "5", "6"]


def test_lab29_not_performed_and_in_process() -> None:
    failed = read_status(example("law_lab29_06")).steps[0].observations[0]
    assert (failed.value, failed.status, failed.flags[0].code) == (None, "X", "CLOT")
    (step,) = read_status(example("law_lab29_07")).steps
    assert (step.status, step.observations) == ("IP", ())


def test_lab29_the_awos_may_stand_in_orc_and_the_segments_may_be_turned_round() -> None:
    raw = example("law_lab29_07").raw
    moved = raw.replace(b"OBR||AWOS-000452^LABMW|", b"OBR|||").replace(b"ORC|SC||", b"ORC|SC|AWOS-000452^LABMW|")
    assert read_status(message(moved)).steps[0].awos == EntityId("AWOS-000452", "LABMW")
    lines = example("law_lab29_01").raw.split(b"\r")
    for at in (4, 9):
        lines[at], lines[at + 1] = lines[at + 1], lines[at]
    turned = read_status(message(b"\r".join(lines)))
    assert turned == read_status(example("law_lab29_01"))


def test_lab29_several_specimens_in_one_message() -> None:
    other = replace(TUBE, id=None, container=EntityId("QC-1"), role=CONTROL_ROLE)
    change = replace(
        CHANGE, specimens=(*CHANGE.specimens, SpecimenStatus(other, (replace(DONE, awos=None, at_analyzer=True),)))
    )
    read = read_status(message(write_status(change)))
    assert [item.specimen.label for item in read.specimens] == ["26031500123", "QC-1"]
    assert replace(read, header=THEIRS) == change


@pytest.mark.parametrize(
    ("gone", "code", "where"), [(b"SPM|", "100", "SPM"), (b"OBR|", "100", "ORC"), (b"OBR|x", "", "")]
)
def test_lab29_what_makes_a_report_malformed(gone: bytes, code: str, where: str) -> None:
    read = read_status(message(example("law_lab29_03").raw.replace(gone, b"Z" + gone[1:])))
    assert (code in {problem.code for problem in read.problems}) == bool(code)
    assert not code or where in {problem.location.segment for problem in read.problems if problem.location}


def test_lab29_results_before_any_specimen_are_read_and_told() -> None:
    read = read_status(message(example("law_lab29_03").raw.replace(b"SPM|", b"ZPM|")))
    assert [step.awos for step in read.steps] == [EntityId("AWOS-000430", "LABMW")]
    assert {problem.text for problem in read.problems} == {"SPM is missing", "A result stands before its SPM"}
    nothing = read_status(message(b"MSH|^~\\&|||||||OUL^R22|1|P|2.5.1\rSPM|1\r"))
    assert [problem.text for problem in nothing.problems] == ["OBR is missing"]


def test_lab29_what_the_fields_cannot_carry() -> None:
    for bad in (
        replace(CHANGE, specimens=()),
        replace(CHANGE, specimens=(SpecimenStatus(TUBE, ()),)),
        replace(
            CHANGE,
            specimens=(
                SpecimenStatus(TUBE, (replace(DONE, observations=(replace(RESULT, value=Unread("ST", "a|b")),)),)),
            ),
        ),
    ):
        with pytest.raises(Hl7Error):
            write_status(bad)


def test_law_008_a_retransmission_is_read_the_same() -> None:
    assert read_status(example("law_lab29_01")) == read_status(message(bytes(example("law_lab29_01").raw)))


# --- times ---------------------------------------------------------------------------------------------------------------------


def test_the_x800_counts_its_offset_twice() -> None:
    raw = example("law_lab29_03").raw.replace(b"|20261231|", b"|20260228225959+0100|")
    profile = PERSONALITIES["roche-x800"]
    material = read_status(message(raw), profile).specimens[0].specimen.materials[0]
    assert material.expiry == "20260228235959+0100"
    assert read_status(message(raw)).specimens[0].specimen.materials[0].expiry == "20260228225959+0100"


@pytest.mark.parametrize("time", ["", "20260315", "202603150817", "20261399081702+0100", "not a time"])
def test_times_without_an_offset_stay_as_they_are(time: str) -> None:
    assert as_local(time, TimeReading.UTC) == as_sent(time, TimeReading.UTC) == time


def test_our_times_can_be_written_their_way() -> None:
    profile = replace(GENERIC, times_sent=TimeReading.UTC, times_received=TimeReading.UTC)
    data = write_work(WORK, profile)
    assert b"|20260315071702+0100\r" in data
    read = read_work(message(data), profile)
    assert isinstance(read, Work)
    assert read.steps[0].when == WHEN

"""What a LAW analyzer reports, through the real daemon parts: LAB-29 with its AWOS (test plan I.3, item 5), and what is wrong with it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from lawside import CREA, LINK, analyzer, blobs, observed, of, order, running, seen, set_up, states
from stage import ALT, SITE, Lis, Stage, eventually
from typer.testing import CliRunner

from labmw.cli.result import app as result_command
from protocols.hl7 import law
from protocols.hl7.er7 import Message
from protocols.hl7.mllp import wrap
from protocols.hl7.values import Coded, Document, Numeric, Text, Value

FT4 = "14920-3"


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return set_up(tmp_path)


def register(stage: Stage, material: str) -> None:
    stage.write([("INSERT INTO material (site, identifier, name) VALUES (?, ?, 'control')", (SITE, material))])


def results(stage: Stage) -> list[tuple[object, ...]]:
    return stage.ask("SELECT specimen, code, run, value, state FROM result ORDER BY id")


def quarantined(stage: Stage) -> list[object]:
    return [reason for (reason,) in stage.ask("SELECT reason FROM quarantine WHERE state = 'open' ORDER BY id")]


# Scenarios 5.1, 5.17.
async def test_a_result_reaches_the_lis_and_its_order_is_done(stage: Stage) -> None:
    order(stage, "S1")
    async with Lis(stage.lis_port) as lis, running(stage), analyzer(stage) as sim:
        offer = await sim.ask(named="S1")
        awos = of(offer.work, ALT)
        assert (await sim.report(seen("S1", awos, status="IP"))).code == "AA"
        await eventually(lambda: states(stage) == {f"{ALT}@analyzer": "in-process"})
        assert (await sim.report(seen("S1", awos, observed()))).code == "AA"
        await eventually(lambda: lis.values == [("S1", "22")])
        assert (await sim.ask(named="S1")).nothing is not None  # nobody measures it again
        await eventually(lambda: results(stage) == [("S1", ALT, f"{awos}/1", "22", "delivered")])
    assert stage.ask('SELECT state FROM "order"') == [("done",)]
    assert states(stage) == {f"{ALT}@analyzer": "resulted"}
    assert stage.ask("SELECT status FROM awos_result") == [("F",)]


# Scenarios 5.18, 11.6.
async def test_sent_again_it_is_acknowledged_and_kept_once(stage: Stage) -> None:  # LAW-008
    order(stage, "S1")
    async with Lis(stage.lis_port) as lis, running(stage), analyzer(stage) as sim:
        awos = of((await sim.ask(named="S1")).work, ALT)
        change = law.StatusChange(sim.header(), (seen("S1", awos, observed()),))
        assert (await sim.report_again(change)).code == "AA"
        assert (await sim.report_again(change)).code == "AA"  # the same bytes: the stored reply
        other = replace(change, header=sim.header())
        assert (await sim.report_again(other)).code == "AA"  # the same results under another number
        await eventually(lambda: lis.values == [("S1", "22")])
    assert len(results(stage)) == 1
    assert stage.ask("SELECT count(*) FROM repeat") == [(1,)]
    assert stage.ask("SELECT count(*) FROM message WHERE kind = 'result'") == [(2,)]


# Scenario 5.13.
async def test_a_rerun_is_two_runs_of_one_awos_and_the_candidate_counts(stage: Stage) -> None:  # C.10 flow 7
    order(stage, "S1")
    async with Lis(stage.lis_port) as lis, running(stage), analyzer(stage) as sim:
        awos = of((await sim.ask(named="S1")).work, ALT)
        first = observed(value=Numeric(Decimal(100), ">"), run="1", status="R", at="20261101080000+0000")
        second = observed(value="23", run="2", status="F", at="20261101081000+0000")
        assert (await sim.report(seen("S1", awos, first, second))).code == "AA"
        await eventually(lambda: lis.values == [("S1", "23")])
        await eventually(lambda: stage.ask("SELECT state FROM outbox") == [("delivered",)])
    assert [(run, state) for _, _, run, _, state in results(stage)] == [
        (f"{awos}/1", "detail"),
        (f"{awos}/2", "delivered"),
    ]
    assert states(stage) == {f"{ALT}@analyzer": "resulted"}


# Scenario 5.14.
async def test_two_candidates_are_for_a_person(stage: Stage) -> None:
    order(stage, "S1")
    async with Lis(stage.lis_port) as lis, running(stage), analyzer(stage) as sim:
        awos = of((await sim.ask(named="S1")).work, ALT)
        await sim.report(seen("S1", awos, observed(value="22", run="1"), observed(value="29", run="2")))
        await eventually(lambda: {state for *_, state in results(stage)} == {"held"})
        assert lis.values == []


# Scenario 5.15.
async def test_a_correction_of_the_same_run_is_a_further_result_that_waits_for_a_person(stage: Stage) -> None:
    order(stage, "S1")
    async with Lis(stage.lis_port) as lis, running(stage), analyzer(stage) as sim:
        awos = of((await sim.ask(named="S1")).work, ALT)
        await sim.report(seen("S1", awos, observed(value="22")))
        await eventually(lambda: lis.values == [("S1", "22")])
        assert (await sim.report(seen("S1", awos, observed(value="25", status="C")))).code == "AA"
        await eventually(lambda: [state for *_, state in results(stage)] == ["delivered", "held"])
    assert stage.ask("SELECT status FROM awos_result ORDER BY id") == [("F",), ("C",)]


# Scenario 5.16.
async def test_what_could_not_be_measured_is_said_with_its_flags(stage: Stage) -> None:  # C.10 flow 11
    order(stage, "S1")
    async with running(stage), analyzer(stage) as sim:
        awos = of((await sim.ask(named="S1")).work, ALT)
        failed = replace(observed(value=None, status="X"), flags=(law.Code("CLOT", "Clot detected", "99ACME"),))
        assert (await sim.report(seen("S1", awos, failed))).code == "AA"
        await eventually(lambda: states(stage) == {f"{ALT}@analyzer": "not-performed"})
        again = await sim.ask(named="S1")  # the clot is out: a new identity, because the old one is used
        assert len(again.work) == 1 and of(again.work, ALT) != awos
    assert quarantined(stage) == ["not-performed"]


# Scenario 5.19.
async def test_results_may_come_over_time_and_the_order_is_done_with_the_last(stage: Stage) -> None:  # LAW-006
    order(stage, "S1")
    async with running(stage), analyzer(stage) as sim:
        awos = of((await sim.ask(named="S1")).work, ALT)
        await sim.report(seen("S1", awos, observed(run="1"), status="IP"))
        await eventually(lambda: states(stage) == {f"{ALT}@analyzer": "in-process"})
        await sim.report(seen("S1", awos, observed(run="2", at="20261101090000+0000"), status="CM"))
        await eventually(lambda: states(stage) == {f"{ALT}@analyzer": "resulted"})
    assert len(results(stage)) == 2


# Scenario 5.12.
async def test_a_reflex_of_the_analyzer_is_a_child_of_its_parent(stage: Stage) -> None:  # LAW-007
    order(stage, "S1")
    async with running(stage), analyzer(stage) as sim:
        awos = of((await sim.ask(named="S1")).work, ALT)
        step = law.StepStatus(
            None,
            law.Code(FT4, "T4 libre", "LN"),
            at_analyzer=True,
            reflex=True,
            parents=(law.EntityId(awos),),
            observations=(observed(FT4, "14", unit="pmol/L"),),
        )
        for _ in range(2):
            specimen = law.Specimen(container=law.EntityId("S1"), role=law.Code("P", "", "HL70369"))
            assert (await sim.report(law.SpecimenStatus(specimen, (step,)))).code == "AA"
    assert stage.ask("SELECT code, parent, state, \"order\" FROM awos WHERE parent <> ''") == [
        (FT4, awos, "resulted", None)
    ]
    assert [state for *_, state in results(stage)] == ["quarantined"]  # nobody has ordered it: a person decides
    assert quarantined(stage) == ["no-order"]


# Scenario 5.11.
async def test_work_that_began_at_the_analyzer_is_taken(stage: Stage) -> None:  # LAB29-003
    order(stage, "S1")
    async with Lis(stage.lis_port) as lis, running(stage), analyzer(stage) as sim:
        assert (await sim.report(seen("S1", None, observed()))).code == "AA"
        await eventually(lambda: lis.values == [("S1", "22")])
    assert stage.ask("SELECT count(*) FROM awos") == [(0,)]
    assert stage.ask('SELECT state FROM "order"') == [("done",)]


# Scenario 11.8.
async def test_an_awos_that_nobody_gave_is_acknowledged_and_goes_to_a_person(stage: Stage) -> None:
    order(stage, "S1")
    async with running(stage), analyzer(stage) as sim:
        assert (await sim.report(seen("S1", "NEVER-GIVEN", observed()))).code == "AA"
    assert quarantined(stage) == ["unknown-awos"]
    assert stage.ask('SELECT state FROM "order"') == [("open",)]


async def test_an_awos_of_another_tube_goes_to_a_person(stage: Stage) -> None:
    order(stage, "S1")
    order(stage, "S2")
    async with running(stage), analyzer(stage) as sim:
        awos = of((await sim.ask(named="S1")).work, ALT)
        assert (await sim.report(seen("S2", awos, observed()))).code == "AA"
    assert quarantined(stage) == ["awos-mismatch"]
    assert states(stage) == {f"{ALT}@analyzer": "accepted"}


# Scenario 5.9.
async def test_a_registered_material_makes_a_control_and_q_alone_does_not(stage: Stage) -> None:
    register(stage, "QC1")
    register(stage, "LEVEL2")
    order(stage, "S1")
    role = law.Code("Q", "Control specimen", "HL70369")
    inv = law.Material(law.Code("LEVEL2", "", "99X"), type=law.Code("CO", "Control", "HL70384"), lot="L1")
    async with running(stage), analyzer(stage) as sim:
        for tube in (
            law.Specimen(container=law.EntityId("QC1"), role=role),
            law.Specimen(container=law.EntityId("POS7"), role=role, materials=(inv,)),  # the control is named beside it
            law.Specimen(container=law.EntityId("S1"), role=role),  # a patient's tube, marked as control
            law.Specimen(container=law.EntityId("QC9"), role=role),  # nobody has registered it
        ):
            assert (await sim.report(seen(tube, None, observed()))).code == "AA"
    assert [(one[0], one[4]) for one in results(stage)] == [
        ("QC1", "control"),
        ("POS7", "control"),
        ("S1", "quarantined"),
        ("QC9", "quarantined"),
    ]
    assert quarantined(stage) == ["control-conflict", "unregistered-control"]


# Scenario 5.9.
async def test_a_family_that_sends_q_for_patients_is_believed_by_the_material_alone(tmp_path: Path) -> None:
    stage = set_up(tmp_path, link=f'{LINK}\nprofile = "cobas-4800"')
    register(stage, "QC1")
    order(stage, "S1")
    role = law.Code("Q", "", "HL70369")
    async with Lis(stage.lis_port) as lis, running(stage), analyzer(stage) as sim:
        items = [seen(law.Specimen(container=law.EntityId(one), role=role), None, observed()) for one in ("S1", "QC1")]
        assert (await sim.report(*items)).code == "AA"
        await eventually(lambda: lis.values == [("S1", "22")])
        await eventually(lambda: [one[4] for one in results(stage)] == ["delivered", "control"])


# Scenarios 5.1 to 5.6, 5.8, 11.10.
async def test_every_kind_of_value_and_several_specimens_in_one_message(stage: Stage) -> None:
    for name in ("S1", "S2"):
        order(stage, name, (ALT, CREA))
    values: list[Value] = [
        Numeric(Decimal("7.41")),
        Numeric(Decimal(40), "<"),
        Text("positive"),
        Coded(law.Code("POS", "", "HL70078")),
    ]
    values.append(Document("application", "pdf", b"%PDF-1.4"))
    many = [observed(ALT, one, run=str(n)) for n, one in enumerate(values, 1)]
    async with running(stage), analyzer(stage) as sim:
        reply = await sim.report(
            seen("S1", None, *many), seen("S2", None, observed(CREA, "66", unit="umol/L"), code=CREA)
        )
        assert reply.code == "AA"
        await eventually(lambda: not stage.ask("SELECT id FROM result WHERE state = 'verify'"))
    assert [one[0] for one in results(stage)] == ["S1"] * 5 + ["S2"]
    kept = {
        str(run): (number, comparator)
        for run, number, comparator in stage.ask("SELECT run, number, comparator FROM result")
    }
    assert kept["2"] == ("40", "<")


# Scenario 11.11.
async def test_an_empty_spm_2_leaves_the_container_to_name_the_tube(stage: Stage) -> None:
    order(stage, "S1")
    async with Lis(stage.lis_port) as lis, running(stage), analyzer(stage) as sim:
        await sim.report(seen(law.Specimen(container=law.EntityId("S1")), None, observed()))
        await eventually(lambda: lis.values == [("S1", "22")])
    (raw,) = blobs(stage, "SELECT raw FROM message WHERE kind = 'result'")
    spm = Message.parse(raw).first("SPM")
    assert spm is not None and spm.component(2) == ""


HEAD = b"MSH|^~\\&|SIM||LABMW||20261101080000+0000||%s|%s|%s|%s|||NE|AL||UNICODE UTF-8|||LAB-29^IHE\r"


@pytest.mark.parametrize(
    ("kind", "processing", "version", "rest", "code", "error"),
    [
        (b"ZZZ^Z01^ZZZ_Z01", b"P", b"2.5.1", b"ZZZ|1\r", "AR", "200"),
        (b"ORU^R01^ORU_R01", b"P", b"2.5.1", b"OBR|1\r", "AR", "200"),
        (b"OUL^R21^OUL_R21", b"P", b"2.5.1", b"OBR|1\r", "AR", "200"),
        (b"OUL^R22^OUL_R22", b"P", b"3.0", b"SPM|1|S1\r", "AR", "203"),
        (b"OUL^R22^OUL_R22", b"P", b"2.5.1", b"OBR|1||\r", "AE", "100"),  # a result before its specimen
        (b"OUL^R22^OUL_R22", b"P", b"2.5.1", b"SPM|1|S1\rOBX|1|NM|X||1\r", "AE", "100"),
        (b"NMD^N02^NMD_N02", b"P", b"2.5.1", b"NST|N\r", "AA", ""),
    ],
)
# Scenarios 1.4, 11.4.
async def test_what_is_not_served_or_malformed_is_answered_and_kept(
    stage: Stage, kind: bytes, processing: bytes, version: bytes, rest: bytes, code: str, error: str
) -> None:
    async with running(stage), analyzer(stage) as sim:
        reply = law.read_ack(await sim.send("X1", HEAD % (kind, b"X1", processing, version) + rest))
    assert (reply.code, reply.control_id) == (code, "X1")
    assert [one.code for one in reply.errors] == ([error] if error else [])
    raw = HEAD % (kind, b"X1", processing, version) + rest
    journal = b"".join(blobs(stage, "SELECT data FROM journal WHERE direction = '>' ORDER BY id"))
    assert raw in journal


# Scenario 1.5.
async def test_the_other_messages_of_a_family_are_acknowledged(tmp_path: Path) -> None:
    stage = set_up(tmp_path, link=f'{LINK}\nprofile = "cobas-pro"')
    async with running(stage), analyzer(stage) as sim:
        for n, kind in enumerate((b"ESU^U01^ESU_U01", b"INU^U05^INU_U05", b"OUL^R23^OUL_R23", b"TCU^U10^TCU_U10")):
            number = b"X%d" % n
            reply = law.read_ack(await sim.send(number.decode(), HEAD % (kind, number, b"P", b"2.5.1") + b"EQU|1\r"))
            assert reply.code == ("AR" if kind.startswith(b"TCU") else "AA")
    assert stage.ask("SELECT count(*) FROM result") == [(0,)]


# Scenario 11.7.
async def test_a_reply_to_nothing_is_kept_for_a_person_and_never_answered(stage: Stage) -> None:
    raw = HEAD % (b"ORL^O34^ORL_O42", b"R1", b"P", b"2.5.1") + b"MSA|AA|NEVER-SENT\r"
    bare = HEAD % (b"ACK^R22^ACK", b"R2", b"P", b"2.5.1")
    async with running(stage), analyzer(stage) as sim:
        await sim.say(wrap(raw) + wrap(bare))
        await eventually(lambda: len(quarantined(stage)) == 2)
        assert (await sim.report(seen("S1", None, observed()))).code == "AA"  # the line goes on
    assert quarantined(stage)[:2] == ["reply-to-nothing", "reply-unreadable"]
    assert len(sim.replies) == 1


# Scenarios 7.5, 7.9, 11.1, 11.2, 11.5.
async def test_a_truncated_block_a_second_start_byte_and_a_wrong_charset_lose_nothing(stage: Stage) -> None:
    order(stage, "S1")
    good = HEAD % (b"OUL^R22^OUL_R22", b"G1", b"P", b"2.5.1")
    body = b'SPM|1|||""|||||||P\rSAC|||S1\rOBR||""|1742-6^ALT^LN\rORC|SC||||CM\rOBX|1|NM|1742-6^ALT^LN|1|22|U/L^^UCUM|||||F|||||%s|||20261101080000+0000\r'
    async with running(stage), analyzer(stage) as sim:
        await sim.say(b"\x0b" + good[:40])
        await sim.hang_up()  # in mid-block
        await sim.say(b"\x0b" + good[:50] + wrap(good + body % b"OP\xc9"))  # begun again; a byte that is no UTF-8
        await eventually(lambda: len(results(stage)) == 1)
        await eventually(lambda: bool(sim.replies))
        assert law.read_ack(sim.replies[-1]).code == "AA"
    assert stage.ask("SELECT count(*) FROM message") == [(1,)]


# Scenario 11.6.
async def test_a_number_used_twice_for_other_bytes_is_a_new_message_and_is_counted(stage: Stage) -> None:
    order(stage, "S1")
    order(stage, "S2")
    async with running(stage), analyzer(stage) as sim:
        header = sim.header()
        for name in ("S1", "S2"):
            change = law.StatusChange(header, (seen(name, None, observed()),))
            assert (await sim.report_again(change)).code == "AA"
    assert len(results(stage)) == 2
    assert "control_id_reused" in str(
        stage.ask("SELECT tolerances FROM message WHERE kind = 'result' ORDER BY id DESC LIMIT 1")
    )


async def test_the_value_of_a_diluted_specimen_waits_for_a_person(stage: Stage) -> None:
    """Nobody says whether the factor is in it; the variant beside it is the test below, with 1:1."""
    order(stage, "S1")
    result = replace(observed(), treatment=law.Treatment(law.Code(ALT, "ALT", "LN"), dilution="1:10"))
    async with Lis(stage.lis_port) as lis, running(stage), analyzer(stage) as sim:
        awos = of((await sim.ask(named="S1")).work, ALT)
        assert (await sim.report(seen("S1", awos, result))).code == "AA"
        await eventually(lambda: stage.ask("SELECT reason FROM quarantine") == [("diluted-unknown",)])
        assert stage.ask("SELECT state, number FROM result") == [("quarantined", "22")]
        assert lis.values == []


# Scenario 5.10.
async def test_what_comes_beside_a_result_is_kept_beside_it(stage: Stage) -> None:
    """Supplemental observations (serum indices), operator, device, reagents and calibrators."""
    order(stage, "S1")
    index = law.Observation(
        law.Code("20449-5", "Haemolysis index", "LN", "S_OTHER", "Other Supplemental", "IHELAW"),
        Numeric(Decimal(12)),
        run="1",
        unit=law.Code("mg/dL", "", "UCUM"),
        analysed="20261101080000+0000",
        kind="RSLT",
    )
    lots = tuple(
        law.Material(
            law.Code(name, "", "99X"),
            (law.Code("OK", "", "HL70383"),),
            law.Code(kind, "", "HL70384"),
            expiry="20270131",
            lot=lot,
        )
        for name, kind, lot in (("ALT2", "SR", "LOT7"), ("CAL-A", "RC", "CAL9"))
    )
    result = replace(
        observed(),
        operators=(law.Person("TECH01"),),
        devices=(law.EntityId("SIM-1", "ACME"), law.EntityId("SN-4471", "ACME")),
        materials=lots,
        treatment=law.Treatment(law.Code(ALT, "ALT", "LN"), dilution="1:1"),
    )
    async with Lis(stage.lis_port) as lis, running(stage), analyzer(stage) as sim:
        awos = of((await sim.ask(named="S1")).work, ALT)
        assert (await sim.report(seen("S1", awos, result, index))).code == "AA"
        await eventually(lambda: lis.values == [("S1", "22")])
        told = [(ALT, "delivered", "TECH01"), ("20449-5", "detail", "")]
        await eventually(lambda: stage.ask("SELECT code, state, operator FROM result ORDER BY id") == told)
    assert stage.ask(
        "SELECT result.code, contribution.kind, name, lot, expiry FROM contribution JOIN result ON result.id = result ORDER BY contribution.id"
    ) == [
        (ALT, "device", "SIM-1^ACME~SN-4471^ACME", "", ""),
        (ALT, "SR", "ALT2", "LOT7", "20270131"),
        (ALT, "RC", "CAL-A", "CAL9", "20270131"),
    ]
    shown = CliRunner().invoke(result_command, ["show", "S1", "--config", str(stage.config), "--language", "en"])
    assert "measured with: SIM-1^ACME~SN-4471^ACME, ALT2 (SR) lot LOT7, CAL-A (RC) lot CAL9" in " ".join(
        shown.output.split()
    )


# Scenarios 5.7, 5.19.
async def test_two_tests_of_one_tube_come_in_one_message_and_a_third_later(
    stage: Stage,
) -> None:  # several OBR; LAW-006
    order(stage, "S1", (ALT, CREA))
    async with Lis(stage.lis_port) as lis, running(stage), analyzer(stage) as sim:
        work = (await sim.ask(named="S1")).work
        tube = law.Specimen(container=law.EntityId("S1"))
        steps = tuple(
            law.StepStatus(
                law.EntityId(of(work, code)), law.Code(code, "", "LN"), observations=(observed(code, value, unit=unit),)
            )
            for code, value, unit in ((ALT, "22", "U/L"), (CREA, "66", "umol/L"))
        )
        assert (await sim.report(law.SpecimenStatus(tube, steps))).code == "AA"
        await eventually(lambda: sorted(lis.values) == [("S1", "22"), ("S1", "66")])
    assert set(states(stage).values()) == {"resulted"}
    assert stage.ask('SELECT DISTINCT state FROM "order"') == [("done",)]


@pytest.mark.parametrize("order_removed", [("X", "CA"), ("X", "CM")])
# Scenario 5.16.
async def test_a_test_removed_at_the_analyzer_is_not_performed(order_removed: tuple[str, str], stage: Stage) -> None:
    """x800 reports an order that its operator deletes as a failed observation with a flag of its own."""
    order(stage, "S1")
    status, step = order_removed
    async with running(stage), analyzer(stage) as sim:
        awos = of((await sim.ask(named="S1")).work, ALT)
        gone = replace(observed(value=None, status=status), flags=(law.Code("U04", "Order deleted", "99ROC"),))
        assert (await sim.report(seen("S1", awos, gone, status=step))).code == "AA"
        await eventually(lambda: states(stage) == {f"{ALT}@analyzer": "not-performed"})
    ((facts,),) = stage.ask("SELECT facts FROM quarantine")
    assert "Order deleted" in str(facts) and "99ROC" not in str(facts)

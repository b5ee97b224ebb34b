"""Orders of the LIS over the line: new, added, changed, taken back, refused with a reason, repeated; and results that match them."""

from __future__ import annotations

from pathlib import Path

import pytest
from lisside import ADA, ALT, CREA, answers, code, lab, measured, new, orders, reasons, set_up
from stage import Analyzer, Lis, eventually, message

from protocols.hl7.mllp import wrap
from simulators.ltw import Order, Person, adt, msh, order_message

ALT_CODE, CREA_CODE = "1742-6", "14682-9"


@pytest.mark.parametrize(
    ("kind", "reply"), [("O21", "ORL^O22"), ("O33", "ORL^O34"), ("O35", "ORL^O36"), ("O01", "ORR^O02")]
)
# Scenario 12.1.
async def test_a_new_order_of_every_kind_is_kept_and_confirmed_with_our_number(
    tmp_path: Path, kind: str, reply: str
) -> None:
    stage, port = set_up(tmp_path, lis='dialect = "legacy-orm"')
    async with lab(stage, port) as (_, lis):
        said = await lis.tell(new("M1", "T1", ALT, CREA, kind=kind))
    assert (said.header.field(9).startswith(reply), code(said)) == (True, "AA")
    assert answers(said) == [("OK", "T1-1", ""), ("OK", "T1-2", "")]
    assert all(orc.component(3, 2) == "LABMW" and orc.component(5) == "SC" for orc in said.all("ORC"))
    assert orders(stage) == {("T1", ALT_CODE, "T1-1"): "open", ("T1", CREA_CODE, "T1-2"): "open"}
    assert stage.ask("SELECT identifier, family, birth, sex FROM patient") == [("P1", "TESTPERSON", "1970-01-01", "F")]
    [(kept,)] = stage.ask("SELECT pid FROM patient")
    assert kept == ADA.pid
    [(specimen, patient, until)] = stage.ask("SELECT identifier, patient, valid_to IS NOT NULL FROM specimen")
    assert (specimen, patient, until) == ("T1", "P1", 1)


async def test_what_is_ordered_measured_and_released_leaves_under_the_order_of_the_lis(tmp_path: Path) -> None:
    stage, port = set_up(tmp_path)
    async with Lis(stage.lis_port) as receiver, lab(stage, port) as (_, lis):
        await lis.tell(new("M1", "T1", ALT))
        analyzer = Analyzer(stage.analyzer_port)
        await analyzer.send("T1", message("T1", completed=measured()))
        await eventually(lambda: receiver.got)
    rows = [row.split("|") for row in receiver.got[0][1].split("\r")]
    obr = next(row for row in rows if row[0] == "OBR")
    assert (obr[2], obr[3].split("^")[1]) == ("T1-1^SIL", "LABMW")
    assert next(row for row in rows if row[0] == "PID") == ADA.pid.split("|")
    assert reasons(stage) == []


# Scenario 11.6.
async def test_the_same_message_again_gets_the_same_reply_and_changes_nothing(tmp_path: Path) -> None:
    stage, port = set_up(tmp_path)
    async with lab(stage, port) as (_, lis):
        first = await lis.tell(new("M1", "T1", ALT))
        second = await lis.tell(new("M1", "T1", ALT))
        assert first.raw == second.raw
        other = await lis.tell(new("M1", "T2", ALT))  # other bytes under a number that was used: a new message
    assert code(other) == "AA"
    assert set(orders(stage)) == {("T1", ALT_CODE, "T1-1"), ("T2", ALT_CODE, "T2-1")}
    assert stage.ask("SELECT tolerances FROM message WHERE direction = '>' ORDER BY id") == [
        ("[]",),
        ('["control_id_reused"]',),
    ]


# Scenario 12.1.
async def test_an_unknown_test_is_refused_and_shown_and_the_others_are_done(tmp_path: Path) -> None:
    stage, port = set_up(tmp_path)
    async with lab(stage, port) as (_, lis):
        said = await lis.tell(new("M1", "T1", "XYZ^Mystery^L", ALT, "1742-5^wrong check digit^LN"))
    assert code(said) == "AA"
    assert answers(said) == [
        ("UA", "T1-1", "order-unknown-test"),
        ("OK", "T1-2", ""),
        ("UA", "T1-3", "order-unknown-test"),
    ]
    assert reasons(stage) == ["order-unknown-test", "order-unknown-test"]
    assert orders(stage) == {("T1", ALT_CODE, "T1-2"): "open"}


async def test_codes_and_batteries_of_the_laboratory_are_what_it_says_they_are(tmp_path: Path) -> None:
    tests = f'[lis.tests]\nALAT = "{ALT_CODE}"\n"BIO" = ["{ALT_CODE}", "{CREA_CODE}"]'
    stage, port = set_up(tmp_path, lis=tests)
    async with lab(stage, port) as (_, lis):
        assert answers(await lis.tell(new("M1", "T1", "ALAT^ALAT^L"))) == [("OK", "T1-1", "")]
        assert answers(await lis.tell(new("M2", "T2", "BIO^Bilan^L"))) == [("OK", "T2-1", "")]
        assert answers(await lis.tell(order_message("M3", "O33", ADA, "T2", [Order("T2-1", "BIO^Bilan^L", "CA")]))) == [
            ("CR", "T2-1", "")
        ]
    assert orders(stage) == {
        ("T1", ALT_CODE, "T1-1"): "open",
        ("T2", ALT_CODE, "T2-1"): "cancelled",
        ("T2", CREA_CODE, "T2-1"): "cancelled",
    }


# Scenario 12.1.
async def test_added_changed_replaced_and_taken_back(tmp_path: Path) -> None:
    stage, port = set_up(tmp_path)

    def one(control_id: str, *wanted: Order, tube: str = "T1") -> bytes:
        return order_message(control_id, "O33", ADA, tube, wanted)

    async with lab(stage, port) as (_, lis):
        await lis.tell(new("M1", "T1", ALT))
        added = await lis.tell(one("M2", Order("T1-2", CREA, action="A")))
        assert answers(added) == [("OK", "T1-2", "")]
        changed = await lis.tell(one("M3", Order("T1-1", ALT, "XO", "S")))
        assert answers(changed) == [("XR", "T1-1", "")]
        assert stage.ask("SELECT priority FROM \"order\" WHERE placer = 'T1-1'") == [("S",)]
        relabelled = await lis.tell(one("M4", Order("T1-1", ALT, "XO"), tube="T9"))
        assert answers(relabelled) == [("XR", "T1-1", "")]
        replaced = await lis.tell(one("M5", Order("T1-2", CREA, "RP"), Order("T1-3", ALT, "RO")))
        assert answers(replaced) == [("RQ", "T1-2", ""), ("OK", "T1-3", "")]
        gone = await lis.tell(one("M6", Order("T1-3", ALT, "CA")))
        assert answers(gone) == [("CR", "T1-3", "")]
        again = await lis.tell(one("M7", Order("T1-3", ALT, "CA")))
        assert answers(again) == [("CR", "T1-3", "")]
    assert orders(stage) == {
        ("T1", ALT_CODE, "T1-1"): "cancelled",
        ("T1", CREA_CODE, "T1-2"): "cancelled",
        ("T9", ALT_CODE, "T1-1"): "open",
        ("T1", ALT_CODE, "T1-3"): "cancelled",
    }
    assert reasons(stage) == []


# Scenario 12.1.
@pytest.mark.parametrize("kind", ["O21", "O35", "O01"])
async def test_every_kind_of_order_message_adds_changes_and_takes_back(tmp_path: Path, kind: str) -> None:
    stage, port = set_up(tmp_path, lis='dialect = "legacy-orm"')
    async with lab(stage, port) as (_, lis):

        async def say(number: str, order: Order) -> list[tuple[str, str, str]]:
            return answers(await lis.tell(order_message(number, kind, ADA, "T1", [order])))

        assert await say("M1", Order("T1-1", ALT)) == [("OK", "T1-1", "")]
        assert await say("M2", Order("T1-2", CREA, action="A")) == [("OK", "T1-2", "")]
        assert await say("M3", Order("T1-1", ALT, "XO", "S")) == [("XR", "T1-1", "")]
        assert await say("M4", Order("T1-2", CREA, "CA")) == [("CR", "T1-2", "")]
        assert await say("M5", Order("T1-9", CREA, "CA")) == [("UC", "T1-9", "order-never-received")]
        assert stage.ask('SELECT placer, priority, state FROM "order" ORDER BY placer') == [
            ("T1-1", "S", "open"),
            ("T1-2", "R", "cancelled"),
        ]


# Scenario 12.1.
async def test_what_cannot_be_changed_or_taken_back_is_said_so(tmp_path: Path) -> None:
    stage, port = set_up(tmp_path)
    async with Lis(stage.lis_port), lab(stage, port) as (_, lis):
        unknown = await lis.tell(
            order_message("M1", "O21", ADA, "T1", [Order("N-1", ALT, "CA"), Order("N-2", ALT, "XO")])
        )
        assert answers(unknown) == [("UC", "N-1", "order-never-received"), ("UX", "N-2", "order-never-received")]
        await lis.tell(new("M2", "T1", ALT))
        await Analyzer(stage.analyzer_port).send("T1", message("T1", completed=measured()))
        late = await lis.tell(order_message("M3", "O33", ADA, "T1", [Order("T1-1", ALT, "CA")]))
        assert answers(late) == [("UC", "T1-1", "order-done")]
        strange = await lis.tell(order_message("M4", "O33", ADA, "T1", [Order("T1-1", ALT, "ZZ")]))
        assert answers(strange) == [("UA", "T1-1", "order-control")]
        status = await lis.tell(order_message("M5", "O33", ADA, "T1", [Order("T1-1", ALT, "SC")]))
        assert answers(status) == [("OK", "T1-1", "")]
    assert reasons(stage) == ["order-never-received", "order-never-received", "order-done", "order-control"]


async def test_a_number_on_a_tube_of_somebody_else_is_for_a_person_until_that_one_is_done(tmp_path: Path) -> None:
    stage, port = set_up(tmp_path)
    other = Person("P2", family="OTHER", birth="19800202")
    async with Lis(stage.lis_port), lab(stage, port) as (_, lis):
        await lis.tell(new("M1", "T1", ALT))
        said = await lis.tell(new("M2", "T1", ALT, person=other, first=5))
        assert answers(said) == [("UA", "T1-5", "tube-of-another")]
        await Analyzer(stage.analyzer_port).send("T1", message("T1", completed=measured()))
        said = await lis.tell(new("M3", "T1", ALT, person=other, first=5))
        assert answers(said) == [("OK", "T1-5", "")]
    windows = stage.ask("SELECT patient, valid_from, valid_to FROM specimen WHERE identifier = 'T1' ORDER BY id")
    assert [row[0] for row in windows] == ["P1", "P2"]
    assert str(windows[0][2]) < str(windows[1][1])


async def test_orders_that_name_no_tube_no_patient_or_several_tubes_are_not_guessed(tmp_path: Path) -> None:
    stage, port = set_up(tmp_path)
    two = new("M3", "T3", ALT).replace(b"SAC|||T3\r", b"SAC|||T3\rSAC|||T4\r")
    async with lab(stage, port) as (_, lis):
        said = [
            await lis.tell(order_message("M1", "O21", ADA, "", [Order("N-1", ALT)])),
            await lis.tell(new("M2", "T2", ALT, person=None)),
            await lis.tell(two),
            await lis.tell(new("M4", "T5", ALT, person=Person(""))),
        ]
        assert [answers(one)[0][2] for one in said] == [
            "order-without-tube",
            "order-without-patient",
            "order-several-tubes",
            "patient-without-number",
        ]
        await lis.tell(new("M5", "T2", ALT))
        added = await lis.tell(new("M6", "T2", CREA, person=None, first=2))  # now it is known whose tube it is
        assert answers(added) == [("OK", "T2-2", "")]
    assert len(orders(stage)) == 2


async def test_malformed_and_unknown_messages_are_answered_as_law_4_says_and_kept(tmp_path: Path) -> None:
    stage, port = set_up(tmp_path)
    async with lab(stage, port) as (_, lis):
        without_number = (
            new("M1", "T1", ALT).replace(b"ORC|NW|T1-1^SIL", b"ORC|NW|").replace(b"|T1-1^SIL||1742", b"|||1742")
        )
        said = await lis.tell(without_number)
        assert (code(said), said.all("ERR")[0].component(2), said.all("ERR")[0].component(3)) == ("AE", "ORC", "101")
        said = await lis.tell(f"{msh('M2', 'OML^O21^OML_O21')}\r{ADA.pid}\r".encode())
        assert code(said) == "AE"
        said = await lis.tell(f"{msh('M3', 'MDM^T02^MDM_T02')}\r{ADA.pid}\r".encode())
        assert (code(said), said.all("ERR")[0].component(3)) == ("AR", "200")
        said = await lis.tell(new("M4", "T1", ALT, "NOPE^?^L", kind="O21"))
        assert code(said) == "AA"
        await lis.write(b"\x0bgarbage\x1c\r" + b"noise" + wrap(new("M5", "T6", ALT)))
        assert code(await lis.reply()) == "AA"
        said = await lis.tell(adt("M6", "A08", Person("P9")).replace(b"PID|", b"ZID|"))
        assert code(said) == "AE"
    assert reasons(stage) == [
        "lis-message-malformed",
        "lis-message-malformed",
        "order-unknown-test",
        "lis-message-malformed",
    ]
    assert ("T6", ALT_CODE, "T6-1") in orders(stage)


async def test_a_block_that_is_cut_off_leaves_nothing_and_the_resend_is_done_once(tmp_path: Path) -> None:
    stage, port = set_up(tmp_path)
    whole = wrap(new("M1", "T1", ALT))
    async with lab(stage, port) as (_, lis):
        await lis.write(whole[: len(whole) // 2])
    assert orders(stage) == {}
    async with lab(stage, port) as (_, lis):
        await lis.write(whole)
        first = await lis.reply()
    async with lab(stage, port) as (_, lis):  # the reply was lost with a restart: the same again
        await lis.write(whole)
        assert (await lis.reply()).raw == first.raw
    assert len(orders(stage)) == 1


async def test_the_mark_of_bytes_stays_out_of_the_journal(tmp_path: Path) -> None:
    """What the LIS sends is kept once, in its message: elsewhere an INS could not be found again."""
    stage, port = set_up(tmp_path)
    async with lab(stage, port) as (_, lis):
        await lis.tell(new("M1", "T1", ALT))
    assert stage.ask("SELECT count(*) FROM journal") == [(0,)]
    assert stage.ask("SELECT count(*), min(length(raw)) > 100 FROM message") == [(1, 1)]


async def test_a_message_beyond_all_measure_is_refused_and_a_large_one_is_done_in_time(tmp_path: Path) -> None:
    stage, port = set_up(tmp_path)
    async with lab(stage, port) as (_, lis):
        many = [Order(f"N-{number}", ALT if number else CREA) for number in range(1001)]
        said = await lis.tell(order_message("M1", "O33", ADA, "T1", many))
        assert (code(said), said.all("ERR")[0].component(3)) == ("AE", "100")
        assert orders(stage) == {}
        said = await lis.tell(order_message("M2", "O33", ADA, "T1", many[:500]))  # within the patience of a commit
        assert code(said) == "AA"
    assert len(orders(stage)) == 500

"""What a subcontractor may do wrong, and what it is answered: every case defined, visible, nothing lost (issue 7, bad input)."""

from __future__ import annotations

import asyncio
import importlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from lisside import holds, new
from partnerside import ADA, ALAT, beside, msa, step
from stage import eventually
from typer.testing import CliRunner

from simulators.ltw import OrderingLis, Person, adt
from simulators.partner_lab import Asked


def run(command: str, config: Path, *words: str) -> str:
    app = importlib.import_module("labmw.cli.interlab").app
    with ThreadPoolExecutor(1) as apart:  # a command has an event loop of its own
        done = apart.submit(CliRunner().invoke, app, [command, *words, "--config", str(config)]).result()
    return str(done.output)


# Scenario 10.1.
async def test_the_life_of_a_sub_order_with_its_report(store_url: str, tmp_path: Path) -> None:
    async with beside(tmp_path, url=store_url) as lab:
        asked = await lab.order()
        assert lab.state() == "accepted"
        assert msa(await lab.say(asked, step("received"))) == ("AA", [])
        assert lab.state() == "received"
        await lab.say(asked, step("started"))
        assert lab.state() == "in-process"
        await lab.say(asked, step("partial", value="21"))
        assert lab.state() == "partial"
        await eventually(lambda: lab.results() == [("21", "held")])  # a preliminary result is never released by itself
        assert msa(await lab.say(asked, step("final", pdf="whole", minutes=1))) == ("AA", [])
        assert lab.state() == "final"
        await eventually(lambda: lab.results() == [("22", "delivered")])
        assert lab.stage.ask("SELECT kind, whole FROM partner_document") == [("pdf", 1)]
        [(_, told)] = lab.lis.got
        assert "||||LABO SPECIALISE^D^^^^ASIP-SANTE-ST&1.2.250.1.71.4.2.2&ISO^FINEG^^^690999902" in told  # OBX-23
        assert "|ED|11502-2^Laboratory report^LN||^application^pdf^Base64^" in told  # the report goes along
        assert "<7.0" in told  # the partner's own range
        assert lab.stage.ask('SELECT state FROM "order"') == [("done",)]
        fates = lab.stage.ask("SELECT fate, status, laboratory, laboratory_id FROM performed ORDER BY id")
        assert fates == [("new", "P", "LABO SPECIALISE", "690999902"), ("next", "F", "LABO SPECIALISE", "690999902")]
        events = [row[0] for row in lab.stage.ask("SELECT event FROM sub_order_event ORDER BY id")]
        assert events == ["created", "sent", "accepted", "received", "received", "partial", "final", "document"]


async def test_a_result_for_an_unknown_sub_order_is_kept_and_answered_204(tmp_path: Path) -> None:
    async with beside(tmp_path) as lab:
        asked = await lab.order()
        assert msa(await lab.say(asked, step("final", number="SO-NEVER"))) == ("AE", ["204"])
        assert (lab.reasons(), lab.results(), lab.state()) == (["interlab-unknown-order"], [], "accepted")
        raw = lab.stage.ask("SELECT raw FROM message WHERE disposition = 'quarantined'")
        assert b"SO-NEVER" in bytes(raw[0][0])  # type: ignore[call-overload]


@pytest.mark.parametrize(("wrong", "what"), [({"family": "DURAND"}, "family"), ({"birth": "19700102"}, "birth")])
async def test_a_result_for_another_person_stops(wrong: dict[str, str], what: str, tmp_path: Path) -> None:
    async with beside(tmp_path) as lab:
        asked = await lab.order()
        assert msa(await lab.say(asked, step("final", **wrong))) == ("AE", ["204"])
        assert (lab.reasons(), lab.results(), lab.state()) == (["interlab-identity"], [], "accepted")
        [(facts,)] = lab.stage.ask("SELECT facts FROM quarantine")
        assert f'"what": "{what}"' in str(facts)


async def test_a_name_without_its_accents_and_its_end_is_the_same_person(tmp_path: Path) -> None:
    async with beside(tmp_path) as lab:
        asked = await lab.order()
        asked.pid = type(asked.pid)(asked.pid.line.replace("Lefèvre-Duval", "LEFEVRE DUV").replace("Zoé", "ZOE"))
        assert msa(await lab.say(asked, step("final"))) == ("AA", [])
        await eventually(lambda: lab.results() == [("22", "delivered")])


async def test_the_same_twice_is_kept_once(tmp_path: Path) -> None:
    async with beside(tmp_path) as lab:
        asked = await lab.order()
        await lab.say(asked, step("final"))
        await eventually(lambda: lab.results() == [("22", "delivered")])
        assert msa(await lab.say(asked, step("final"))) == ("AA", [])  # under another MSH-10: a snapshot
        await asyncio.sleep(0)
        assert lab.results() == [("22", "delivered")]
        assert lab.stage.ask("SELECT count(*) FROM repeat") == [(1,)]
        assert len(lab.lis.values) == 1


async def test_what_was_said_before_changes_nothing(tmp_path: Path) -> None:
    async with beside(tmp_path) as lab:
        asked = await lab.order()
        await lab.say(asked, step("final"))
        await eventually(lambda: lab.results() == [("22", "delivered")])
        assert msa(await lab.say(asked, step("partial", value="21", minutes=-30))) == ("AA", [])
        assert (lab.results(), lab.state()) == ([("22", "delivered")], "final")
        assert [row[0] for row in lab.stage.ask("SELECT fate FROM performed ORDER BY id")] == ["new", "old"]


# Scenario 10.1.
async def test_a_correction_after_release_recalls(tmp_path: Path) -> None:
    async with beside(tmp_path) as lab:
        asked = await lab.order()
        await lab.say(asked, step("final"))
        await eventually(lambda: lab.results() == [("22", "delivered")])
        assert msa(await lab.say(asked, step("corrected", value="31", minutes=1))) == ("AA", [])
        await eventually(lambda: lab.results() == [("22", "withdrawn"), ("31", "held")])
        assert lab.state() == "corrected"
        assert lab.tasks() == ["interlab-recall"]
        await eventually(lambda: any("|X|" in text for _, text in lab.lis.got))  # the LIS was told


async def test_a_final_after_a_correction_is_for_a_person(tmp_path: Path) -> None:
    async with beside(tmp_path) as lab:
        asked = await lab.order()
        await lab.say(asked, step("final"))
        await eventually(lambda: lab.results() == [("22", "delivered")])
        await lab.say(asked, step("corrected", value="31", minutes=1))
        await eventually(lambda: lab.results() == [("22", "withdrawn"), ("31", "held")])
        assert msa(await lab.say(asked, step("final", value="40", minutes=2))) == ("AA", [])
        assert lab.results()[2] == ("40", "quarantined")
        assert lab.reasons() == ["interlab-changed-final"]
        assert lab.tasks() == ["interlab-recall", "interlab-changed-final"]


# Scenario 10.1.
async def test_a_withdrawal_takes_back_what_left(tmp_path: Path) -> None:
    async with beside(tmp_path) as lab:
        asked = await lab.order()
        await lab.say(asked, step("final"))
        await eventually(lambda: lab.results() == [("22", "delivered")])
        assert msa(await lab.say(asked, step("withdrawn", minutes=1))) == ("AA", [])
        await eventually(lambda: lab.results() == [("22", "withdrawn")])
        assert (lab.state(), lab.tasks()) == ("withdrawn", ["interlab-recall"])


@pytest.mark.parametrize(
    ("wrong", "code", "reason"),
    [
        ({"unit": "UNITS^UNITS^L"}, "103", "unknown-unit"),
        ({"unit": "-"}, "101", "unit-missing"),
        ({"code": "-"}, "101", "interlab-no-code"),
        ({"code": "9999-6"}, "103", "interlab-unexpected-test"),
    ],
)
async def test_a_result_that_is_not_understood_is_kept_and_the_partner_told_where(
    wrong: dict[str, str], code: str, reason: str, tmp_path: Path
) -> None:
    async with beside(tmp_path) as lab:
        asked = await lab.order()
        assert msa(await lab.say(asked, step("final", **wrong))) == ("AE", [code])
        assert lab.reasons() == [reason]
        assert [state for _, state in lab.results()] == ["quarantined"]


async def test_the_partners_criticals_are_on_our_call_list(tmp_path: Path) -> None:
    async with beside(tmp_path) as lab:
        asked = await lab.order()
        message = lab.partner.message(asked, step("final")).replace(b"|H|||F|", b"|HH|||F|")
        async with OrderingLis("127.0.0.1", lab.port) as line:
            assert msa(await line.tell(message)) == ("AA", [])
        assert lab.stage.ask("SELECT kind, state FROM alert") == [("critical", "open")]


async def test_a_report_that_is_cut_off_is_asked_for_again_and_the_result_lives_on(tmp_path: Path) -> None:
    async with beside(tmp_path) as lab:
        asked = await lab.order()
        assert msa(await lab.say(asked, step("final", pdf="cut"))) == ("AE", ["102"])
        assert lab.reasons() == ["interlab-document-cut"]
        await eventually(lambda: lab.results() == [("22", "delivered")])
        assert msa(await lab.say(asked, step("final", pdf="whole"))) == ("AA", [])
        assert lab.stage.ask("SELECT whole FROM partner_document ORDER BY id") == [(0,), (1,)]


async def test_a_result_performed_by_a_third_laboratory_is_held_back(tmp_path: Path) -> None:
    async with beside(tmp_path) as lab:
        asked = await lab.order()
        assert msa(await lab.say(asked, step("final", performer="130999903"))) == ("AA", [])
        assert lab.reasons() == ["interlab-other-laboratory"]


async def test_a_reference_laboratory_that_was_agreed_may_perform(tmp_path: Path) -> None:
    async with beside(tmp_path, more='also_performed_by = ["130999903"]') as lab:
        asked = await lab.order()
        await lab.say(asked, step("final", performer="130999903"))
        await eventually(lambda: lab.results() == [("22", "delivered")])


# Scenario 10.3.
async def test_a_refused_specimen_comes_back_with_its_reason(tmp_path: Path) -> None:
    async with beside(tmp_path) as lab:
        asked = await lab.order()
        assert msa(await lab.say(asked, step("returned"))) == ("AA", [])
        assert lab.state() == "returned"
        assert lab.stage.ask("SELECT reason, reason_text FROM sub_order") == [
            ("SPNC RH", "Specimen not conforming; Hemolysis")
        ]
        assert lab.tasks() == ["interlab-not-done"]
        assert msa(await lab.say(asked, step("final"))) == ("AA", [])  # a result of what was given back contradicts
        assert [state for _, state in lab.results()] == ["quarantined"]


# Scenario 10.4.
async def test_a_test_that_the_partner_adds_gets_a_number_and_its_result_is_expected(tmp_path: Path) -> None:
    async with beside(tmp_path) as lab:
        asked = await lab.order()
        reply = await lab.say(asked, step("reflex", code="1920-8"))
        [orc] = reply.all("ORC")
        assert orc.component(1) == "NA"
        number = orc.component(2)
        assert lab.stage.ask("SELECT parent, state FROM sub_order WHERE number = ?", number) == [
            (asked.number, "accepted")
        ]
        added = Asked(number, orc.component(2, 2), f"{asked.filler}-R", asked.pid, asked.orc, asked.obr, asked.tube)
        assert msa(await lab.say(added, step("final", code="1920-8", value="30"))) == ("AA", [])
        assert lab.stage.ask("SELECT loinc, value FROM result") == [("1920-8", "30")]


async def test_a_partner_that_answers_an_internal_error_is_asked_until_it_passes(tmp_path: Path) -> None:
    async with beside(tmp_path, answer="locked") as lab:
        await lab.ordering.tell(new("M1", "T1", ALAT, person=ADA))
        await eventually(lambda: lab.partner.counts["received"] >= 3)
        assert lab.state() == "created"
        lab.partner.answer = "accept"
        await eventually(lambda: lab.state() == "accepted")
        assert len({message.control_id for message in lab.partner.received}) == 1


async def test_a_partner_that_refuses_a_message_is_for_a_person(tmp_path: Path) -> None:
    async with beside(tmp_path, answer="error") as lab:
        await lab.ordering.tell(new("M1", "T1", ALAT, person=ADA))
        await eventually(lambda: lab.tasks() == ["interlab-message-refused"])
        assert lab.stage.ask("SELECT state FROM outbox") == [("dead",)]
        assert lab.state() == "created"


async def test_what_a_partner_has_refused_for_a_day_leaves_with_one_command_when_it_has_mended_its_side(
    tmp_path: Path,
) -> None:
    async with beside(tmp_path, answer="error") as lab:
        for place in range(14):  # more than are refused before it is given a pause
            await lab.ordering.tell(new(f"M{place}", f"T{place}", ALAT, person=ADA))
        await eventually(lambda: len(lab.tasks()) == 14)
        assert lab.stage.ask("SELECT DISTINCT state FROM outbox") == [("dead",)]
        first = {message.control_id: message.raw for message in lab.partner.received}
        lab.partner.answer, lab.partner.received = "accept", []
        said = run("reconcile", lab.stage.config, "--partner", "SPE", "--resend-since", "2026-01-01")
        assert "14 messages" in said
        await eventually(lambda: lab.stage.ask("SELECT DISTINCT state FROM sub_order") == [("accepted",)])
        assert {message.control_id: message.raw for message in lab.partner.received} == first
        assert len(lab.partner.asked) == 14
        assert lab.tasks() == []


async def test_a_plain_acknowledgment_is_no_acceptance_unless_that_is_agreed(tmp_path: Path) -> None:
    async with beside(tmp_path, answer="ack") as lab:
        await lab.order()
        await eventually(lambda: lab.state() == "sent")


async def test_a_plain_acknowledgment_accepts_where_that_is_agreed(tmp_path: Path) -> None:
    async with beside(tmp_path, answer="ack", more="choices = { answer_accepts = true }") as lab:
        await lab.order()
        await eventually(lambda: lab.state() == "accepted")


async def test_rubbish_is_answered_with_its_place(tmp_path: Path) -> None:
    async with beside(tmp_path) as lab, OrderingLis("127.0.0.1", lab.port) as line:
        head = b"MSH|^~\\&|SPE|LABOSPE|LABMW|LAB|20261101080000||%s|X%d|P|2.5.1\r"
        assert msa(await line.tell(head % (b"ADT^A08", 1))) == ("AR", ["200"])
        assert msa(await line.tell(head % (b"OML^O21", 2))) == ("AE", ["100"])
        assert msa(await line.tell(head % (b"ORU^R01", 3))) == ("AE", ["100"])
        assert msa(await line.tell(head % (b"ORU^R01", 4) + b"PID|1\rOBX|1|NM|1742-6^A^LN||2\r")) == ("AE", ["100"])
        assert lab.stage.ask("SELECT count(*) FROM message WHERE link = 'SPE messages'") == [(4,)]


# Scenario 10.7.
async def test_the_national_number_goes_along_only_when_it_is_qualified(tmp_path: Path) -> None:
    ins = "279035121518989^^^ASIP-SANTE-INS-NIR&1.2.250.1.213.1.4.8&ISO^INS"
    async with beside(tmp_path) as lab:
        await lab.order("T1", "M1", Person("P1", ins=ins, status="VALI"))
        await lab.order("T2", "M2", Person("P2", ins=ins.replace("279035121518989", "285047599900181"), status="PROV"))
        told = [message.first("PID") for message in lab.partner.received]
        assert ["^INS" in (pid.field(3) if pid else "") for pid in told] == [True, False]
        # withdrawn by the LIS: every copy goes, those in the exchange with partners too
        await lab.ordering.tell(
            adt(
                "M3", "A47", Person("P1", ins='""^^^ASIP-SANTE-INS-NIR&1.2.250.1.213.1.4.8&ISO^INS', status="VALI"), ins
            )
        )
        assert holds(lab.stage, "279035121518989") == []


async def test_a_partner_that_asks_for_both_acknowledgments_gets_both_and_a_batch_each_of_its_messages(tmp_path: Path) -> None:  # fmt: skip
    async with beside(tmp_path) as lab:
        first, second = await lab.order("T1", "M1"), await lab.order("T2", "M2")
        both = [
            lab.partner.message(one, step("final")).replace(b"|P|2.5.1|||", b"|P|2.5.1|||AL|AL", 1)
            for one in (first, second)
        ]
        async with OrderingLis("127.0.0.1", lab.port) as line:
            assert [msa(await line.tell(both[0])), msa(await line.reply())] == [("CA", []), ("AA", [])]
            await line.write(b"\x0bBHS|^~\\&|SPE|S|LABMW|L|20261101||||B1\r" + both[1] + b"BTS|1\r\x1c\r")
            assert [msa(await line.reply()), msa(await line.reply())] == [("CA", []), ("AA", [])]
            await eventually(lambda: lab.stage.ask("SELECT state FROM owed_reply") == [("taken",)] * 2)
            # Never answered, and an answer to nothing is for a person.
            never = b"MSH|^~\\&|SPE||LABMW||20261101||ACK|A1|P|2.5.1\rMSA|AA|NEVER\r"
            await line.write(b"\x0b" + never + b"\x1c\r")
            await eventually(lambda: lab.reasons() == ["reply-to-nothing"])
            ours = str(lab.stage.ask("SELECT control_id FROM outbox WHERE destination = 'SPE'")[0][0]).encode()
            await line.write(b"\x0b" + never.replace(b"|A1|", b"|A2|").replace(b"NEVER", ours) + b"\x1c\r")
            await eventually(
                lambda: lab.stage.ask("SELECT disposition FROM message WHERE control_id = 'A2'") == [("accepted",)]
            )
            assert lab.reasons() == ["reply-to-nothing"]
        assert (lab.state("T1"), lab.state("T2")) == ("final", "final")


# Scenario 7.14.
async def test_a_partner_with_which_both_acknowledgments_were_agreed_is_waited_for_after_it_has_stored(tmp_path: Path) -> None:  # fmt: skip
    async with beside(tmp_path, more='acknowledge = "both"') as lab:
        await lab.order()
        [asked] = lab.partner.received
        assert (asked.header.component(15), asked.header.component(16)) == ("AL", "AL")
        await eventually(lambda: lab.state() == "accepted")  # CA, then ORL on the same connection
        assert lab.stage.ask("SELECT count(*) FROM outbox WHERE destination = 'SPE'") == [(1,)]


# Scenario 7.14.
async def test_an_application_reply_by_the_partners_own_line_settles_what_it_has_stored(tmp_path: Path) -> None:
    async with beside(tmp_path, more='acknowledge = "both"', answer="stores") as lab:
        await lab.ordering.tell(new("M1", "T1", ALAT, person=ADA))
        await eventually(lambda: bool(lab.partner.received))
        asked = lab.partner.received[0]
        assert lab.state() != "accepted", "stored is not accepted"
        lab.partner.answer = "accept"
        reply = lab.partner.take(asked)
        async with OrderingLis("127.0.0.1", lab.port) as line:
            await line.write(b"\x0b" + reply + b"\x1c\r")
            await eventually(lambda: lab.state() == "accepted")
        await eventually(lambda: lab.stage.ask("SELECT state FROM outbox WHERE destination = 'SPE'") == [("delivered",)])  # fmt: skip
        assert lab.reasons() == []

"""LAW with an analyzer and LTW with an LIS that are written by others: python-hl7 as client and as server, and hl7apy as judge of what it is sent."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import hl7
import hl7.mllp
import pytest
from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.core import Message as TheirMessage
from hl7apy.exceptions import HL7apyException
from hl7apy.parser import parse_message
from lawside import CREA, LINK, order, running, set_up, states
from lisside import ALT as ALT_CODE
from lisside import lab, measured, new, orders
from lisside import set_up as lis_set_up
from stage import ALT, Analyzer, eventually, free_port, message

HOST = "127.0.0.1"


def judged(text: str, version: str = "") -> str:
    """What hl7apy has against a message of ours; empty when it is sound, also under another version than it declares."""
    try:
        read = text.replace("|P|2.5.1", f"|P|{version}") if version else text
        parse_message(read, validation_level=VALIDATION_LEVEL.STRICT, find_groups=True).validate()
    except HL7apyException as error:
        return f"{type(error).__name__}: {error}"
    return ""


class Theirs:
    """One end of python-hl7: each message that came, as text, and messages to be sent."""

    def __init__(self, reader: Any, writer: Any) -> None:
        self.reader, self.writer = reader, writer

    async def say(self, text: str) -> None:
        self.writer.writemessage(hl7.parse(text))
        await self.writer.drain()

    async def told(self) -> Any:
        return await asyncio.wait_for(self.reader.readmessage(), 20)


@contextlib.asynccontextmanager
async def dialled(port: int) -> AsyncIterator[Theirs]:
    reader, writer = await hl7.mllp.open_hl7_connection(HOST, port, encoding="utf-8")
    try:
        yield Theirs(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@contextlib.asynccontextmanager
async def listening(port: int, answer: Any) -> AsyncIterator[list[Any]]:
    """A server of python-hl7 that answers each message as `answer` says."""
    heard: list[Any] = []

    async def connected(reader: Any, writer: Any) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while not writer.is_closing():
                came = await reader.readmessage()
                heard.append(came)
                writer.writemessage(answer(came))
                await writer.drain()
        writer.close()

    server = await hl7.mllp.start_hl7_server(connected, HOST, port, encoding="utf-8")
    try:
        yield heard
    finally:
        server.close()
        await server.wait_closed()


def kind_of(came: Any) -> str:
    """MSH-9, whole."""
    return str(came.segment("MSH")[9])


HEAD = "MSH|^~\\&|SIM||LABMW||20261101080000+0000||{}|{}|P|2.5.1|||{}||UNICODE UTF-8|||{}^IHE\r"


def taken(came: Any, number: str) -> str:
    """ORL^O34: every AWOS of an order message is accepted."""
    steps = "".join(f"ORC|OK|{obr[2]}|||SC\r" for obr in came.segments("OBR"))
    tube = f"{came.segment('SPM')}\r{came.segment('SAC')}\r" if steps else ""
    return f"{HEAD.format('ORL^O34^ORL_O42', number, '|', 'LAB-28')}MSA|AA|{came['MSH.F10']}\r{tube}{steps}"


async def test_an_analyzer_of_python_hl7_asks_takes_its_work_and_reports(tmp_path: Path) -> None:
    stage = set_up(tmp_path)
    order(stage, "S1", (ALT,))
    async with running(stage), dialled(stage.analyzer_port) as one:
        await one.say(f"{HEAD.format('QBP^Q11^QBP_Q11', 'Q1', 'NE|AL', 'LAB-27')}QPD|WOS^Work Order Step^IHELAW|T1|S1\rRCP|I||R^Real Time^HL70394\r")  # fmt: skip
        reply, work = await one.told(), await one.told()
        assert (kind_of(reply), str(reply["MSA.F2"])) == ("RSP^K11^RSP_K11", "Q1")
        assert kind_of(work) == "OML^O33^OML_O33"
        assert (judged(str(reply)), judged(str(work))) == ("", "")
        await one.say(taken(work, "R1"))
        await eventually(lambda: states(stage) == {f"{ALT}@analyzer": "accepted"})
        awos, test = str(work.segment("OBR")[2]), str(work.segment("OBR")[4])
        await one.say(
            f"{HEAD.format('OUL^R22^OUL_R22', 'O1', 'NE|AL', 'LAB-29')}{work.segment('SPM')}\r{work.segment('SAC')}\rOBR||{awos}||{test}\rORC|SC||||CM\r"
            f"OBX|1|NM|{test}|1|22|U/L^^UCUM||N^Normal^HL70078|||F|||||OP||SIM^ACME|20261101080000+0000||||||||||RSLT\r"
        )
        said = await one.told()
        assert (str(said["MSA.F1"]), str(said["MSA.F2"]), judged(str(said))) == ("AA", "O1", "")
        await eventually(lambda: states(stage) == {f"{ALT}@analyzer": "resulted"})
        await one.say(f"{HEAD.format('QBP^Q11^QBP_Q11', 'Q2', 'NE|AL', 'LAB-27')}QPD|WOS^Work Order Step^IHELAW|T2|S9\rRCP|I||R^Real Time^HL70394\r")  # fmt: skip
        assert str((await one.told())["QAK.F2"]) == "OK"
        assert str((await one.told())["ORC.F1"]) == "DC"


async def test_an_analyzer_that_listens_with_python_hl7_is_sent_its_orders(tmp_path: Path) -> None:
    port = free_port()
    stage = set_up(tmp_path, link=f'{LINK}\nprofile = "atellica"\npush = true\norders = "{HOST}:{port}"\nallow = ["127.0.0.1"]')  # fmt: skip
    async with listening(port, lambda came: hl7.parse(taken(came, f"R-{came['MSH.F10']}"))) as heard, running(stage):
        order(stage, "S1", (ALT, CREA))
        await eventually(lambda: set(states(stage).values()) == {"accepted"} and len(states(stage)) == 2)
    assert {kind_of(came) for came in heard} == {"OML^O33^OML_O33"}


@pytest.mark.parametrize(("dialect", "kind"), [("ltw", "ORU^R01^ORU_R01"), ("ltw-oul", "OUL^R22^OUL_R22")])
async def test_an_lis_of_python_hl7_orders_and_gets_its_results_which_hl7apy_finds_sound(tmp_path: Path, dialect: str, kind: str) -> None:  # fmt: skip
    stage, port = lis_set_up(tmp_path, lis=f'dialect = "{dialect}"')
    async with listening(stage.lis_port, lambda came: came.create_ack("AA")) as heard, lab(stage, port), dialled(port) as one:  # fmt: skip
        for place, how in enumerate(("O21", "O33", "O35")):
            await one.say(new(f"M{place}", f"T{place}", ALT_CODE, kind=how).decode())
            reply = await one.told()
            assert (str(reply["MSA.F1"]), str(reply["MSA.F2"]), str(reply["ORC.F1"])) == ("AA", f"M{place}", "OK")
            assert judged(str(reply)) == "", how
        await Analyzer(stage.analyzer_port).send("T1", message("T1", completed=measured()))
        await eventually(lambda: stage.ask("SELECT state FROM result") == [("delivered",)])
    assert [kind_of(came) for came in heard] == [kind]
    assert [str(came["OBX.F5"]) for came in heard] == ["22"]
    assert judged(str(heard[0])) == ""


async def test_an_order_that_hl7apy_has_composed_is_taken(tmp_path: Path) -> None:
    theirs = TheirMessage("OML_O21", version="2.5.1", validation_level=VALIDATION_LEVEL.STRICT)
    theirs.msh.msh_3, theirs.msh.msh_5, theirs.msh.msh_7 = "SIL", "LABMW", "20261101080000+0100"
    theirs.msh.msh_9, theirs.msh.msh_10, theirs.msh.msh_11 = "OML^O21^OML_O21", "H1", "P"
    theirs.msh.msh_18 = "UNICODE UTF-8"
    patient = theirs.add_group("OML_O21_PATIENT")
    pid = patient.add_segment("PID")
    pid.pid_3, pid.pid_5, pid.pid_7, pid.pid_8 = "P1^^^HOSPITAL^PI", "DÉSIR^Zoé^^^^^L", "19700101", "F"
    patient.add_group("OML_O21_PATIENT_VISIT").add_segment("PV1").pv1_2 = "U"
    asked = theirs.add_group("OML_O21_ORDER")
    orc = asked.add_segment("ORC")
    orc.orc_1, orc.orc_2, orc.orc_9 = "NW", "H-1^SIL", "20261101080000+0100"
    request = asked.add_group("OML_O21_OBSERVATION_REQUEST")
    obr = request.add_segment("OBR")
    obr.obr_1, obr.obr_2, obr.obr_4 = "1", "H-1^SIL", ALT_CODE
    specimen = request.add_group("OML_O21_SPECIMEN")
    spm = specimen.add_segment("SPM")
    spm.spm_1, spm.spm_2, spm.spm_4 = "1", "T1&SIL", "SER^Serum^HL70487"
    theirs.validate()
    stage, port = lis_set_up(tmp_path)
    async with lab(stage, port), dialled(port) as one:
        await one.say(theirs.to_er7() + "\r")
        reply = await one.told()
        assert (str(reply["MSA.F1"]), str(reply["ORC.F1"]), judged(str(reply))) == ("AA", "OK", "")
    assert orders(stage) == {("T1", ALT, "H-1"): "open"}
    assert stage.ask("SELECT family FROM patient") == [("DÉSIR",)]

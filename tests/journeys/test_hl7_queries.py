"""An HL7 analyzer that asks in a dialect of its own is answered from the worklist, in the form that it waits for."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from lawside import CREA, change_orders, long_ago, order, running
from lisside import reasons
from stage import ALT, Stage, eventually, free_port

from protocols.hl7.er7 import Message
from protocols.hl7.mllp import Block, MllpReader, wrap

OWN = '''"""An analyzer of the tests, with the laboratory's own test numbers.

Source: the laboratory.
Evidence: manual.
"""

from labmw.driver.declaration import Evidence, Field, Hl7Driver, Test
from protocols.hl7.{module} import {dialect}

DRIVER = Hl7Driver(
    name="own",
    evidence=Evidence.MANUAL,
    specimen=Field({place}),
    specimen_or=(),
    completed_or=Field("OBR", 7, 1),
    asks={dialect},{more}
    tests={{"1": Test("1742-6", "U/L"), "5": Test("14682-9", "umol/L")}},
)
'''
DISPLAY = {"module": "display_query", "dialect": "DISPLAY", "place": '"OBR", 2, 1', "more": ""}
Z03 = {
    "module": "z03_query",
    "dialect": "Z03",
    "place": '"SPM", 2, 1',
    "more": '\n    order_codes={"1742-6": "HOST-ALT"},',
}
LINK = 'driver = "own"\nprotocol = "hl7"\nwork = "asked"'


def set_up(folder: Path, form: dict[str, str], *, link: str = LINK) -> Stage:
    (folder / "drivers").mkdir()
    (folder / "drivers" / "own.py").write_text(OWN.format(**form), encoding="utf-8")
    return Stage(folder, free_port(), free_port(), '[drivers]\nfolder = "drivers"').build([], link=link)


class Line:
    """The analyzer's end: what it says, and what it is told, block by block."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer, self._blocks = reader, writer, MllpReader()
        self._told: list[bytes] = []

    async def say(self, text: str) -> None:
        self._writer.write(wrap(text.encode("latin-1")))
        await self._writer.drain()

    async def told(self) -> Message:
        async with asyncio.timeout(10):
            while not self._told:
                events = self._blocks.receive(await self._reader.read(4096))
                self._told += [event.data for event in events if isinstance(event, Block)]
        return Message.parse(self._told.pop(0))


@contextlib.asynccontextmanager
async def line(stage: Stage) -> AsyncIterator[Line]:
    reader, writer = await asyncio.open_connection("127.0.0.1", stage.analyzer_port)
    try:
        yield Line(reader, writer)
    finally:
        writer.close()


def qry(number: str, tube: str, what: str = "OTH") -> str:
    return (
        f"MSH|^~\\&|Mindray|BS-200|||20261101070000||QRY^Q02|{number}|P|2.3.1||||0||ASCII|||\r"
        f"QRD|20261101070000|R|D|{number}|||RD|{tube}|{what}|||T|\rQRF|BS-200|20261101000000|20261101070000|||RCT|COR|ALL||\r"
    )


def ack(number: str, code: str = "AA") -> str:
    return (
        f"MSH|^~\\&|Mindray|BS-200|||20261101070002||ACK^Q03|9|P|2.3.1||||0||ASCII|||\rMSA|{code}|{number}|said|||0|\r"
    )


def result(number: str, tube: str, code: str) -> str:
    return (
        f"MSH|^~\\&|Mindray|BS-200|||20261101080000||ORU^R01|{number}|P|2.3.1||||0||ASCII|||\rPID|1\r"
        f"OBR|1|{tube}|1|Mindray^BS-200|||20261101080000\rOBX|1|NM|{code}|x|22.000000|U/L||N|||F||22.000000|20261101080000\r"
    )


def named(stage: Stage) -> dict[str, tuple[object, object]]:
    return {
        str(code): (state, waits) for code, state, waits in stage.ask("SELECT code, state, waits FROM awos ORDER BY id")
    }


def said(message: Message) -> tuple[str, str, str]:
    """Type, MSA-1 and QAK-2."""
    msa, qak = message.first("MSA"), message.first("QAK")
    assert msa is not None and qak is not None
    return f"{message.code}^{message.trigger}", msa.component(1), qak.component(2)


async def test_a_display_query_from_the_question_to_the_result(tmp_path: Path) -> None:
    stage = set_up(tmp_path, DISPLAY)
    order(stage, "0019", (ALT, CREA))
    async with running(stage), line(stage) as one:
        await one.say(qry("4", "0019"))
        assert said(await one.told()) == ("QCK^Q02", "AA", "OK")
        work = await one.told()
        assert said(work) == ("DSR^Q03", "AA", "OK")
        shown = {dsp.component(1): dsp.component(3) for dsp in work.all("DSP")}
        assert (shown["1"], shown["3"], shown["21"], shown["29"], shown["30"]) == (
            "P-0019",
            "TESTPERSON Ada",
            "0019",
            "1",
            "5",
        )
        assert named(stage) == {"1": ("broadcast", 1), "5": ("broadcast", 1)}, "said, and not yet acknowledged"
        await one.say(ack(work.control_id))
        await eventually(lambda: named(stage) == {"1": ("accepted", 0), "5": ("accepted", 0)})
        await one.say(result("10", "0019", "1"))
        assert (await one.told()).code == "ACK"
        assert named(stage)["1"] == ("resulted", 0)
        # Whoever asks again lacks what has no result, and gets that and nothing else, under the same identity.
        await one.say(qry("5", "0019"))
        assert said(await one.told()) == ("QCK^Q02", "AA", "OK")
        assert [dsp.component(3) for dsp in (await one.told()).all("DSP")][28:] == ["5"]
        await one.say(qry("6", "NOBODYS"))
        assert said(await one.told()) == ("QCK^Q02", "AA", "NF")
        await one.say(qry("7", ""))
        assert said(await one.told()) == ("QCK^Q02", "AE", "AE")
        await one.say(qry("8", "0019", "CAN"))
        assert said(await one.told()) == ("QCK^Q02", "AA", "OK")
    assert stage.ask("SELECT count(*) FROM awos") == [(2,)]
    kinds = stage.ask("SELECT direction, kind, disposition, reason FROM message ORDER BY id")
    assert kinds == [
        (">", "query", "accepted", ""),
        ("<", "order", "accepted", ""),
        (">", "order-response", "accepted", ""),
        (">", "result", "accepted", ""),
        (">", "query", "accepted", ""),
        ("<", "order", "accepted", ""),
        (">", "query", "accepted", ""),
        (">", "query", "refused", "query-not-served"),
        (">", "query-cancel", "accepted", ""),
    ]
    assert stage.ask('SELECT loinc, state FROM "order" ORDER BY loinc') == [(CREA, "open"), (ALT, "done")]


async def test_a_refusal_is_kept_with_its_words_and_a_word_on_nothing_is_for_a_person(tmp_path: Path) -> None:
    stage = set_up(tmp_path, DISPLAY)
    order(stage, "0019")
    async with running(stage), line(stage) as one:
        await one.say(qry("4", "0019"))
        await one.told()
        work = await one.told()
        await one.say(ack("NEVER-SENT"))
        await eventually(lambda: reasons(stage) == ["reply-to-nothing"])
        assert named(stage) == {"1": ("broadcast", 1)}
        await one.say(ack(work.control_id, "AE"))
        await eventually(lambda: named(stage) == {"1": ("refused", 0)})
        await one.say(ack(work.control_id))  # a second word changes nothing
        await one.say(qry("5", "0019"))  # its order is open: presented again it is offered anew
        assert said(await one.told()) == ("QCK^Q02", "AA", "OK")
    assert stage.ask("SELECT state, reason FROM awos ORDER BY id") == [("refused", "said"), ("broadcast", "")]


async def test_the_same_question_gets_the_stored_reply_and_the_same_work(tmp_path: Path) -> None:
    stage = set_up(tmp_path, DISPLAY)
    order(stage, "0019")
    async with running(stage):
        async with line(stage) as one:
            await one.say(qry("4", "0019"))
            first = [(await one.told()).encode() for _ in range(2)]
        async with line(stage) as one:  # the acknowledgment never came, nor the work perhaps
            await one.say(qry("4", "0019"))
            assert [(await one.told()).encode() for _ in range(2)] == first
    async with running(stage), line(stage) as one:  # and the next process knows it too
        await one.say(qry("4", "0019"))
        assert [(await one.told()).encode() for _ in range(2)] == first
    assert stage.ask("SELECT count(*) FROM message") == [(2,)]


async def test_no_work_is_said_only_while_orders_are_fresh_and_what_is_taken_back_cannot_be_told(
    tmp_path: Path,
) -> None:
    stage = set_up(tmp_path, DISPLAY)
    order(stage, "0019", at=long_ago())
    async with running(stage) as laboratory, line(stage) as one:
        await one.say(qry("4", "NOBODYS"))
        assert said(await one.told()) == ("QCK^Q02", "AE", "AE")
        assert stage.ask("SELECT specimen, reason FROM re_present") == [("NOBODYS", "order-feed-stale")]
        await one.say(qry("5", "0019"))  # what is known is given all the same
        assert said(await one.told()) == ("QCK^Q02", "AA", "OK")
        await one.say(ack((await one.told()).control_id))
        await eventually(lambda: named(stage) == {"1": ("accepted", 0)})
        change_orders(stage, "0019", "cancelled")
        laboratory.worklist.signal.set()
        await eventually(lambda: stage.ask("SELECT state, wanted FROM awos") == [("unable", "")])


async def test_a_host_query_has_its_work_in_the_reply(tmp_path: Path) -> None:
    stage = set_up(tmp_path, Z03)
    order(stage, "S1", (ALT, CREA))  # of which one has a code of its own here
    asked = "MSH|^~\\&|ICU^GeneXpert^1.0||LIS||20261101070000||QBP^Z03^QBP_Z03|{0}|P|2.5\rQPD|Z03^HOST QUERY|{0}|P|{1}\rRCP|I\r"
    async with running(stage), line(stage) as one:
        await one.say(asked.format("Q1", "S1"))
        work = await one.told()
        assert said(work) == ("RSP^Z02", "AA", "OK")
        assert [obr.component(4) for obr in work.all("OBR")] == ["HOST-ALT"]
        assert named(stage) == {"HOST-ALT": ("broadcast", 0)}, "nothing tells that it has come"
        await one.say(asked.format("Q2", "S2"))
        none = await one.told()
        assert said(none) == ("RSP^Z02", "AA", "OK") and not none.all("OBR")
        await one.say(
            "MSH|^~\\&|ICU^GeneXpert^1.0||LIS||20261101070100||QCN^J01^QCN_J01|C1|P|2.5|||AL|NE\rQID|Q2|N/D\r"
        )
        taken = await one.told()
        assert (taken.code, taken.trigger) == ("ACK", "J01") and taken.first("MSA").component(1) == "CA"  # type: ignore[union-attr]
        # What it cannot do it reports as an order that it has cancelled.
        await one.say(
            "MSH|^~\\&|ICU^GeneXpert^1.0||LIS||20261101070200||ORU^R32^ORU_R30|R1|P|2.5|||AL|NE\rPID|1\rORC|OC|1\r"
            "OBR|1|||HOST-ALT|||||||||||||||||||||X\rNTE|1|L|Error^InvalidTestData^test unknown\rTQ1|||||||||R\rSPM|1|S1^||ORH|||||||P\r"
        )
        await one.told()
        assert named(stage) == {"HOST-ALT": ("not-performed", 0)}


@pytest.mark.parametrize("link", [LINK, LINK.replace('\nwork = "asked"', "")], ids=["asked", "not told"])
async def test_only_a_link_that_is_told_so_is_given_work(link: str, tmp_path: Path) -> None:
    stage = set_up(tmp_path, DISPLAY, link=link)
    order(stage, "0019")
    async with running(stage), line(stage) as one:
        await one.say(qry("4", "0019"))
        told = await one.told()
    assert f"{told.code}^{told.trigger}" == ("QCK^Q02" if "work" in link else "ACK^Q02")
    assert stage.ask("SELECT count(*) FROM awos") == [(1 if "work" in link else 0,)]


async def test_a_counter_that_asks_by_order_message_is_told_its_mode_and_its_results_end_the_work(
    tmp_path: Path, corpus: Path
) -> None:
    link = 'driver = "mindray-bc5380"\nprotocol = "hl7"\nwork = "asked"'
    stage = Stage(tmp_path, free_port(), free_port()).build([], link=link)
    raw = (corpus / "hl7" / "bc-5380" / "bc5380-c.3.3.hl7").read_bytes().strip(b"\x0b\x1c\r\n") + b"\r"
    tube = Message.parse(raw).all("OBR")[0].component(3)
    order(stage, tube, ("6690-2", "770-8"))  # leucocytes, and neutrophils in percent
    order(stage, "OTHER", ("718-7",))
    asked = "MSH|^~\\&|BC-5380|Mindray|||20261101070000||ORM^O01|{0}|P|2.3.1||||||UNICODE\rORC|RF||{1}||IP\r"

    def mode(message: Message) -> list[str]:
        return [obx.component(5) for obx in message.all("OBX") if obx.component(3) == "08003"]

    async with running(stage), line(stage) as one:
        await one.say(asked.format("1", tube))
        work = await one.told()
        assert (work.code, work.trigger, work.all("MSA")[0].component(1)) == ("ORR", "O02", "AA")
        assert (work.all("ORC")[0].component(2), mode(work)) == (tube, ["CBC+DIFF"])
        assert named(stage) == {"CBC": ("broadcast", 0), "CBC+DIFF": ("broadcast", 0)}, "nothing tells that it has come"
        await one.say(asked.format("2", "OTHER"))
        assert mode(await one.told()) == ["CBC"]
        await one.say(asked.format("3", "NOBODYS"))
        none = await one.told()
        assert (none.all("MSA")[0].component(1), [item.name for item in none.segments]) == ("AR", ["MSH", "MSA"])
        await one.say(asked.format("4", ""))
        assert (await one.told()).all("MSA")[0].component(1) == "AE"
        await one.say(raw.decode("latin-1"))
        assert (await one.told()).code == "ACK"
        states = "SELECT loinc, state FROM awos WHERE specimen = ? ORDER BY loinc"
        assert stage.ask(states, tube) == [("6690-2", "resulted"), ("770-8", "resulted")]

"""labmw interlab beside a running daemon: catalogues, what a test asks for, boxes, receiving, cancelling, and what it says in both languages."""

from __future__ import annotations

import importlib
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lisside import new
from partnerside import ADA, ALAT, Beside, beside, step
from stage import Stage, eventually
from typer.testing import CliRunner

CATALOGUE = "code,name,loinc,unit,turnaround,questions,requires\nTGP,Transaminase,1742-6,U/L,48,!49051-6=Gestational age,prescription\n"


def labmw(stage: Stage, *words: str, code: int = 0, language: str = "en") -> str:
    app = importlib.import_module("labmw.cli.interlab").app
    with ThreadPoolExecutor(1) as apart:  # a command has an event loop of its own
        done = apart.submit(
            CliRunner().invoke, app, [*words, "--config", str(stage.config), "--language", language]
        ).result()
    assert done.exit_code == code, done.output
    return done.output


async def ordered(lab: Beside, tube: str = "T1") -> str:
    """A1 order that stays here until something is done; return its number."""
    await lab.ordering.tell(new(f"M-{tube}", tube, ALAT, person=ADA))
    await eventually(lambda: lab.state(tube) != "")
    return str(lab.stage.ask("SELECT number FROM sub_order WHERE specimen = ?", tube)[0][0])


async def test_what_a_test_asks_for_blocks_its_own_sub_order_until_it_is_there(tmp_path: Path) -> None:
    async with beside(tmp_path) as lab:
        file = tmp_path / "catalogue.csv"
        file.write_text(CATALOGUE, encoding="utf-8")
        assert "1 codes" in labmw(lab.stage, "catalogue", "import", "SPE", str(file), "--version", "2026")
        number = await ordered(lab)
        assert lab.tasks() == ["interlab-missing"]
        assert "lacks prescription, 49051-6" in " ".join(labmw(lab.stage, "orders").split())
        labmw(lab.stage, "send", number, code=1)
        scan = tmp_path / "scan.pdf"
        scan.write_bytes(b"%PDF-1.4\n%%EOF\n")
        assert "49051-6" in labmw(lab.stage, "send", number, "--item", "prescription", "--file", str(scan), code=1)
        labmw(lab.stage, "send", number, "--item", "49051-6", "--text", "12 SA")
        await eventually(lambda: lab.state() == "accepted")
        assert lab.tasks() == []
        [message] = lab.partner.received
        kinds = [(obx.component(2), obx.component(3)) for obx in message.all("OBX")]
        assert kinds == [("ED", "prescription"), ("ST", "49051-6")]
        assert message.all("OBR")[0].field(4) == "1742-6^ALAT^LN^TGP^Transaminase^99SPE"


async def test_what_a_sub_order_lacks_is_asked_of_nobody_once_it_is_taken_back(tmp_path: Path) -> None:
    async with beside(tmp_path) as lab:
        file = tmp_path / "catalogue.csv"
        file.write_text(CATALOGUE, encoding="utf-8")
        labmw(lab.stage, "catalogue", "import", "SPE", str(file), "--version", "2026")
        number = await ordered(lab)
        assert lab.tasks() == ["interlab-missing"]
        labmw(lab.stage, "cancel", number, "--why", "asked twice")
        assert (lab.tasks(), lab.state()) == ([], "cancelled")


async def test_a_sub_order_waits_for_its_box(tmp_path: Path) -> None:
    async with beside(tmp_path, more='send = "with-box"') as lab:
        first, second = await ordered(lab, "T1"), await ordered(lab, "T2")
        assert "T9" in labmw(lab.stage, "ship", "SPE", "T1", "T9", "--temperature", "+4", code=1)
        assert lab.partner.counts["received"] == 0
        paper = tmp_path / "list.pdf"
        out = labmw(lab.stage, "ship", "SPE", "--close", "--courier", "Coursier", "--print", str(paper))
        assert "sub-orders that waited for it: 1" in out
        assert paper.read_bytes().startswith(b"%PDF-")
        await eventually(lambda: lab.state("T1") == "accepted")
        assert lab.state("T2") == "created"
        assert lab.stage.ask("SELECT state, temperature, courier FROM box") == [("shipped", "+4", "Coursier")]
        labmw(lab.stage, "ship", "SPE", "--close", code=1)
        labmw(lab.stage, "send", second)
        await eventually(lambda: lab.state("T2") == "accepted")
        assert json.loads(labmw(lab.stage, "ship", "SPE", "--json"))["tubes"][0]["orders"] == [first]


async def test_cancelled_by_a_person(tmp_path: Path) -> None:
    async with beside(tmp_path) as lab:
        asked = await lab.order()
        labmw(lab.stage, "cancel", asked.number, "--why", "double prescription")
        await eventually(lambda: lab.state() == "cancelled")
        assert "(cancelled)" in labmw(lab.stage, "cancel", asked.number, "--why", "again", code=1)
        assert "annulée" in labmw(lab.stage, "orders", language="fr")
        assert "there is no sub-order" in labmw(lab.stage, "cancel", "SO-9", "--why", "x", code=1)


async def test_a_partner_that_cannot_cancel_any_more(tmp_path: Path) -> None:
    async with beside(tmp_path) as lab:
        asked = await lab.order()
        await lab.say(asked, step("partial", value="21"))
        labmw(lab.stage, "cancel", asked.number, "--why", "too late")
        await eventually(lambda: lab.tasks() == ["interlab-cannot-cancel"])
        assert lab.state() == "partial"


async def test_what_is_shown(tmp_path: Path) -> None:
    async with beside(tmp_path, more="turnaround = 0.001") as lab:
        asked = await lab.order()
        await lab.say(asked, step("partial", value="21"))
        shown = labmw(lab.stage, "show", asked.number)
        assert "partial" in shown
        assert "690999902" in shown
        told = json.loads(labmw(lab.stage, "show", asked.number, "--json"))
        assert [one["fate"] for one in told[0]["results"]] == ["new"]
        await eventually(lambda: asked.number in labmw(lab.stage, "late"))
        assert "en retard" in labmw(lab.stage, "late", language="fr")
        [partner] = json.loads(labmw(lab.stage, "partners", "--json"))
        assert (partner["states"], partner["late"]) == ({"partial": 1}, 1)
        found = json.loads(labmw(lab.stage, "reconcile", "--json", code=1))
        assert (found["ordered"], found["transmitted"], [one["what"] for one in found["differences"]]) == (
            1,
            1,
            ["reconcile-late"],
        )
        assert "1742-6" in labmw(lab.stage, "catalogue", "unmapped", "SPE", code=1)
        assert "no catalogue" in labmw(lab.stage, "catalogue", "list").lower()
        labmw(lab.stage, "show", "SO-9", code=1)
        assert "résultat partiel" in labmw(lab.stage, "show", asked.number, language="fr")
        for command in ("orders", "late", "reconcile"):  # an empty list would say that all is well
            assert "SPE" in labmw(lab.stage, command, "--partner", "SPEE", code=2)
        assert "cancel-sent" in labmw(lab.stage, "orders", "--state", "lost", code=2)
        labmw(lab.stage, "ship", "NOBODY", "T1", code=2)
        labmw(lab.stage, "receive", "T1", "--non-conforming", "ZZ", "--why", "x", code=2)
        assert "no open sub-order" in labmw(lab.stage, "receive", "T1", code=1)


async def test_everything_is_sent_again_that_the_partner_lost(tmp_path: Path) -> None:
    async with beside(tmp_path) as lab:
        asked = await lab.order()
        assert "1 messages" in labmw(lab.stage, "reconcile", "--partner", "SPE", "--resend-since", "2026-01-01")
        await eventually(lambda: lab.partner.counts["received"] == 2)
        assert lab.partner.received[0].raw == lab.partner.received[1].raw
        assert (lab.state(), len(lab.partner.asked)) == ("accepted", 1)
        assert [one.number for one in lab.partner.asked.values()] == [asked.number]

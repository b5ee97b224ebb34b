"""A partner's reports as documents: PDF and CDA kept as they came and passed on to the LIS; one that comes after its results is for a person (issue 7)."""

from __future__ import annotations

import base64
import importlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from lisside import new
from partnerside import ADA, ALAT, ALT, Beside, beside, msa, step
from stage import eventually
from typer.testing import CliRunner

from protocols.hl7.er7 import Message
from simulators.ltw import OrderingLis
from simulators.partner_lab import PDF, Asked, Catalogue

CDA = b'<?xml version="1.0" encoding="UTF-8"?>\n<ClinicalDocument xmlns="urn:hl7-org:v3"><title>R\xc3\xa9sultat</title></ClinicalDocument>\n'


async def say(lab: Beside, asked: Asked, kinds: str, data: bytes = CDA) -> Message:
    """The final report with a document of this type (ED-2, ED-3 and ED-4), and with its PDF if there is one beside it."""
    message = lab.partner.message(asked, step("final", pdf="whole")).decode()
    pdf = f"^application^pdf^Base64^{base64.b64encode(PDF).decode()}"
    obx = f"OBX|2|ED|11502-2^Laboratory report^LN||^{kinds}^{base64.b64encode(data).decode()}||||||F\r"
    if kinds.startswith("multipart"):
        message = message.replace(pdf, f"^{kinds}^{base64.b64encode(data).decode()}")
    else:
        message += obx
    async with OrderingLis("127.0.0.1", lab.port) as line:
        return await line.tell(message.encode())


def documents(told: str) -> list[tuple[str, bytes]]:
    """ED-3 and the bytes of every document in a message to the LIS."""
    found = [obx for obx in Message.parse(told.encode()).all("OBX") if obx.component(2) == "ED"]
    return [(obx.component(5, 3), base64.b64decode(obx.component(5, 5))) for obx in found]


# Scenario 10.5.
@pytest.mark.usefixtures("at_rest")
async def test_a_cda_is_kept_and_passed_on_byte_for_byte(tmp_path: Path) -> None:
    async with beside(tmp_path) as lab:
        asked = await lab.order()
        assert msa(await say(lab, asked, "multipart^XML^Base64")) == ("AA", [])
        await eventually(lambda: lab.results() == [("22", "delivered")])
        assert lab.stage.ask("SELECT kind, whole, data FROM partner_document") == [("cda", 1, CDA)]
        assert documents(lab.lis.got[0][1]) == [("XML", CDA)]


# Scenario 10.5.
async def test_the_pdf_and_the_cda_of_one_report_both_go(tmp_path: Path) -> None:
    async with beside(tmp_path) as lab:
        asked = await lab.order()
        assert msa(await say(lab, asked, "TEXT^XML^Base64")) == ("AA", [])
        await eventually(lambda: lab.results() == [("22", "delivered")])
        assert documents(lab.lis.got[0][1]) == [("pdf", PDF), ("XML", CDA)]


async def test_a_report_stands_behind_the_order_that_it_answers(tmp_path: Path) -> None:
    """Two sub-orders of one tube come back in one message; the report is of the second."""
    async with beside(tmp_path, routes=f'routes = [{{ tests = ["{ALT}", "2157-6"] }}]') as lab:
        ck = Catalogue("2157-6", "CK", "80", "U/L^U/L^UCUM")
        lab.partner.catalogue = {**lab.partner.catalogue, "2157-6": ck}
        await lab.ordering.tell(new("M1", "T1", ALAT, "2157-6^CK^LN", person=ADA))
        await eventually(lambda: lab.stage.ask("SELECT state FROM sub_order") == [("accepted",), ("accepted",)])
        first, second = lab.partner.asked.values()
        both = lab.partner.message(first, step("final")).rstrip(b"\r").split(b"\r")
        more = lab.partner.message(second, step("final", pdf="whole")).split(b"\r")
        both += more[[line[:3] for line in more].index(b"ORC") :]
        async with OrderingLis("127.0.0.1", lab.port) as line:
            assert msa(await line.tell(b"\r".join(both))) == ("AA", [])
        await eventually(lambda: [state for _, state in lab.results()] == ["delivered", "delivered"])
        [(_, told)] = lab.lis.got
        services = [(obr.component(2), obr.component(4)) for obr in Message.parse(told.encode()).all("OBR")]
        assert services == [("T1-1", "1742-6"), ("T1-2", "2157-6"), ("T1-2", "11502-2")]


async def test_a_report_that_comes_after_its_results_have_left_is_for_a_person(tmp_path: Path) -> None:
    async with beside(tmp_path) as lab:
        asked = await lab.order()
        await lab.say(asked, step("final"))
        await eventually(lambda: lab.results() == [("22", "delivered")])
        assert msa(await lab.say(asked, step("final", pdf="whole"))) == ("AA", [])
        assert lab.tasks() == ["interlab-document-late"]
        folder = tmp_path / "out"
        folder.mkdir()
        app = importlib.import_module("labmw.cli.interlab").app
        words = ["show", asked.number, "--save", str(folder), "--config", str(lab.stage.config)]
        with ThreadPoolExecutor(1) as apart:  # a command has an event loop of its own
            codes = [apart.submit(CliRunner().invoke, app, words).result().exit_code for _ in range(2)]
        assert codes == [0, 2]  # what is there is not overwritten
        [file] = folder.iterdir()
        assert (file.suffix, file.read_bytes()) == (".pdf", PDF)


async def test_a_correction_takes_its_report_along(tmp_path: Path) -> None:
    async with beside(tmp_path) as lab:
        asked = await lab.order()
        await lab.say(asked, step("final"))
        await eventually(lambda: lab.results() == [("22", "delivered")])
        await lab.say(asked, step("corrected", value="31", pdf="whole", minutes=1))
        assert lab.tasks() == ["interlab-recall"]


# Scenario 10.6.
async def test_a_report_of_ten_million_bytes_is_kept_and_passed_on(tmp_path: Path) -> None:
    large = CDA.replace(b"<title>", b"<!-- \xc3\xa9 -->\n" * 900_000 + b"<title>")
    assert len(large) > 10_000_000
    async with beside(tmp_path) as lab:
        asked = await lab.order()
        assert msa(await say(lab, asked, "multipart^XML^Base64", large)) == ("AA", [])
        await eventually(lambda: lab.results() == [("22", "delivered")])
        assert lab.stage.ask("SELECT whole, data FROM partner_document") == [(1, large)]
        assert documents(lab.lis.got[0][1]) == [("XML", large)]

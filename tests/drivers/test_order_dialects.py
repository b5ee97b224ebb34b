"""Every shipped dialect says where it comes from, and writes what its sources show: the records of manuals, captures and vendors' examples."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from typer.testing import CliRunner

from labmw.cli.driver import app
from labmw.driver.answering import Said, answer
from labmw.driver.asking import What, asked
from labmw.driver.order_writing import Occasion, TestToDo, Work, code_for, dialect_of, write_no_work, write_orders
from labmw.driver.ordering import OrderDialect, unsourced
from labmw.errors import DriverError
from labmw.line.registry import Registry
from labmw.model import Patient, Sex
from protocols.astm.message import Message

ROOT = Path(__file__).parents[2]
REGISTRY = Registry.find()
TOLD = {name: one.orders for name, one in REGISTRY.drivers.items() if one.orders is not None}
UTC_ZONE = ZoneInfo("UTC")
PERSON = Patient("L1", "PAT-001", "DOE", "JANE", date(1990, 3, 15), Sex.FEMALE)
AT = datetime(2025, 2, 25, 10, 0, 1, tzinfo=UTC)
ORDERED = datetime(2025, 2, 25, 9, 0, 0, tzinfo=UTC)


def at(host: str = "LIS", *, analyzer: tuple[str, ...] = (), version: str = "", now: datetime = AT) -> Occasion:
    return Occasion(host, now, UTC_ZONE, "resp-001", analyzer, version)


def lines(message: Message) -> list[str]:
    return message.raw.decode().rstrip("\r").split("\r")


def written(name: str, work: Work, occasion: Occasion) -> list[str]:
    return lines(write_orders(REGISTRY.named(name), occasion, [work], asked=True))


@pytest.mark.parametrize("name", sorted(TOLD))
def test_what_differs_from_the_standard_has_its_source(name: str) -> None:
    assert unsourced(TOLD[name]) == []
    assert all(len(source) > 20 for source in TOLD[name].sources.values())


def test_a_field_without_a_source_is_noticed() -> None:
    assert unsourced(OrderDialect(order={3: "{specimen}", 5: "{code}"})) == ["O.5"]
    assert unsourced(OrderDialect(order={3: "{specimen}", 5: "{code}"}, sources={"O": "a manual"})) == []


def test_the_page_names_the_families_that_can_be_told_and_no_other() -> None:
    page = (ROOT / "docs" / "orders.md").read_text(encoding="utf-8")
    table = page[page.index("| driver | from what") :].split("\n\n")[0]
    assert set(re.findall(r"`([a-z0-9-]+)`", "\n".join(row.split("|")[1] for row in table.splitlines()))) == set(TOLD)


# --- what the sources show, record by record ------------------------------------------------------------------------------------


def test_genexpert_as_in_the_vendors_order_download() -> None:
    """301-2002 rev. E, host query and order response; the message number is ours."""
    driver = REGISTRY.named("cepheid-genexpert")
    query = b"H|@^\\|query-001||ICU^GeneXpert^1.0|||||LIS||P|1394-97|20250225100000\rQ|1|^LAB-2025-001||||||||||O@N\rL|1|N\r"
    (message,) = Message.parse(query, "latin-1")
    found = asked(message, driver)
    assert (
        found is not None and found.what is What.TUBES and [one.identifier for one in found.tubes] == ["LAB-2025-001"]
    )
    occasion = Occasion("LIS", AT, UTC_ZONE, "resp-001", ("ICU", "GeneXpert", "1.0"), "1394-97", message.delimiters)
    work = Work("LAB-2025-001", (TestToDo("MTB-RIF", "R", ORDERED), TestToDo("HIV-VL", "S", ORDERED)), PERSON)
    given = answer(driver, occasion, found, [work], fresh=True)
    assert lines(given.messages[0]) == [
        "H|@^\\|resp-001||LIS|||||ICU^GeneXpert^1.0||P|1394-97|20250225100001",
        "P|1|||PAT-001|DOE^JANE||19900315|F",
        "O|1|LAB-2025-001||^^^MTB-RIF|R|20250225090000|||||A||||ORH||||||||||Q",
        "O|2|LAB-2025-001||^^^HIV-VL|S|20250225090000|||||A||||ORH||||||||||Q",
        "L|1|F",
    ]
    nothing = answer(driver, occasion, found, [], fresh=True)
    assert nothing.said is Said.NO_WORK and lines(nothing.messages[0])[-1] == "L|1|I"
    with pytest.raises(DriverError, match="asked"):
        dialect_of(driver, push=True)


def test_architect_as_in_the_manuals_example() -> None:
    """MCC1 of the manual, without what labmw does not know of (Hep, lipemic, serum)."""
    drawn = datetime(2001, 2, 23, 8, 12, 23, tzinfo=UTC)
    work = Work("MCC1", (TestToDo("16"), TestToDo("606")), collected=drawn)
    assert written("abbott-architect", work, at()) == [
        "H|\\^&||||||||||P|1",
        "P|1",
        "O|1|MCC1||^^^16\\^^^606|R||20010223081223||||A||||||||||||||Q",
        "L|1",
    ]
    driver = REGISTRY.named("abbott-architect")
    (message,) = Message.parse(
        b"H|\\^&|||ARCHITECT^9.45^F3452180006^H1P1O1R1C1Q1L1|||||||P|1|20240213164722\rQ|1|^129903||^^^ALL||||||||O\rL|1\r",
        "latin-1",
    )
    found = asked(message, driver)
    assert found is not None and found.tests == frozenset()
    nothing = answer(driver, at(), found, [], fresh=True)
    assert lines(nothing.messages[0]) == ["H|\\^&||||||||||P|1", "Q|1|^129903||^^^ALL||||||||X", "L|1"]
    assert code_for(driver, "3016-3") == "241"


def test_access_as_in_the_vendors_example_with_its_checksums() -> None:
    now = datetime(2002, 12, 31, 23, 59, 59, tzinfo=UTC)
    work = Work("SPEC1234", (TestToDo("Ferritin"),), Patient("L1", "098765678"))
    records = written("beckman-access", work, at(now=now))
    assert records == [
        "H|\\^&|||LIS|||||||P|1|20021231235959",
        "P|1|098765678",
        "O|1|SPEC1234||^^^Ferritin|R||||||A||||Serum",
        "L|1|F",
    ]
    # Checksums as printed beside the example: frame number, record, CR, ETX.
    sums = [sum(f"{number}{one}\r\x03".encode()) % 256 for number, one in enumerate(records, 1)]
    assert [f"{one:02X}" for one in sums] == ["EA", "A3", "F8", "FF"]


def test_vision_as_in_its_minimal_order() -> None:
    (_, _, order, _) = written("ortho-vision", Work("SID101", (TestToDo("ABO-D"),), kind="BLD"), at())
    fields = order.split("|")
    assert (fields[2], fields[4], fields[11], fields[15]) == ("SID101", "ABO-D", "N", "CENTBLOOD")


def test_echo_as_a_host_has_written_it(corpus: Path) -> None:
    sent = (corpus / "astm/galileo-echo/order.astm").read_bytes().decode().split("\r")
    now = datetime(2005, 2, 22, 14, 2, 43, tzinfo=UTC)
    person = Patient("L1", "1171984", "Patient", "Test", date(1959, 4, 22), Sex.MALE)
    records = written(
        "immucor-echo", Work("0651439A", (TestToDo("Crossmatch"),), person), at(analyzer=("Echo",), now=now)
    )
    assert records[:3] == sent[:3]
    assert records[3] == sent[4].strip()  # between them the host's comment names a donor


def test_yumizen_orders_its_panel_once_for_all_of_its_tests() -> None:
    driver = REGISTRY.named("horiba-yumizen-h500")
    tests = tuple(TestToDo(code_for(driver, loinc), urgency) for loinc, urgency in (("718-7", "R"), ("6690-2", "S")))
    (_, _, order, end) = written("horiba-yumizen-h500", Work("T1", tests), at("SBSI LIS"))
    assert order == "O|1|T1||^^^DIF|S|20250225100001|||||N||||||||||||||Q"
    assert end == "L|1"


def test_a_query_that_is_taken_back_names_the_tube_as_it_was_asked_for() -> None:
    message = write_no_work(REGISTRY.named("abbott-architect"), at(), [Work("T1"), Work("T2", parts=("P9", "T2"))])
    assert lines(message)[1:3] == ["Q|1|^T1||^^^ALL||||||||X", "Q|2|P9^T2||^^^ALL||||||||X"]


# --- what the person at night is told -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "language", "words"),
    [
        (
            "cepheid-genexpert",
            "en",
            ("How it is told", "301-2002", "only when it has asked", "names of each laboratory"),
        ),
        ("cepheid-genexpert", "fr", ("Comment les demandes", "301-2002", "que s'il a interrogé", "propres à chaque")),
        ("roche-cobas-c111", "en", ("not declared",)),
        ("roche-cobas-c111", "fr", ("non déclarées",)),
    ],
)
def test_show_tells_how_orders_are_written_or_that_they_are_not_declared(
    name: str, language: str, words: tuple[str, ...]
) -> None:
    done = CliRunner().invoke(app, ["show", name, "--language", language])
    text = " ".join(done.output.split())
    assert all(word in text for word in words), text


def test_show_gives_the_dialect_as_json() -> None:
    shown = json.loads(CliRunner().invoke(app, ["show", "abbott-architect", "--json"]).output)["dialect"]
    places = {one["place"]: one for one in shown["places"]}
    assert places["O.12"]["text"] == "{action} = A" and "manual" in places["O.12"]["source"]
    assert shown["codes"] == {"3016-3": "241"} and not shown["cancels"]


def test_cobas_e411_dilutes_as_in_the_manual() -> None:
    """Host Interface Manual 2.3, p. 51, example 1: ^^^10^\\^^^30^2\\^^^40^; table 17: the ratios that there are."""
    work = Work("000004", (TestToDo("10"), TestToDo("30", dilution="2"), TestToDo("40")))
    order = next(line for line in written("roche-cobas-e411", work, at()) if line.startswith("O|"))
    assert order.split("|")[4] == "^^^10^\\^^^30^2\\^^^40^"
    with pytest.raises(DriverError, match="1 to 3 cannot be ordered"):
        written("roche-cobas-e411", Work("1", (TestToDo("10", dilution="3"),)), at())


@pytest.mark.parametrize("name", sorted(set(TOLD) - {"roche-cobas-e411"}))
def test_no_other_family_is_known_to_take_a_dilution(name: str) -> None:
    with pytest.raises(DriverError, match="dilute by hand"):
        code = code_for(REGISTRY.named(name), next(iter(TOLD[name].codes or {}), "")) or "X"
        written(name, Work("1", (TestToDo(code, dilution="10"),)), at())

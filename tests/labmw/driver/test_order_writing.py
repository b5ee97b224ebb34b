"""Orders are written in each family's dialect, and read back as what was ordered."""

from __future__ import annotations

import os
import re
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labmw.driver import Driver, astm
from labmw.driver.order_writing import (
    Occasion,
    TestToDo,
    Work,
    code_for,
    write_no_work,
    write_orders,
    write_unable,
)
from labmw.driver.ordering import NoWork, OrderDialect, faults
from labmw.errors import DriverError
from labmw.line.registry import Registry
from labmw.model import Patient, Sex
from protocols.astm.datalink import DataLink, Role
from protocols.astm.events import FrameReceived
from protocols.astm.message import Assembly, Message
from protocols.astm.record import STANDARD, Delimiters

ROOT = Path(__file__).parents[3]
CORPUS = Path(os.environ.get("LABMW_CORPUS", ROOT.parent / "shared" / "corpus"))
PARIS = ZoneInfo("Europe/Paris")
REGISTRY = Registry.find()
PLAIN = Driver(name="plain", orders=OrderDialect())
DIALECTS = [PLAIN, *(one for one in REGISTRY.drivers.values() if one.orders is not None)]
BY_NAME = [pytest.param(one, id=one.name) for one in DIALECTS]
NOW = datetime(2026, 3, 15, 7, 17, 1, tzinfo=UTC)
PATIENT = Patient("L1", "PAT000417", "DUPONT", "LEA", date(1985, 4, 12), Sex.FEMALE)
OCCASION = Occasion("LABMW", NOW, PARIS, analyzer=("CHEM-X1",))


def of(driver: Driver, message: Message) -> list[tuple[str, tuple[str, ...]]]:
    """The specimens and codes of every order of a message, read with the driver."""
    reading = astm.read(message, driver, zone=PARIS)
    assert not reading.problems
    return [(one.specimen, one.codes) for one in reading.orders]


def test_the_standards_own_form_is_that_of_the_example() -> None:
    work = Work(
        "26031500123",
        (
            TestToDo("GLU", "R", datetime(2026, 3, 15, 7, 12, tzinfo=UTC)),
            TestToDo("CREA", "R", datetime(2026, 3, 15, 7, 12, tzinfo=UTC)),
            TestToDo("TSH", "S", datetime(2026, 3, 15, 7, 12, tzinfo=UTC)),
        ),
        PATIENT,
        "SER",
        datetime(2026, 3, 15, 6, 30, tzinfo=UTC),
    )
    message = write_orders(PLAIN, OCCASION, [work], asked=True)
    expected = (ROOT / "tests/examples/astm_03_host_query_reply.astm").read_bytes()
    assert message.raw == expected


@pytest.mark.parametrize(
    ("nothing", "example"),
    [
        (NoWork.TERMINATOR, "astm_04_host_query_reply_no_order.astm"),
        (NoWork.NO_ORDER, "astm_05_host_query_reply_no_order_Y_variant.astm"),
    ],
)
def test_no_work_is_said_as_the_examples_say_it(nothing: NoWork, example: str) -> None:
    driver = Driver(name="plain", orders=OrderDialect(nothing=nothing))
    message = write_no_work(driver, OCCASION, [Work("26031500123")])
    assert message.raw == (ROOT / "tests/examples" / example).read_bytes()


def test_an_order_nobody_asked_for_and_its_cancellation_are_those_of_the_examples() -> None:
    ordered = datetime(2026, 3, 15, 7, 12, tzinfo=UTC)
    collected = datetime(2026, 3, 15, 6, 30, tzinfo=UTC)
    work = Work(
        "26031500123", (TestToDo("GLU", "R", ordered), TestToDo("CREA", "R", ordered)), PATIENT, "SER", collected
    )
    told = write_orders(
        PLAIN,
        Occasion("LABMW", datetime(2026, 3, 15, 7, 10, tzinfo=UTC), PARIS, analyzer=("CHEM-X1",)),
        [work],
        asked=False,
    )
    assert told.raw == _example("astm_07_order_download_unsolicited.astm")
    taken = Work("26031500123", (TestToDo("GLU", "R", ordered),), PATIENT, "SER")
    back = write_orders(
        PLAIN,
        Occasion("LABMW", datetime(2026, 3, 15, 7, 20, tzinfo=UTC), PARIS, analyzer=("CHEM-X1",)),
        [taken],
        asked=False,
        cancel=True,
    )
    assert back.raw == _example("astm_08_order_cancel.astm")


def _example(name: str) -> bytes:
    return (ROOT / "tests/examples" / name).read_bytes()


@pytest.mark.skipif(not CORPUS.is_dir(), reason="no corpus")
def test_the_vitros_order_is_the_one_that_its_host_sent() -> None:
    capture = CORPUS / "astm/vitros-3600/2020-11-21-13-10-56-028439-host-reply.outbox.astm"
    text = re.search(rb"1(H.*)\x03", capture.read_bytes(), re.DOTALL)
    assert text is not None
    sent = [re.sub(r"^\d(?=[POL])", "", line) for line in text[1].decode().split("\r")]
    driver = REGISTRY.named("ortho-vitros-3600")
    occasion = Occasion(
        "LABMW",
        datetime(2020, 11, 21, 13, 10, 56, tzinfo=UTC),
        ZoneInfo("UTC"),
        analyzer=("3600796",),
        version="LIS2-A",
    )
    patient = Patient("L1", "NOPID", "NONAME", "", None, Sex.FEMALE)
    message = write_orders(driver, occasion, [Work("1068687", (TestToDo("002"),), patient)], asked=True)
    # The host wrote an empty third component behind its invented name; nothing else differs.
    assert message.raw.decode().split("\r") == [line.replace("NONAME^^", "NONAME^") for line in sent]


@pytest.mark.parametrize("driver", BY_NAME)
@given(data=st.data())
def test_an_order_survives_the_round_trip(driver: Driver, data: st.DataObject) -> None:
    assert driver.orders is not None
    text = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=14)
    known = sorted(set(driver.orders.codes.values()) if driver.orders.codes is not None else driver.tests)
    codes = st.sampled_from(known) if known else st.from_regex(r"[A-Za-z0-9]{1,6}", fullmatch=True)
    priorities = st.sampled_from("SARPC")
    tests = st.lists(st.builds(TestToDo, codes, priorities), min_size=1, max_size=6, unique_by=lambda one: one.code)
    names = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF), max_size=10)
    patients = st.builds(
        Patient, st.just("L1"), text, names, names, st.none() | st.dates(date(1900, 1, 1)), st.sampled_from(Sex)
    )
    kinds = st.sampled_from(sorted(driver.orders.materials)) if driver.orders.materials else st.just("SER")
    asked = data.draw(st.booleans())
    parts = (
        st.just(()) if not asked else st.lists(st.from_regex(r"[A-Z0-9]{0,4}", fullmatch=True), max_size=10).map(tuple)
    )
    works = data.draw(
        st.lists(
            st.builds(Work, text, tests, st.none() | patients, kinds, st.none(), st.just(""), parts),
            min_size=1,
            max_size=4,
        )
    )
    delimiters = data.draw(st.sampled_from([STANDARD, Delimiters("|", "@", "^", "\\"), Delimiters("!", "~", "*", "#")]))
    occasion = Occasion("LABMW", NOW, PARIS, "M1", ("X", "1"), delimiters=delimiters)
    message = write_orders(driver, occasion, works, asked=asked)
    sent = _over_the_line(driver, message)
    found: dict[str, set[str]] = {}
    for specimen, ordered in of(driver, sent):
        own = driver.orders.codes is not None  # what is ordered is called otherwise than what is reported
        found.setdefault(specimen, set()).update(code if own else _key(driver, code) for code in ordered)
    expected: dict[str, set[str]] = {}
    for work in works:
        expected.setdefault(work.specimen, set()).update(test.code for test in work.tests)
    assert found == expected


def _key(driver: Driver, code: str) -> str:
    """The key under which a driver's tests know what it reads in O.5."""
    return (driver.split(("", "", "", code, code)).key or code) if driver.split else code


def _over_the_line(driver: Driver, message: Message) -> Message:
    """What a receiver makes of the frames in which labmw sends a message."""
    assert driver.orders is not None
    ours = DataLink(Role.COMPUTER, driver.tolerances, frame_text=driver.orders.frame)
    theirs = DataLink(Role.INSTRUMENT, driver.tolerances)
    ours.send(message.records_bytes(), "it")
    assembly, found = Assembly(), []
    while out := ours.data_to_send():
        for event in theirs.receive(out):
            if isinstance(event, FrameReceived):
                found += assembly.feed(event.frame)
                theirs.accept()
        ours.receive(theirs.data_to_send())
    assert not ours.unsent
    (received,) = found
    assert received.raw == message.raw
    return received


@pytest.mark.parametrize("driver", BY_NAME)
def test_no_work_orders_nothing(driver: Driver) -> None:
    for tubes in ([], [Work("T1", parts=("", "", "T1"), written="T1")]):
        message = write_no_work(driver, OCCASION, tubes)
        assert all(not any(codes) for _, codes in of(driver, message))
        assert message.terminator in {"I", "F", "N", ""}


def test_a_family_that_knows_no_word_for_it_is_told_nothing_when_a_query_cannot_be_served() -> None:
    assert write_unable(REGISTRY.named("roche-cobas-e411"), OCCASION) is None
    message = write_unable(PLAIN, OCCASION)
    assert message is not None
    assert message.terminator == "Q"


def test_a_specimen_is_named_as_the_analyzer_wrote_it() -> None:
    driver = REGISTRY.named("sysmex-xn")
    work = Work(
        "LAB0000018",
        (TestToDo("WBC"),),
        written="           LAB0000018",
        parts=("2", "4", "           LAB0000018", "B"),
    )
    message = write_orders(driver, OCCASION, [work], asked=True)
    assert b"O|1|2^4^           LAB0000018^B||^^^^WBC|" in message.raw


def test_what_cannot_be_ordered_is_refused_and_says_what_to_do() -> None:
    vitros = REGISTRY.named("ortho-vitros-3600")
    with pytest.raises(DriverError, match="specimen of type UR cannot be ordered"):
        write_orders(vitros, OCCASION, [Work("1", (TestToDo("002"),), kind="UR")], asked=True)
    with pytest.raises(DriverError, match="does not say how orders are written"):
        write_orders(REGISTRY.named("horiba-pentra"), OCCASION, [], asked=True)
    with pytest.raises(DriverError, match="cannot be told to forget"):
        write_orders(REGISTRY.named("sysmex-xn"), OCCASION, [], asked=False, cancel=True)
    with pytest.raises(DriverError, match="cannot be sent as latin-1"):
        write_orders(PLAIN, OCCASION, [Work("Ł1", (TestToDo("GLU"),))], asked=True)


def test_a_name_that_the_characters_do_not_have_is_left_out_and_not_misspelt() -> None:
    patient = Patient("L1", "P1", "ŁUKASIEWICZ", "JAN")
    message = write_orders(PLAIN, OCCASION, [Work("1", (TestToDo("GLU"),), patient)], asked=True)
    assert b"P|1||P1||^JAN||" in message.raw


def test_tests_of_different_urgency_share_no_record_unless_the_family_has_one_for_the_tube() -> None:
    tests = (TestToDo("A", "R"), TestToDo("B", "S"), TestToDo("C", "R"))
    plain = write_orders(PLAIN, OCCASION, [Work("1", tests)], asked=True)
    assert [record.field(5) for record in plain.records if record.type == "O"] == ["^^^A\\^^^C", "^^^B"]
    each = Driver(name="each", orders=OrderDialect(tests="records"))
    assert plain.structure == "HPOOL"
    assert write_orders(each, OCCASION, [Work("1", tests)], asked=True).structure == "HPOOOL"
    cobas = write_orders(REGISTRY.named("roche-cobas-c311"), OCCASION, [Work("1", tests)], asked=True)
    (order,) = [record for record in cobas.records if record.type == "O"]
    assert (order.field(5), order.field(6)) == ("^^^A^\\^^^B^\\^^^C^", "S")


def test_the_code_that_is_ordered_is_that_of_the_drivers_tests_or_its_own_table() -> None:
    assert code_for(REGISTRY.named("roche-cobas-c311"), "2823-3") == "990"
    assert code_for(REGISTRY.named("roche-cobas-c311"), "718-7") == ""
    own = Driver(name="own", orders=OrderDialect(codes={"718-7": "CBC"}))
    assert code_for(own, "718-7") == "CBC"


@pytest.mark.parametrize(
    ("dialect", "fault"),
    [
        (OrderDialect(order={3: "{specimen}", 5: "^^^{kode}"}), "no word 'kode'"),
        (OrderDialect(order={3: "{specimen}", 5: "^^^GLU"}), "does not hold {code}"),
        (OrderDialect(order={3: "X", 5: "{code}"}), "no field of O holds"),
        (OrderDialect(header={2: "|"}), "labmw itself writes"),
        (OrderDialect(header={5: "{host"}), "a brace"),
        (OrderDialect(aborted=frozenset({"O"})), "both ask and take back"),
        (OrderDialect(nothing=NoWork.EMPTY, materials={"SER": "1"}), "of which nothing is known"),
        (OrderDialect(patience=0), "no time that an analyzer waits"),
    ],
)
def test_a_dialect_that_cannot_work_is_told(dialect: OrderDialect, fault: str) -> None:
    assert any(fault in sentence for sentence in faults(dialect))
    assert faults(OrderDialect()) == []
